package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
)

// printLayer shows the tree of one layer.
func (l *lens) printLayer(ctx context.Context) error {
	n, err := l.FindLayer(l.layer)
	if err != nil {
		return err
	}
	switch {
	case l.json:
		return l.layerObject(ctx, n)
	case l.top > 0:
		return l.printLargest(ctx, n)
	}
	tree, err := l.Tree(ctx, n, l.union)
	if err != nil {
		return err
	}
	if l.sort == "size" {
		tree.SortBySize()
	}
	l.heading(n)
	for _, kid := range tree.Kids {
		l.branch(kid, "", 1)
	}
	if tree.Mark != image.MarkUntouched && tree.Mark != image.MarkAdded || tree.Opaque {
		l.line("%s %s", mark(tree.LensChange), row(tree, "/"))
	}
	return nil
}

// heading says which layer it is and what it did.
func (l *lens) heading(n int) {
	r := l.Layers[n-1]
	l.line("Layer %d of %d: %s, %s", n, len(l.Layers), l.id(string(r.DiffID)), format.Size(r.Size))
	if r.CreatedBy != "" {
		l.line("%s", l.short(r.CreatedBy, 120))
	}
	l.line("%d added, %d changed, %d with other metadata or none, %d deleted; %s of content, %s of it wasted\n", r.Added, r.Changed, r.Metadata+r.Same, r.Deleted,
		format.Size(r.Content), format.Size(r.Wasted))
	if l.union {
		l.line("All that a container of layers 1 to %d sees; the number before the name is the layer it comes from", n)
	}
	l.line("   MODE     OWNER          SIZE  PATH")
}

// branch prints a node and what is in it.
func (l *lens) branch(n *image.LensNode, indent string, depth int) {
	if l.changesOnly && !changed(n) {
		return
	}
	l.line("%s %s", mark(n.LensChange), row(n, indent+name(n, l.union)))
	if l.depth > 0 && depth == l.depth {
		if len(n.Kids) > 0 {
			l.line("%32s%s  (%s below)", "", indent, format.Count(countBelow(n), "name"))
		}
		return
	}
	for _, kid := range n.Kids {
		l.branch(kid, indent+"  ", depth+1)
	}
}

// changed reports that the layer did something at n or below it, besides holding it once more.
func changed(n *image.LensNode) bool {
	if n.Mark != image.MarkUntouched && n.Mark != image.MarkSame || n.Opaque {
		return true
	}
	return n.Busy && slices.ContainsFunc(n.Kids, changed)
}

func countBelow(n *image.LensNode) int {
	sum := len(n.Kids)
	for _, kid := range n.Kids {
		sum += countBelow(kid)
	}
	return sum
}

func name(n *image.LensNode, union bool) string {
	f := fileAt(n)
	text := format.Clean(lastPart(n.Path))
	if f != nil && f.Type == "dir" {
		text += "/"
	}
	if f != nil && f.Link != "" {
		text += " -> " + format.Clean(f.Link)
	}
	if f != nil && len(f.Names) > 1 {
		for _, other := range f.Names[:min(4, len(f.Names))] {
			if other != n.Path {
				text += " = " + format.Clean(other)
			}
		}
	}
	if union && n.File != nil && n.File.Layer > 0 {
		text = fmt.Sprintf("%d:%s", n.File.Layer, text)
	}
	return text
}

func lastPart(p string) string {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] == '/' {
			return p[i+1:]
		}
	}
	return p
}

// fileAt is the file, or what it was.
func fileAt(n *image.LensNode) *image.LensFile {
	if n.File != nil {
		return n.File
	}
	return n.Before
}

// row is one file as ls -l has it.
func row(n *image.LensNode, text string) string {
	f := fileAt(n)
	if f == nil {
		return fmt.Sprintf("%-8s %-9s %9s  %s", "-", "-", "-", text)
	}
	size := format.Size(n.Sum)
	if f.Device != "" {
		size = f.Device
	}
	return fmt.Sprintf("%s%-7s %-9s %9s  %s", letter(f.Type), f.Mode, fmt.Sprintf("%d:%d", f.UID, f.GID), size, text)
}

// letter is the type as ls writes it.
func letter(kind string) string {
	switch kind {
	case "dir":
		return "d"
	case "symlink":
		return "l"
	case "char":
		return "c"
	case "block":
		return "b"
	case "fifo":
		return "p"
	}
	return "-"
}

// printLargest lists the largest files that the layer holds, or with --union those that are seen.
func (l *lens) printLargest(ctx context.Context, n int) error {
	var list []*image.LensNode
	err := l.Each(ctx, n, l.union, func(c image.LensChange) {
		if c.File != nil && c.File.Type == "file" && !(l.changesOnly && (c.Mark == image.MarkSame || c.Mark == image.MarkUntouched)) {
			list = append(list, &image.LensNode{LensChange: c, Sum: c.File.Size})
		}
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(list, func(a, b *image.LensNode) int { return cmp.Compare(b.Sum, a.Sum) })
	l.heading(n)
	for _, f := range list[:min(l.top, len(list))] {
		l.line("%s %s", mark(f.LensChange), row(f, format.Clean(f.Path)))
	}
	return nil
}
