package tree

import (
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/layer"
)

// dirMeta is the metadata of a folder, kept until everything in the folder is made.
type dirMeta struct {
	path     string // in the layer, without links
	mode     uint32
	uid, gid int
	mtime    time.Time
	xattrs   map[string]string
}

func metaOf(e *layer.Entry) dirMeta {
	return dirMeta{e.Path, e.Mode, e.UID, e.GID, clampTime(e.ModTime), e.Xattrs}
}

// impliedMeta is for a folder that neither the archive nor a lower layer describes. It takes the time of the entry that
// needs it, so that unpacking gives the same tree on every day.
func impliedMeta(p string, e *layer.Entry) dirMeta {
	m := dirMeta{path: p, mode: 0o755, mtime: time.Unix(0, 0)}
	if e != nil && !e.ModTime.IsZero() {
		m.mtime = clampTime(e.ModTime)
	}
	return m
}

// metaOfInode describes a folder as the layers below have it.
func metaOfInode(p string, i *inode) dirMeta {
	return dirMeta{p, i.mode, i.uid, i.gid, i.mtime, i.xattrs}
}

// set gives a folder the metadata m.
func (m dirMeta) set(i *inode) {
	i.mode, i.uid, i.gid = m.mode, m.uid, m.gid
	i.mtime, i.ctime, i.atime = m.mtime, m.mtime, m.mtime
	i.xattrs = keptXattrs(fsys.Dir, m.xattrs)
}

// clampTime keeps times to those that ext4 can hold, so that trees are the same on every host.
func clampTime(t time.Time) time.Time {
	lowest, highest := time.Unix(-1<<31, 0), time.Unix(0x37fffffff, 0)
	switch {
	case t.Before(lowest):
		return lowest
	case t.After(highest):
		return highest
	}
	return t
}

// rootMeta gives the tree's root the metadata it has below, or that of a folder nobody described. A root entry in the
// archive comes later and wins.
func (a *applier) rootMeta(first *layer.Entry) {
	meta := impliedMeta(".", first)
	if a.below != nil {
		meta = metaOfInode(".", a.below.ino)
	}
	a.pending = append(a.pending, meta)
}

// finish sets the metadata of all folders. Said again later in the archive, the last word counts.
func (a *applier) finish() {
	done := make(map[string]bool, len(a.pending))
	for i := len(a.pending) - 1; i >= 0; i-- {
		m := a.pending[i]
		if done[m.path] {
			continue
		}
		done[m.path] = true
		if n := a.root.walk(m.path); n.isDir() { // or a later entry replaced it
			m.set(n.ino)
		}
	}
}

const maxLinks = 40 // as the kernel

// resolve finds the folder that dir leads to in this layer alone. Links, absolute ones too, stay inside.
func (a *applier) resolve(dir string) (*node, error) {
	return a.follow(dir, func(p string, n *node) (string, error) {
		switch {
		case n == nil:
			return "", syscall.ENOENT
		case n.isDir():
			return "", nil
		case n.ino != nil && n.ino.kind == fsys.Symlink:
			return n.ino.target, nil
		}
		return "", syscall.ENOTDIR
	})
}

// enter finds the folder that an entry goes into, and makes the folders that are missing, as copies of the lower layers' folders where
// there are such. Symbolic links count as the merged tree has them.
func (a *applier) enter(dir string, e *layer.Entry) (*node, error) {
	n, err := a.resolve(dir)
	if err == syscall.ENOENT || err == syscall.ENOTDIR {
		n, err = a.follow(dir, func(p string, n *node) (string, error) { return a.step(p, n, e) })
	}
	if err != nil {
		return nil, fmt.Errorf("open folder %q: %w", dir, err)
	}
	return n, nil
}

// follow walks along dir. step makes sure that its path is a folder, or returns the text of the link that is there.
func (a *applier) follow(dir string, step func(p string, n *node) (link string, err error)) (*node, error) {
	done, links := ".", 0
	for rest := dir; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		p := path.Join(done, part)
		text, err := step(p, a.root.walk(p))
		if err != nil {
			return nil, err
		}
		if text == "" {
			done = p
			continue
		}
		if links++; links > maxLinks {
			return nil, syscall.ELOOP
		}
		if strings.HasPrefix(text, "/") {
			done = "."
		}
		rest = text + "/" + rest
	}
	return a.root.walk(done), nil
}

// step makes sure that the real path p is a folder in this layer, or returns the text of the symbolic link that is there.
func (a *applier) step(p string, n *node, e *layer.Entry) (link string, err error) {
	switch {
	case n == nil:
		return a.implied(p, e), nil
	case n.isDir():
		return "", nil
	case n.isWhiteout():
		a.addFolder(impliedMeta(p, e))
		return "", nil
	case n.ino.kind == fsys.Symlink:
		return n.ino.target, nil
	}
	return "", fmt.Errorf("%q is not a folder: %w", p, syscall.ENOTDIR)
}

// implied makes the folder p for which the archive has no entry.
func (a *applier) implied(p string, e *layer.Entry) (link string) {
	dir, _ := split(p)
	if !a.hidden(dir) {
		switch below := a.below.walk(p); {
		case below == nil:
		case below.ino.kind == fsys.Symlink:
			return below.ino.target
		case below.isDir():
			a.addFolder(metaOfInode(p, below.ino))
			return ""
		}
	}
	a.addFolder(impliedMeta(p, e))
	return ""
}

func (a *applier) addFolder(m dirMeta) {
	dir, base := split(m.path)
	a.makeFolder(a.root.walk(dir), base)
	a.pending = append(a.pending, m)
}

// hidden reports whether this layer hides what the lower ones have below the real path p.
func (a *applier) hidden(p string) bool {
	for n := a.root.walk(p); n != nil && n != a.root; n = n.parent {
		if n.opaque {
			return true
		}
	}
	return false
}
