package sim

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/pack"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

// fileView is a container's files, seen by the machine itself.
type fileView struct{ view *vfs.View }

func newFileView(ns *vfs.Namespace, p vfs.Process) fileView {
	v := ns.View(vfs.Cred{Privileged: true}, p)
	v.Umask(0)
	return fileView{v}
}

// Docker's words for what can't be written.
const (
	rootReadOnly   = "container rootfs is marked read-only"
	volumeReadOnly = "mounted volume is marked read-only"
)

// kernels tells which folder that the kernel makes up a path lies in, or is.
func kernels(real string) string {
	for _, dir := range [...]string{"/proc", "/sys", "/dev"} {
		if real == dir || strings.HasPrefix(real, dir+"/") {
			return dir
		}
	}
	return ""
}

// fileError gives an error the words of the seam.
func fileError(err error) error {
	var refused *pack.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return &driver.FileError{Msg: refused.Msg}
	case errors.Is(err, syscall.EROFS):
		return &driver.FileError{Msg: volumeReadOnly}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", err, driver.ErrNotFound)
	}
	return err
}

func asksFolder(name string) bool {
	return name == "" || name == "." || strings.HasSuffix(name, "/") || strings.HasSuffix(name, "/.")
}

// find looks at what a path leads to, as a name. The last part is followed if it ends in a slash or a dot.
func (v fileView) find(name string) (fi fs.FileInfo, real string, err error) {
	clean := path.Clean("/" + name)
	if asksFolder(name) {
		if fi, err = v.view.Stat(clean); err == nil && !fi.IsDir() {
			return nil, "", &driver.FileError{Msg: "lstat " + name + ": not a directory"}
		}
		if err == nil {
			real, err = v.view.Real(clean)
		}
	} else if fi, err = v.view.Lstat(clean); err == nil {
		real, err = v.view.Real(path.Dir(clean))
		real = path.Join(real, path.Base(clean))
	}
	if dir := kernels(real); err == nil && dir != "" && dir != real {
		err = &fs.PathError{Op: "lstat", Path: name, Err: syscall.ENOENT}
	}
	return fi, real, fileError(err)
}

// Stat is driver.Files's.
func (v fileView) Stat(_ context.Context, name string) (driver.FileStat, error) {
	fi, real, err := v.find(name)
	if err != nil {
		return driver.FileStat{}, err
	}
	st := driver.FileStat{Name: path.Base(path.Clean("/" + name)), Size: fi.Size(), Mode: fi.Mode(), ModTime: fi.ModTime(), Real: real}
	if fi.Mode()&fs.ModeSymlink != 0 {
		st.Link = v.follow(real, 0)
	}
	return st, nil
}

// follow gives the path that a link leads to in the end, also to what is not there; nothing if it leads nowhere.
func (v fileView) follow(name string, links int) string {
	const maxLinks = 40 // path_resolution(7)
	text, err := v.view.Readlink(name)
	if err != nil || links > maxLinks {
		return ""
	}
	if !path.IsAbs(text) {
		text = path.Dir(name) + "/" + text
	}
	if real, err := v.view.Real(text); err == nil {
		return real
	}
	dir, err := v.view.Real(path.Dir(path.Clean(text)))
	if err != nil {
		return path.Clean(text)
	}
	at := path.Join(dir, path.Base(text))
	if fi, err := v.view.Lstat(at); err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		return v.follow(at, links+1)
	}
	return at
}

// Archive is driver.Files's.
func (v fileView) Archive(ctx context.Context, name, as string, to io.Writer) (driver.FileCounts, error) {
	w := pack.NewWriter(to)
	fi, real, err := v.find(name)
	if err == nil {
		err = v.entry(ctx, w, real, as, fi)
	}
	if err == nil {
		err = w.Close()
	}
	return driver.FileCounts{Files: w.Files, Bytes: w.Bytes}, fileError(err)
}

func (v fileView) entry(ctx context.Context, w *pack.Writer, name, as string, fi fs.FileInfo) error {
	st, ok := fi.Sys().(*vfs.Stat)
	if !ok || ctx.Err() != nil {
		return errors.Join(ctx.Err())
	}
	h := &tar.Header{Name: as, Mode: int64(st.Mode), Uid: st.UID, Gid: st.GID, ModTime: st.Mtime}
	if st.Kind != fsys.Dir && st.Links > 1 && w.Linked(h, pack.Inode{Dev: st.Dev, Ino: st.Inode}) {
		return w.Add(h, nil)
	}
	if attrs, err := v.view.Xattrs(name); err == nil && (st.Kind == fsys.File || st.Kind == fsys.Dir) {
		pack.SetXattrs(h, attrs)
	}
	switch st.Kind {
	case fsys.File:
		return v.file(w, name, h)
	case fsys.Dir:
		return v.folder(ctx, w, name, h)
	case fsys.Symlink:
		text, err := v.view.Readlink(name)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, text, 0o777
	case fsys.CharDevice, fsys.BlockDevice:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(fsys.Major(st.Rdev)), int64(fsys.Minor(st.Rdev))
		if st.Kind == fsys.BlockDevice {
			h.Typeflag = tar.TypeBlock
		}
	case fsys.Pipe:
		h.Typeflag = tar.TypeFifo
	default:
		return nil // sockets live and die with their process
	}
	return w.Add(h, nil)
}

func (v fileView) file(w *pack.Writer, name string, h *tar.Header) error {
	f, err := v.view.OpenFile(name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed since the folder was listed
	}
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	h.Typeflag, h.Size = tar.TypeReg, fi.Size()
	return w.Add(h, f)
}

// folder writes a folder and what is in it. What the kernel makes up is empty.
func (v fileView) folder(ctx context.Context, w *pack.Writer, name string, h *tar.Header) error {
	as := strings.TrimSuffix(h.Name, "/")
	h.Typeflag, h.Name = tar.TypeDir, as+"/"
	if err := w.Add(h, nil); err != nil || kernels(name) != "" {
		return err
	}
	entries, err := v.view.ReadDir(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		at := path.Join(name, e.Name())
		fi, err := v.view.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = v.entry(ctx, w, at, as+"/"+e.Name(), fi)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Extract is driver.Files's.
func (v fileView) Extract(ctx context.Context, dir string, r io.Reader, o driver.ExtractOptions) (driver.FileCounts, error) {
	t, err := v.target(dir)
	if err != nil {
		return driver.FileCounts{}, fileError(err)
	}
	options := pack.Options{Into: t.dir}
	if o.Owner != nil {
		options.Owner = &pack.Owner{UID: o.Owner.UID, GID: o.Owner.GID}
	}
	counts, err := pack.Extract(ctx, r, t, options)
	return driver.FileCounts{Files: counts.Files, Bytes: counts.Bytes}, fileError(err)
}

// target looks at the folder to extract to, whose links are followed.
func (v fileView) target(dir string) (*viewTarget, error) {
	clean := path.Clean("/" + dir)
	fi, err := v.view.Stat(clean)
	if err != nil {
		return nil, err
	}
	if !fi.IsDir() {
		return nil, &driver.FileError{Msg: "extraction point is not a directory"}
	}
	t := &viewTarget{view: v.view}
	if t.dir, err = v.view.Real(clean); err != nil {
		return nil, err
	}
	if err := t.enter("x"); err != nil {
		return nil, err
	}
	mounts, err := v.view.List()
	if err != nil {
		return nil, err
	}
	best, readOnly := "", false
	for _, m := range mounts { // later ones lie on top
		if (m.Target == "/" || t.dir == m.Target || strings.HasPrefix(t.dir, m.Target+"/")) && len(m.Target) >= len(best) {
			best, readOnly = m.Target, hasOption(m.Options, "ro")
		}
	}
	switch {
	case readOnly && best == "/":
		return nil, &driver.FileError{Msg: rootReadOnly}
	case readOnly:
		return nil, &driver.FileError{Msg: volumeReadOnly}
	}
	return t, nil
}

func hasOption(options, want string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == want {
			return true
		}
	}
	return false
}

// viewTarget is a folder that an archive is extracted to. It implements pack.Target.
type viewTarget struct {
	view   *vfs.View
	dir    string // absolute, without links when it was looked at
	parent string // the folder that was found to be the container's own; empty: none yet
}

// enter refuses a name whose folder is not the container's own.
func (t *viewTarget) enter(name string) error {
	dir := path.Dir(name)
	if dir == t.parent {
		return nil
	}
	real, err := t.view.Real(path.Join(t.dir, dir))
	if err != nil {
		return err
	}
	if kernels(real) != "" {
		return &driver.FileError{Msg: fmt.Sprintf("cannot copy to %q: what is in it is made by the kernel for the running container, and no file of it; "+
			"copy to another folder, or write to it with docker exec", path.Join(t.dir, dir))}
	}
	t.parent = dir
	return nil
}

func (t *viewTarget) path(name string) string { return path.Join(t.dir, name) }

// Lstat implements pack.Target.
func (t *viewTarget) Lstat(name string) (fs.FileMode, error) {
	fi, err := t.view.Lstat(t.path(name))
	if err != nil {
		return 0, err
	}
	return fi.Mode(), nil
}

// Remove implements pack.Target.
func (t *viewTarget) Remove(name string) error {
	if err := t.enter(name); err != nil {
		return err
	}
	return t.view.Remove(t.path(name))
}

// Make implements pack.Target.
func (t *viewTarget) Make(h *tar.Header, content io.Reader) error {
	if err := t.enter(h.Name); err != nil {
		return err
	}
	at := t.path(h.Name)
	var err error
	switch h.Typeflag {
	case tar.TypeReg:
		return t.file(at, h, content)
	case tar.TypeDir:
		return t.view.Mkdir(at, 0o700)
	case tar.TypeLink:
		return t.view.Link(t.path(h.Linkname), at)
	case tar.TypeSymlink:
		if err := t.view.Symlink(h.Linkname, at); err != nil {
			return err
		}
		return t.view.Lchown(at, h.Uid, h.Gid)
	case tar.TypeChar:
		err = t.view.Mknod(at, fs.ModeDevice|fs.ModeCharDevice|0o600, fsys.MakeDev(uint32(h.Devmajor), uint32(h.Devminor)))
	case tar.TypeBlock:
		err = t.view.Mknod(at, fs.ModeDevice|0o600, fsys.MakeDev(uint32(h.Devmajor), uint32(h.Devminor)))
	default:
		err = t.view.Mknod(at, fs.ModeNamedPipe|0o600, 0)
	}
	if err != nil {
		return err
	}
	return t.dress(at, h)
}

func (t *viewTarget) file(at string, h *tar.Header, content io.Reader) error {
	f, err := t.view.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(struct{ io.Writer }{f}, content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return t.dress(at, h)
}

// dress gives what is no link its owner, mode, attributes and time. The owner comes first: changing it takes setuid away.
func (t *viewTarget) dress(at string, h *tar.Header) error {
	if err := t.view.Lchown(at, h.Uid, h.Gid); err != nil {
		return err
	}
	if err := t.view.Chmod(at, h.FileInfo().Mode()&^fs.ModeType); err != nil {
		return err
	}
	err := pack.Xattrs(h, func(name, value string) error {
		err := t.view.SetXattr(at, name, value)
		if errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EPERM) {
			return nil // this file system can't keep it
		}
		return err
	})
	if err != nil {
		return err
	}
	return t.view.Chtimes(at, h.ModTime, h.ModTime)
}

// Dress implements pack.Target.
func (t *viewTarget) Dress(h *tar.Header) error {
	at := t.path(h.Name)
	fi, err := t.view.Lstat(at)
	if err != nil || !fi.IsDir() {
		return err // somebody put something else there
	}
	return t.dress(at, h)
}
