package userland

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

type tarReader struct {
	*task
	o     opts
	strip int
	base  string
	dirs  []*tar.Header // their modes and times are set last
}

func (x *tarReader) entry(h *tar.Header, r io.Reader) error {
	if x.o.has('t') {
		return x.list(h)
	}
	if x.o.has('v') {
		x.print(h.Name + "\n")
	}
	if x.o.has('O') {
		_, err := io.Copy(x.Stdout, r)
		return err
	}
	name, ok := x.target(h.Name)
	if !ok {
		return nil
	}
	if err := x.guard(name); err != nil {
		return err
	}
	return x.extract(h, name, r)
}

func (x *tarReader) list(h *tar.Header) error {
	if !x.o.has('v') {
		x.print(h.Name + "\n")
		return nil
	}
	link := ""
	switch h.Typeflag {
	case tar.TypeSymlink:
		link = " -> " + h.Linkname
	case tar.TypeLink:
		link = " link to " + h.Linkname
	}
	owner := fmt.Sprintf("%d/%d", h.Uid, h.Gid)
	if h.Uname != "" {
		owner = h.Uname + "/" + h.Gname
	}
	x.printf("%s %s %9d %s %s%s\n", modeString(h.FileInfo().Mode()), owner, h.Size, h.ModTime.Format("2006-01-02 15:04"), h.Name, link)
	return nil
}

// target is where a member goes: below the base, whatever its name says.
func (x *tarReader) target(name string) (string, bool) {
	parts := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	if x.strip >= len(parts) && x.strip > 0 {
		return "", false
	}
	return path.Join(x.base, path.Join(parts[x.strip:]...)), true
}

// guard refuses to go through a symbolic link that leads out of the base.
func (x *tarReader) guard(name string) error {
	if name == path.Clean(x.base) { // the entry ./
		return nil
	}
	base, err := x.real(x.base, true, false)
	if err != nil {
		return err
	}
	at, err := x.real(path.Dir(name), false, true)
	if err != nil {
		return err
	}
	if at != base && base != "/" && !strings.HasPrefix(at, base+"/") {
		return errors.New("leads out of the target directory through a link")
	}
	tree, err := x.tree()
	if err != nil {
		return err
	}
	return x.makeDir(tree, opts{set: []opt{{letter: 'p'}}}, path.Dir(name))
}

func (x *tarReader) extract(h *tar.Header, name string, r io.Reader) error {
	tree, err := x.tree()
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		kept := *h
		kept.Name = name
		x.dirs = append(x.dirs, &kept)
		return x.makeDir(tree, opts{set: []opt{{letter: 'p'}}}, name)
	}
	if info, err := x.FS.Lstat(name); err == nil && !info.IsDir() {
		tree.Remove(name)
	}
	switch h.Typeflag {
	case tar.TypeReg:
		f, err := x.create(name, os.O_TRUNC, h.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	case tar.TypeSymlink, tar.TypeLink:
		return x.link(h, name)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		nodes, ok := x.FS.(Nodes)
		if !ok {
			return errors.ErrUnsupported
		}
		dev := uint64(h.Devminor)&0xff | uint64(h.Devmajor)&0xfff<<8 | uint64(h.Devminor)&^0xff<<12
		if err := nodes.Mknod(name, h.FileInfo().Mode(), dev); err != nil {
			return err
		}
	default:
		return nil
	}
	return x.restore(h, name)
}

func (x *tarReader) link(h *tar.Header, name string) error {
	links, err := x.links()
	if err != nil {
		return err
	}
	if h.Typeflag == tar.TypeSymlink {
		return links.Symlink(h.Linkname, name)
	}
	existing, ok := x.target(h.Linkname)
	if !ok {
		return nil
	}
	if err := x.guard(existing); err != nil {
		return err
	}
	return links.Link(existing, name)
}

// restore sets owner (as root), mode and times.
func (x *tarReader) restore(h *tar.Header, name string) error {
	meta, err := x.meta()
	if err != nil {
		return nil
	}
	if x.User.UID == 0 && !x.o.has('o') {
		meta.Lchown(name, h.Uid, h.Gid)
	}
	err = meta.Chmod(name, h.FileInfo().Mode()&^fs.ModeType)
	if x.o.has('m') {
		return err
	}
	return errors.Join(err, meta.Chtimes(name, h.ModTime, h.ModTime))
}

func (x *tarReader) finish() error {
	for i := len(x.dirs) - 1; i >= 0; i-- {
		if err := x.restore(x.dirs[i], x.dirs[i].Name); err != nil {
			x.fail(x.dirs[i].Name, err)
		}
	}
	return nil
}
