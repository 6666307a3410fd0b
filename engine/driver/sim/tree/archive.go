package tree

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/layer"
)

// archiver writes a tree as an archive: depth first, siblings in the order of their bytes, further names of a file as hard links to
// the first.
type archiver struct {
	ctx   context.Context
	out   *layer.Writer
	links map[*inode]string // first path of a file that has several
	stats driver.DiffStats
	sums  map[*inode]uint32 // checksums of what was read
	files contents
}

const maxPath = 4096

// archiveTo runs f with an archiver to w and completes the archive.
func archiveTo(ctx context.Context, w io.Writer, f func(a *archiver) error) (driver.DiffStats, error) {
	buffered := bufio.NewWriterSize(w, 64<<10)
	a := &archiver{ctx: ctx, out: layer.NewWriter(buffered), links: map[*inode]string{}, sums: map[*inode]uint32{}}
	err := f(a)
	a.files.close()
	if err == nil {
		err = a.out.Close()
	}
	if err == nil {
		err = buffered.Flush()
	}
	return a.stats, err
}

// Diff implements driver.Snapshots. It writes what the writable layer has, and asks what lies below just to leave out opaque marks
// that hide nothing. The root has an entry only if its mode or owner changed.
func (s *Snapshots) Diff(ctx context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	u, err := s.view(key)
	if err != nil {
		return driver.DiffStats{}, fmt.Errorf("write changes of %s: %w", key, err)
	}
	root := u.frozen()
	stats, err := archiveTo(ctx, w, func(a *archiver) error {
		if err := a.rootEntry(root, u.lower); err != nil {
			return err
		}
		if err := a.changes(u, ".", root); err != nil {
			return err
		}
		u.learn(a.sums)
		return nil
	})
	if err != nil {
		return stats, fmt.Errorf("write changes of %s: %w", key, err)
	}
	return stats, nil
}

// learn keeps checksums for a commit that may follow, so that nothing has to be read again.
func (u *Union) learn(sums map[*inode]uint32) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.journal != nil {
		return
	}
	for i, sum := range sums {
		i.sum, i.summed = sum, true
	}
}

// frozen is the tree of the writable layer as it is now. What was read from disk does not change and is given as it is.
func (u *Union) frozen() *node {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if u.journal == nil {
		return u.root
	}
	inodes := map[*inode]*inode{}
	return u.root.frozen(inodes)
}

func (n *node) frozen(inodes map[*inode]*inode) *node {
	c := &node{opaque: n.opaque, name: n.name}
	if n.ino != nil {
		if c.ino = inodes[n.ino]; c.ino == nil {
			copied := *n.ino
			copied.xattrs = maps.Clone(n.ino.xattrs)
			c.ino = &copied
			inodes[n.ino] = c.ino
		}
	}
	for name, kid := range n.kids {
		c.put(name, kid.frozen(inodes))
	}
	return c
}

func (a *archiver) rootEntry(root, below *node) error {
	mode, uid, gid := uint32(0o755), 0, 0
	if below != nil {
		mode, uid, gid = below.ino.mode, below.ino.uid, below.ino.gid
	}
	i := root.ino
	if i.mode == mode && i.uid == uid && i.gid == gid {
		return nil
	}
	e, _ := entryOf(".", i)
	return a.write(e, nil)
}

// changes writes what is in the folder n of the writable layer.
func (a *archiver) changes(u *Union, dir string, n *node) error {
	for _, name := range n.sorted() {
		p, kid := join(dir, name), n.kids[name]
		if err := a.check(p); err != nil {
			return err
		}
		if kid.isWhiteout() {
			a.stats.Whiteouts++
			if err := a.out.Whiteout(p); err != nil {
				return err
			}
			continue
		}
		if err := a.entry(p, kid.ino, func() (*os.File, error) { return a.files.open(u.filesDir(), kid.ino) }); err != nil {
			return err
		}
		if !kid.isDir() {
			continue
		}
		if kid.opaque && u.lower.walk(p).isDir() {
			if err := a.out.Opaque(p); err != nil {
				return err
			}
		}
		if err := a.changes(u, p, kid); err != nil {
			return err
		}
	}
	return nil
}

// whole writes what the folder p of the union shows.
func (a *archiver) whole(u *Union, dir *place) error {
	for _, d := range u.list(dir) {
		at := u.step(dir, d.Name)
		if err := a.check(at.path); err != nil {
			return err
		}
		open := func() (*os.File, error) { return a.files.open(u.filesDir(), at.up.ino) }
		if at.up == nil {
			open = func() (*os.File, error) { return a.files.open(at.low.layer.files, at.low.ino) }
		}
		if err := a.entry(at.path, at.inode(), open); err != nil {
			return err
		}
		if at.isDir() {
			if err := a.whole(u, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *archiver) check(p string) error {
	if len(p) > maxPath {
		return fmt.Errorf("path %.60q... is longer than %d bytes, which no archive can hold", p, maxPath)
	}
	return a.ctx.Err()
}

// entry writes one name. open gives the content of a file.
func (a *archiver) entry(p string, i *inode, open func() (*os.File, error)) error {
	e, ok := entryOf(p, i)
	if !ok {
		return nil // sockets live and die with their process
	}
	if i.kind != fsys.Dir && i.links > 1 {
		if first, ok := a.links[i]; ok {
			e.Kind, e.Link, e.Size, e.Xattrs = layer.HardLink, first, 0, nil
			return a.write(e, nil)
		}
		a.links[i] = p
	}
	if i.kind != fsys.File {
		return a.write(e, nil)
	}
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("content of %q is missing, or went away while it was read: %w", p, err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if err := a.write(e, io.TeeReader(io.LimitReader(f, e.Size), sum)); err != nil { // what is appended meanwhile is left for the next time
		return err
	}
	a.sums[i] = sum.Sum32()
	return nil
}

func (a *archiver) write(e layer.Entry, content io.Reader) error {
	a.stats.Files++
	if e.Kind == layer.File {
		a.stats.Bytes += e.Size
	}
	return a.out.WriteEntry(e, content)
}

// entryOf describes an inode; ok is false for what no archive holds.
func entryOf(p string, i *inode) (e layer.Entry, ok bool) {
	e = layer.Entry{Path: p, Mode: i.mode, UID: i.uid, GID: i.gid, ModTime: i.mtime, Xattrs: i.xattrs}
	switch i.kind {
	case fsys.File:
		e.Kind, e.Size = layer.File, i.size
	case fsys.Dir:
		e.Kind = layer.Dir
	case fsys.Symlink:
		e.Kind, e.Link, e.Mode = layer.Symlink, i.target, 0o777
	case fsys.CharDevice:
		e.Kind, e.Major, e.Minor = layer.Char, fsys.Major(i.rdev), fsys.Minor(i.rdev)
	case fsys.BlockDevice:
		e.Kind, e.Major, e.Minor = layer.Block, fsys.Major(i.rdev), fsys.Minor(i.rdev)
	case fsys.Pipe:
		e.Kind = layer.Fifo
	default:
		return e, false
	}
	return e, !strings.Contains(p, "\x00")
}

// Changes implements driver.Snapshots.
func (s *Snapshots) Changes(ctx context.Context, key string) ([]driver.Change, error) {
	u, err := s.view(key)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	changes, err := u.changes(ctx.Err)
	if err != nil {
		return nil, fmt.Errorf("list changes of %s: %w", key, err)
	}
	return changes, nil
}
