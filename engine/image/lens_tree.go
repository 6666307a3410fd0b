package image

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/layer"
)

// LensFile is a file as one layer holds it.
type LensFile struct {
	Layer   int        `json:"layer"`                // that holds it; 0 for a folder that no entry describes
	Type    string     `json:"type"`                 // file, dir, symlink, char, block or fifo
	Size    int64      `json:"size_bytes,omitempty"` // of a file's content
	Mode    string     `json:"mode,omitempty"`       // octal; none for a symbolic link
	UID     int        `json:"uid"`
	GID     int        `json:"gid"`
	Link    string     `json:"link,omitempty"`   // text of a symbolic link
	Device  string     `json:"device,omitempty"` // "1:3"
	ModTime *time.Time `json:"mtime,omitempty"`
	Names   []string   `json:"names,omitempty"`  // of a file with hard links in its layer, all of them
	Xattrs  []string   `json:"xattrs,omitempty"` // NAME=VALUE, quoted; of a long value its digest
}

func fileOf(i *inode) *LensFile {
	if i == nil {
		return nil
	}
	f := &LensFile{Type: i.kind.String(), Size: i.size, UID: i.uid, GID: i.gid, Link: i.link}
	if i.src != nil {
		f.Layer = i.src.index + 1
		when := i.mtime.UTC()
		f.ModTime = &when
	}
	if i.kind != layer.Symlink {
		f.Mode = fmt.Sprintf("%04o", i.mode)
	}
	if i.kind == layer.Char || i.kind == layer.Block {
		f.Device = fmt.Sprintf("%d:%d", i.major, i.minor)
	}
	for _, name := range i.names {
		f.Names = append(f.Names, absolute(name))
	}
	for _, x := range i.xattrs {
		f.Xattrs = append(f.Xattrs, x.name+"="+x.text())
	}
	return f
}

// LensChange is what a layer did to one path.
type LensChange struct {
	Path   string    `json:"path"`
	Mark   Mark      `json:"mark"`             // A, C, M, D, = or empty for a folder that is only on the way
	How    string    `json:"how,omitempty"`    // of D: "deleted" by a whiteout, "hidden" by an opaque folder, "replaced" by a file
	By     string    `json:"by,omitempty"`     // of D: the path whose entry did it, which may be a folder above
	Opaque bool      `json:"opaque,omitempty"` // the folder hides all that the layers below have in it
	File   *LensFile `json:"file,omitempty"`
	Before *LensFile `json:"before,omitempty"`
}

func changeOf(t touch) LensChange {
	c := LensChange{Path: absolute(t.path), Mark: t.mark, How: t.how, Opaque: t.opaq, File: fileOf(t.now)}
	if t.mark != MarkAdded && t.mark != MarkUntouched {
		c.Before = fileOf(t.was)
	}
	if t.mark == MarkDeleted {
		c.By = absolute(t.by)
	}
	return c
}

// Each calls visit for every path of layer n, which counts from 1, in the order of the tree: a folder before what is in it. With union it is
// every path that a container of the lowest n layers sees, and those that layer n takes away.
func (l *Lens) Each(ctx context.Context, n int, union bool, visit func(c LensChange)) error {
	c := &contents{}
	return l.stack(ctx, n, nil, func(src *source, up, low *node) error {
		if src.index == n-1 {
			(&toucher{all: union, visit: func(t touch) { visit(changeOf(t)) }, pair: c.pair}).walk(".", up, low, hidden{})
		}
		return nil
	})
}

// LensNode is a path with what is in it.
type LensNode struct {
	LensChange
	Kids []*LensNode
	Sum  int64 // bytes of the files at and below it; a deleted file's count as they were
	Busy bool  // something at or below it has a mark
}

// Tree is what Each visits, as a tree.
func (l *Lens) Tree(ctx context.Context, n int, union bool) (*LensNode, error) {
	var open []*LensNode // the folders of the path visited last
	var root *LensNode
	err := l.Each(ctx, n, union, func(c LensChange) {
		node := &LensNode{LensChange: c}
		if root == nil {
			root, open = node, []*LensNode{node}
			return
		}
		for len(open) > 1 && open[len(open)-1].Path != path.Dir(c.Path) {
			open = open[:len(open)-1]
		}
		up := open[len(open)-1]
		up.Kids = append(up.Kids, node)
		open = append(open, node)
	})
	if err == nil && root != nil {
		root.sum(map[string]bool{})
	}
	return root, err
}

// sum fills in Sum and Busy. A file with several names counts once.
func (n *LensNode) sum(seen map[string]bool) {
	n.Busy = n.Mark != MarkUntouched
	if f := n.shown(); f != nil {
		n.Sum = f.Size
		if len(f.Names) > 1 {
			key := fmt.Sprint(f.Layer, f.Names[0])
			if seen[key] {
				n.Sum = 0
			}
			seen[key] = true
		}
	}
	for _, kid := range n.Kids {
		kid.sum(seen)
		n.Sum += kid.Sum
		n.Busy = n.Busy || kid.Busy
	}
}

// shown is the file, or what it was.
func (n *LensNode) shown() *LensFile {
	if n.File != nil {
		return n.File
	}
	return n.Before
}

// SortBySize orders what is in each folder by size, the largest first.
func (n *LensNode) SortBySize() {
	slices.SortStableFunc(n.Kids, func(a, b *LensNode) int { return cmp.Compare(b.Sum, a.Sum) })
	for _, kid := range n.Kids {
		kid.SortBySize()
	}
}
