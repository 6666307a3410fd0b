package difftest

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// tree is a file system that everything can be done to.
type tree interface {
	fsys.FS
	fsys.Maker
	fsys.Remover
	fsys.Setter
	fsys.Xattrs
}

// performer does operations on a tree. It keeps to the contract of package fsys as a kernel's path walk does: folders on the way are
// checked, and what only the walk refuses never comes to the tree.
type performer struct {
	tree tree
	held [3]fsys.Handle
}

// do does one operation and says in words what came of it.
func (p *performer) do(o op) string {
	if o.Do == doLook {
		return strings.Join(survey(p.tree), "\n")
	}
	err := p.try(o)
	if err == nil {
		return "ok"
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return "unexpected error: " + err.Error()
	}
	return errno.Error()
}

func (p *performer) try(o op) error {
	if o.Do == doHeld || o.Do == doCut || o.Do == doRelease {
		return p.throughHandle(o)
	}
	if err := p.parents(o.Path); err != nil {
		return err
	}
	switch o.Do {
	case doCreate, doMkdir, doSymlink, doNode:
		return p.make(o)
	case doWrite, doAppend, doEmpty, doTruncate, doTouch, doHold:
		return p.open(o)
	case doLink, doUnlink, doRmdir, doRename:
		return p.name(o)
	default:
		return p.meta(o)
	}
}

// parents checks that the folders above name are real folders.
func (p *performer) parents(name string) error {
	for i, c := range name {
		if c != '/' {
			continue
		}
		a, err := p.tree.Lstat(name[:i])
		if err != nil {
			return err
		}
		if a.Kind != fsys.Dir {
			return syscall.ENOTDIR
		}
	}
	return nil
}

func (p *performer) make(o op) error {
	n := fsys.New{Kind: fsys.File, Mode: o.Mode, UID: o.UID, GID: o.GID, Rdev: o.Rdev}
	switch o.Do {
	case doMkdir:
		n.Kind = fsys.Dir
	case doSymlink:
		n.Kind, n.Target, n.Mode = fsys.Symlink, o.To, 0o777
	case doNode:
		n.Kind = o.Kind
		if n.Kind == fsys.CharDevice && n.Rdev == 0 {
			return syscall.EPERM // the mark of what is deleted; a kernel refuses it
		}
	}
	if err := p.tree.Make(o.Path, n); err != nil || o.Data == "" {
		return err
	}
	return p.open(op{Do: doWrite, Path: o.Path, Data: o.Data})
}

// open opens a regular file and does something to it.
func (p *performer) open(o op) error {
	a, err := p.tree.Lstat(o.Path)
	if err != nil {
		return err
	}
	switch a.Kind {
	case fsys.File:
	case fsys.Dir:
		return syscall.EISDIR
	default:
		return syscall.ENXIO
	}
	h, err := p.tree.Open(o.Path, fsys.How{Write: true, Truncate: o.Do == doEmpty})
	if err != nil {
		return err
	}
	if o.Do == doHold {
		return errors.Join(p.release(o.Slot), p.hold(o.Slot, h))
	}
	return errors.Join(use(h, o), h.Close())
}

// use writes as the operation says.
func use(h fsys.Handle, o op) (err error) {
	switch o.Do {
	case doTruncate, doCut:
		return h.Truncate(o.Off)
	case doTouch:
		return nil
	case doAppend:
		o.Off = -1
	}
	if o.Data == "" {
		return nil
	}
	n, err := h.WriteAt([]byte(o.Data), o.Off)
	if err == nil && n != len(o.Data) {
		return fmt.Errorf("%d bytes of %d written", n, len(o.Data))
	}
	return err
}

func (p *performer) hold(slot int, h fsys.Handle) error {
	p.held[slot] = h
	return nil
}

func (p *performer) release(slot int) error {
	h := p.held[slot]
	if h == nil {
		return nil
	}
	p.held[slot] = nil
	return h.Close()
}

// finish closes what is still open.
func (p *performer) finish() error {
	return errors.Join(p.release(0), p.release(1), p.release(2))
}

func (p *performer) throughHandle(o op) error {
	h := p.held[o.Slot]
	switch {
	case h == nil:
		return syscall.EBADF
	case o.Do == doRelease:
		return p.release(o.Slot)
	}
	if err := use(h, o); err != nil {
		return err
	}
	a, err := h.Attr()
	if err == nil && a.Size < int64(len(o.Data)) {
		return fmt.Errorf("size %d after writing %d bytes", a.Size, len(o.Data))
	}
	return err
}

func (p *performer) name(o op) error {
	switch o.Do {
	case doUnlink:
		return p.tree.Remove(o.Path)
	case doRmdir:
		return p.tree.RemoveDir(o.Path)
	}
	if err := p.parents(o.To); err != nil {
		return err
	}
	if o.Do == doRename {
		return p.tree.Rename(o.Path, o.To)
	}
	a, err := p.tree.Lstat(o.Path)
	if err != nil {
		return err
	}
	if _, err := p.tree.Lstat(o.To); err == nil {
		return syscall.EEXIST
	}
	if a.Kind == fsys.Dir {
		return syscall.EPERM
	}
	return p.tree.Link(o.Path, o.To)
}

func (p *performer) meta(o op) error {
	a, err := p.tree.Lstat(o.Path)
	if err != nil {
		return err
	}
	switch o.Do {
	case doUtimes:
		return p.tree.Set(o.Path, fsys.Change{Mtime: &o.Time, Atime: &o.Time})
	case doChown:
		return p.tree.Set(o.Path, fsys.Change{UID: &o.UID, GID: &o.GID})
	case doChmod:
		if a.Kind == fsys.Symlink {
			return syscall.EOPNOTSUPP
		}
		return p.tree.Set(o.Path, fsys.Change{Mode: &o.Mode})
	}
	if a.Kind != fsys.File && a.Kind != fsys.Dir {
		return syscall.EPERM
	}
	if o.Do == doSetXattr {
		return p.tree.SetXattr(o.Path, o.Attr, o.Data)
	}
	return p.tree.RemoveXattr(o.Path, o.Attr)
}
