package folder

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/failpoint"
)

// Filled is what Fill put into a folder.
type Filled struct {
	Files int // whatever has a name
	Bytes int64
}

// Empty reports whether nothing is in the folder.
func (f *FS) Empty() (bool, error) {
	all, err := f.list(rootID)
	return err == nil && len(all) == 0, err
}

// Fill copies what is in the folder source of from, and that folder's owner, permissions and times. It is made as a folder without a name in
// the same store, whose list of names takes the place of the empty one in one step. ENOTEMPTY if something is there by then.
func (f *FS) Fill(ctx context.Context, from fsys.FS, source string) (Filled, error) {
	var id uint64
	err := f.change(func() (err error) {
		if id, err = f.fresh(); err != nil {
			return err
		}
		now := f.now()
		return f.makeBody(id, &meta{Kind: fsys.Dir, Mode: 0o700, Mtime: now, Ctime: now, Atime: now})
	})
	if err != nil {
		return Filled{}, err
	}
	c := copier{ctx: ctx, from: from, to: &FS{dir: f.dir, home: f.home, now: f.now, root: id}, links: map[uint64]string{}, buf: make([]byte, 256<<10)}
	if err := c.folder(source, "."); err != nil {
		return Filled{}, err
	}
	failpoint.Hit("sim.folder.fill.copied")
	return c.done, f.change(func() error { return f.adopt(id) })
}

// adopt makes the folder id the root. The lock is held.
func (f *FS) adopt(id uint64) error {
	if err := f.empty(rootID); err != nil {
		return err
	}
	m, err := f.get(id)
	if err != nil {
		return err
	}
	if err := f.put(rootID, m); err != nil {
		return err
	}
	failpoint.Hit("sim.folder.fill.before-rename")
	_ = os.RemoveAll(f.names(rootID)) // what a dead process was writing may be in it; and Windows puts no folder in the place of another
	if err := os.Rename(f.names(id), f.names(rootID)); err != nil {
		return errors.Join(syscall.EIO, os.MkdirAll(f.names(rootID), 0o700))
	}
	_ = os.Remove(f.node(id))
	return nil
}

// copier copies a folder of another file system.
type copier struct {
	ctx   context.Context
	from  fsys.FS
	to    *FS
	links map[uint64]string // first name of a file that has several
	buf   []byte
	done  Filled
}

// folder copies what is in the folder source, and then what is to be told of it.
func (c *copier) folder(source, target string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	names, err := c.from.ReadDir(source)
	if err != nil {
		return err
	}
	for _, d := range names {
		if err := c.entry(path.Join(source, d.Name), path.Join(target, d.Name)); err != nil {
			return err
		}
		c.done.Files++
	}
	a, err := c.from.Lstat(source)
	if err != nil {
		return err
	}
	return c.dress(source, target, &a)
}

func (c *copier) entry(source, target string) error {
	a, err := c.from.Lstat(source)
	if err != nil {
		return err
	}
	if a.Kind != fsys.Dir && a.Links > 1 {
		if first, ok := c.links[a.Inode]; ok {
			return c.to.Link(first, target)
		}
		c.links[a.Inode] = target
	}
	n := fsys.New{Kind: a.Kind, Mode: a.Mode, UID: a.UID, GID: a.GID, Rdev: a.Rdev}
	if a.Kind == fsys.Symlink {
		if n.Target, err = c.from.Readlink(source); err != nil {
			return err
		}
	}
	if err := c.to.Make(target, n); err != nil {
		return err
	}
	switch a.Kind {
	case fsys.Dir:
		return c.folder(source, target)
	case fsys.File:
		if err := c.content(source, target); err != nil {
			return err
		}
	}
	return c.dress(source, target, &a)
}

// dress sets what making could not say, and what it may have said otherwise.
func (c *copier) dress(source, target string, a *fsys.Attr) error {
	if x, ok := c.from.(fsys.Xattrs); ok {
		all, err := x.Xattr(source)
		if err != nil {
			return err
		}
		for k, v := range all {
			if err := c.to.SetXattr(target, k, v); err != nil {
				return err
			}
		}
	}
	return c.to.Set(target, fsys.Change{Mode: &a.Mode, UID: &a.UID, GID: &a.GID, Mtime: &a.Mtime})
}

func (c *copier) content(source, target string) (err error) {
	in, err := c.from.Open(source, fsys.How{})
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := c.to.Open(target, fsys.How{Write: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for at := int64(0); ; {
		n, rerr := in.ReadAt(c.buf, at)
		if n > 0 {
			if _, err := out.WriteAt(c.buf[:n], at); err != nil {
				return err
			}
			at += int64(n)
			c.done.Bytes += int64(n)
		}
		if rerr == io.EOF || n == 0 && rerr == nil {
			return nil
		}
		if rerr != nil {
			return rerr
		}
	}
}
