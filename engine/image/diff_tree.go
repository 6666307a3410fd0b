package image

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/layer"
)

// inode is a file as one entry of an archive made it, whatever names it has.
type inode struct {
	kind         layer.Kind // File, Dir, Symlink, Char, Block or Fifo
	mode         uint32     // 0 for a symbolic link: Linux gives it none
	uid, gid     int
	size         int64 // of a file's content
	mtime        time.Time
	link         string // a symbolic link's text
	major, minor uint32
	xattrs       []xattr

	src   *source  // the layer it is in; nil for a folder that no entry describes
	seq   int      // number of its entry in src
	names []string // the paths that it got in src, if it got several
	count int      // how many names it has that no layer above hides
}

// xattr is an extended attribute. Of a long value only the digest is kept, so that an archive can't fill the memory.
type xattr struct {
	name, value string
	long        bool // value is a digest
}

const longXattr = 128

func xattrsOf(m map[string]string) []xattr {
	if len(m) == 0 {
		return nil
	}
	list := make([]xattr, 0, len(m))
	for name, value := range m {
		x := xattr{name: name, value: value}
		if x.long = len(value) > longXattr; x.long {
			sum := sha256.Sum256([]byte(value))
			x.value = "sha256:" + hex.EncodeToString(sum[:])
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b xattr) int { return cmp.Compare(a.name, b.name) })
	return list
}

// node is a name of a tree. The tree is what some layers say about those below them: it may delete names, and folders hide
// what is below or let it through.
type node struct {
	ino    *inode // nil for a root that has the metadata of the one below
	white  bool   // the name is deleted in the layers below
	opaque bool   // a folder that shows nothing of the layers below
	kids   map[string]*node
}

func (n *node) isDir() bool {
	return n != nil && !n.white && (n.ino == nil || n.ino.kind == layer.Dir)
}

// kid is what the folder n says about name; nil for nothing, and for what is no folder.
func (n *node) kid(name string) *node {
	if !n.isDir() {
		return nil
	}
	return n.kids[name]
}

func (n *node) put(name string, kid *node) {
	if n.kids == nil {
		n.kids = make(map[string]*node)
	}
	n.kids[name] = kid
}

// walk finds the path p below n; nil if the tree doesn't say anything about it.
func (n *node) walk(p string) *node {
	for rest := p; rest != "" && rest != "." && n != nil; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		n = n.kid(part)
	}
	return n
}

// each calls visit for n and what is in it, with the paths.
func (n *node) each(p string, visit func(p string, n *node)) {
	visit(p, n)
	for name, kid := range n.kids {
		kid.each(join(p, name), visit)
	}
}

// join puts a name behind a clean relative path.
func join(dir, name string) string {
	if dir == "." {
		return name
	}
	return dir + "/" + name
}

// base is the tree of the layers that two images share, or that nobody asks about. It is read when somebody needs it.
type base struct {
	read func() (*node, error)
	root *node
	err  error
}

func (b *base) tree() (*node, error) {
	if b.root == nil && b.err == nil {
		b.root, b.err = b.read()
	}
	return b.root, b.err
}

// at is what the base has at p; nil for nothing.
func (b *base) at(p string) (*node, error) {
	root, err := b.tree()
	if err != nil {
		return nil, err
	}
	n := root.walk(p)
	if n != nil && n.white {
		return nil, nil
	}
	return n, nil
}

// view is the tree of an image: what its upper layers say about a base.
type view struct {
	top  *node // nil if there are none
	base *base
}

// at is what the image has at p, which is not the root and leads over no link; nil for nothing.
func (v *view) at(p string) (*node, error) {
	n, cut := v.top, v.top != nil && v.top.opaque
	for rest := p; rest != "" && n != nil; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if !n.isDir() {
			return nil, nil
		}
		if n = n.kids[part]; n != nil {
			cut = cut || n.opaque
		}
	}
	switch {
	case n == nil && !cut:
		return v.base.at(p)
	case n == nil || n.white:
		return nil, nil
	}
	return n, nil
}

// how a layer hides a file of another.
const (
	hidOverwritten = "overwritten"
	hidDeleted     = "deleted"
	hidHidden      = "hidden"
)

// merger puts the tree of a layer on the tree of those below it.
type merger struct {
	// lost, if set, is told of every name that is seen no more: the path that hid it (its own, or a folder's), and how.
	lost func(ino *inode, p, by, how string)
}

// merge gives what up and low say together. It changes both.
func (m merger) merge(up, low *node, p string) *node {
	switch {
	case low == nil:
		return up
	case up.white:
		m.lose(low, p, p, hidDeleted)
		return up
	case !up.isDir():
		m.cover(low, p)
		return up
	case !low.isDir():
		m.cover(low, p)
		up.opaque = true
		return up
	case up.opaque:
		m.loseUnder(up, low, p, p)
		if up.ino == nil {
			up.ino = low.ino
		}
		return up
	}
	for name, kid := range up.kids {
		low.put(name, m.merge(kid, low.kids[name], join(p, name)))
	}
	if up.ino != nil {
		low.ino = up.ino
	}
	return low
}

// cover loses what something of another kind, or another file, takes the place of.
func (m merger) cover(low *node, p string) {
	how := hidOverwritten
	if low.isDir() {
		how = hidHidden
	}
	m.lose(low, p, p, how)
}

// loseUnder loses what the folder low has, because the folder up on it is opaque.
func (m merger) loseUnder(up, low *node, p, by string) {
	if m.lost == nil {
		return
	}
	for name, kid := range low.kids {
		at := join(p, name)
		switch again := up.kid(name); {
		case again == nil || again.white:
			m.lose(kid, at, by, hidHidden)
		case again.isDir() && kid.isDir():
			m.loseUnder(again, kid, at, by)
		default:
			m.cover(kid, at)
		}
	}
}

func (m merger) lose(n *node, p, by, how string) {
	if m.lost == nil {
		return
	}
	n.each(p, func(p string, n *node) {
		if n.ino != nil {
			m.lost(n.ino, p, by, how)
		}
	})
}
