package tree

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// inode is what one or several names of a tree stand for. Those of finished layers never change.
type inode struct {
	number   uint64 // in its layer
	kind     fsys.Kind
	mode     uint32
	uid, gid int
	mtime    time.Time
	ctime    time.Time
	atime    time.Time
	size     int64
	target   string // of a symbolic link
	rdev     uint64
	xattrs   map[string]string
	stored   string // of a file: where below files its content is
	sum      uint32 // CRC-32C of the content
	summed   bool   // sum is of the present content
	links    int    // names

	// Of a writable layer only:
	origin uint64 // the inode number that a lower file showed before it was copied up; 0 if none
	dirty  bool   // the journal does not know it as it is
	writes uint64 // how often it was written to
	first  *node  // the name by which it came, under which overlayfs opens it whatever name it is asked for
	open   int    // handles
}

// copied is an inode of its own with the metadata of i.
func (i *inode) copied() *inode {
	c := *i
	c.xattrs = maps.Clone(i.xattrs)
	c.number, c.origin, c.links, c.open, c.writes = 0, 0, 0, 0, 0
	c.first, c.dirty = nil, false
	return &c
}

// node is one name of a tree.
type node struct {
	ino    *inode           // nil: a whiteout
	kids   map[string]*node // of a folder
	opaque bool             // a folder that hides what lies below
	dirs   int              // how many of kids are folders

	// Of a merged tree only:
	layer *stratum // where ino is from
	stack bool     // a folder to which several layers contribute

	// Of a writable layer only:
	parent *node // nil for the root, and for what was removed
	name   string
}

func (n *node) isDir() bool      { return n != nil && n.ino != nil && n.ino.kind == fsys.Dir }
func (n *node) isWhiteout() bool { return n != nil && n.ino == nil }

// kid is the child of that name; nil where there is none, and of what is no folder.
func (n *node) kid(name string) *node {
	if n == nil {
		return nil
	}
	return n.kids[name]
}

// put gives n the child c.
func (n *node) put(name string, c *node) {
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	n.take(name)
	c.parent, c.name = n, name
	n.kids[name] = c
	if c.isDir() {
		n.dirs++
	}
}

// take removes the child of that name.
func (n *node) take(name string) *node {
	c := n.kids[name]
	if c != nil {
		delete(n.kids, name)
		c.parent = nil
		if c.isDir() {
			n.dirs--
		}
	}
	return c
}

// path is where n, of a writable layer, is; ok is false if it was removed.
func (n *node) path(root *node) (p string, ok bool) {
	var parts []string
	for ; n != root; n = n.parent {
		if n.parent == nil {
			return "", false
		}
		parts = append(parts, n.name)
	}
	if len(parts) == 0 {
		return ".", true
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/"), true
}

// sorted lists the names of the children.
func (n *node) sorted() []string {
	return sortedKeys(n.kids)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// walk finds the name p, clean and relative, below n; nil if there is none.
func (n *node) walk(p string) *node {
	if p == "." {
		return n
	}
	for rest := p; n != nil && rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		n = n.kid(part)
	}
	return n
}

// each visits n and everything in it, folders first, in the order of names.
func (n *node) each(p string, visit func(p string, n *node) error) error {
	if err := visit(p, n); err != nil {
		return err
	}
	for _, name := range n.sorted() {
		if err := n.kids[name].each(join(p, name), visit); err != nil {
			return err
		}
	}
	return nil
}

// join appends a name to a clean relative path.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// split cuts a clean relative path, which is not the root, before its last name.
func split(p string) (dir, base string) {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i], p[i+1:]
	}
	return ".", p
}

// stratum is one layer as it lies in a stack.
type stratum struct {
	diffID string
	files  string // host folder of the contents
	base   uint64 // inode numbers of the layer begin above it
}

// merge shows the layer up, which is stratum s, on top of low, which may be nil. Both stay as they are: what only one of them has
// is shared with the result.
func merge(low, up *node, s *stratum) *node {
	switch {
	case up.isWhiteout():
		return nil
	case !up.isDir():
		return &node{ino: up.ino, layer: s}
	}
	n := &node{ino: up.ino, layer: s}
	if low.isDir() && !up.opaque {
		n.stack = true
		n.kids = maps.Clone(low.kids)
	} else {
		low = nil
	}
	if n.kids == nil && len(up.kids) > 0 {
		n.kids = make(map[string]*node, len(up.kids))
	}
	for name, c := range up.kids {
		if m := merge(low.kid(name), c, s); m != nil {
			n.kids[name] = m
		} else {
			delete(n.kids, name)
		}
	}
	for _, c := range n.kids {
		if c.isDir() {
			n.dirs++
		}
	}
	return n
}

// countLinks sets how many names each inode has.
func countLinks(root *node) {
	_ = root.each(".", func(_ string, n *node) error {
		if n.ino != nil {
			n.ino.links = 0
		}
		return nil
	})
	_ = root.each(".", func(_ string, n *node) error {
		if n.ino != nil {
			n.ino.links++
		}
		return nil
	})
}
