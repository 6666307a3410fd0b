//go:build linux

package shim

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/pack"
)

// walker writes a part of a view as an archive. It goes by descriptors and follows no link, so that nobody who swaps things meanwhile
// leads it elsewhere.
type walker struct {
	view *view
	out  *pack.Writer
	dev  uint64 // of the folder that is being walked
}

const maxName = 4096 // of a path in an archive

// archive writes what is at name, and all in it, under the name as.
func (v *view) archive(name, as string, to io.Writer) (pack.Counts, error) {
	w := &walker{view: v, out: pack.NewWriter(to)}
	err := w.top(name, as)
	if err == nil {
		err = w.out.Close()
	}
	return w.out.Counts, err
}

// top writes the one entry that was asked for. It is opened once: what it is and what is in it belong together.
func (w *walker) top(name, as string) error {
	fd, err := w.view.find(name)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return pathError("lstat", name, err)
	}
	real, err := w.view.realName(fd)
	if err != nil {
		return pathError("lstat", name, err)
	}
	if dir := kernels(real); dir != "" && dir != real {
		return pathError("lstat", name, unix.ENOENT)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return w.single(fd, real, as, &st)
	}
	dir, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", name, err)
	}
	defer unix.Close(dir)
	w.dev = ^st.Dev // so that it is looked at
	return w.folder(dir, as, &st)
}

// single writes something that is no folder, through the folder that it lies in.
func (w *walker) single(fd int, real, as string, st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, "", buf)
		if err != nil {
			return pathError("readlink", real, err)
		}
		h, _ := headerOf(as, st)
		h.Linkname = string(buf[:n])
		return w.out.Add(h, nil)
	}
	dir, err := w.view.open(path.Dir(real), unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return pathError("open", path.Dir(real), err)
	}
	defer unix.Close(dir)
	return w.entry(dir, path.Base(real), as)
}

// folder writes an open folder and everything in it, in the order of names. What the kernel makes up is empty.
func (w *walker) folder(fd int, as string, st *unix.Stat_t) error {
	h, _ := headerOf(as, st)
	h.Name = strings.TrimSuffix(h.Name, "/") + "/"
	attrs, err := readAttrs(fd)
	if err != nil {
		return fmt.Errorf("read attributes of %q: %w", as, err)
	}
	pack.SetXattrs(h, attrs)
	if err := w.out.Add(h, nil); err != nil {
		return err
	}
	if st.Dev != w.dev || as == "." || !strings.Contains(as, "/") {
		if !w.view.files(fd) {
			return nil
		}
	}
	above := w.dev
	w.dev = st.Dev
	defer func() { w.dev = above }()
	entries, err := listFolder(fd)
	if err != nil {
		return fmt.Errorf("list %q: %w", as, err)
	}
	for _, e := range entries {
		at := strings.TrimSuffix(as, "/") + "/" + e.name
		if len(at) > maxName {
			return fmt.Errorf("path %.60q... is longer than %d bytes, which no archive can hold", at, maxName)
		}
		if e.file {
			err = w.file(fd, e.name, at)
		} else {
			err = w.entry(fd, e.name, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entry is one name of a folder, and whether the folder says that it is a regular file.
type entry struct {
	name string
	file bool
}

// listFolder lists an open folder, in the order of names.
func listFolder(fd int) ([]entry, error) {
	again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(again), ".")
	defer f.Close()
	list, err := f.ReadDir(-1)
	entries := make([]entry, len(list))
	for i, e := range list {
		entries[i] = entry{e.Name(), e.Type().IsRegular()}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return entries, err
}

func (w *walker) entry(dir int, name, as string) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil // removed since the folder was listed
	}
	if err != nil {
		return pathError("lstat", as, err)
	}
	h, ok := headerOf(as, &st)
	switch {
	case !ok:
		return nil // sockets live and die with their process
	case h.Typeflag == tar.TypeDir:
		return w.subfolder(dir, name, as)
	case h.Typeflag == tar.TypeReg:
		return w.file(dir, name, as)
	case st.Nlink > 1 && w.out.Linked(h, pack.Inode{Dev: st.Dev, Ino: st.Ino}):
	case h.Typeflag == tar.TypeSymlink:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return pathError("readlink", as, err)
		}
		h.Linkname = string(buf[:n])
	}
	return w.out.Add(h, nil)
}

func (w *walker) subfolder(dir int, name, as string) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return pathError("open", as, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return pathError("stat", as, err)
	}
	return w.folder(fd, as, &st)
}

// file writes a file. It is opened first: what is said of it and what is read belong together, and one look is enough.
func (w *walker) file(dir int, name, as string) error {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // removed since the folder was listed
	}
	if err != nil {
		return pathError("open", as, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return pathError("stat", as, err)
	}
	h, ok := headerOf(as, &st)
	if !ok || h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%q changed from a file to something else while it was read", as)
	}
	if st.Nlink > 1 && w.out.Linked(h, pack.Inode{Dev: st.Dev, Ino: st.Ino}) {
		return w.out.Add(h, nil)
	}
	attrs, err := readAttrs(fd)
	if err != nil {
		return fmt.Errorf("read attributes of %q: %w", as, err)
	}
	pack.SetXattrs(h, attrs)
	return w.out.Add(h, pack.Descriptor(fd))
}

// headerOf describes the file that st is of; false for what no archive holds.
func headerOf(name string, st *unix.Stat_t) (*tar.Header, bool) {
	h := &tar.Header{Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(st.Uid), Gid: int(st.Gid), ModTime: time.Unix(st.Mtim.Unix())}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
	case unix.S_IFDIR:
		h.Typeflag = tar.TypeDir
	case unix.S_IFLNK:
		h.Typeflag, h.Mode = tar.TypeSymlink, 0o777
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	default:
		return nil, false
	}
	return h, true
}

// readAttrs reads the extended attributes of an open file, if its file system has any.
func readAttrs(fd int) (map[string]string, error) {
	var small [1024]byte
	names, err := grown(small[:], func(buf []byte) (int, error) { return unix.Flistxattr(fd, buf) })
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) || len(names) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	attrs := map[string]string{}
	for _, name := range strings.Split(strings.TrimRight(string(names), "\x00"), "\x00") {
		var value [256]byte
		v, err := grown(value[:], func(buf []byte) (int, error) { return unix.Fgetxattr(fd, name, buf) })
		if err == nil {
			attrs[name] = string(v)
		}
	}
	return attrs, nil
}

// grown calls read with a buffer that is large enough.
func grown(buf []byte, read func([]byte) (int, error)) ([]byte, error) {
	n, err := read(buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, 64<<10) // the kernel's own bound
		n, err = read(buf)
	}
	return buf[:max(n, 0)], err
}
