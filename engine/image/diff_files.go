package image

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
)

// comparer walks two views of one base side by side.
type comparer struct {
	a, b    *view
	diff    *Diff
	pending []pending
	linked  map[linkKey]string
}

// linkKey is a file with several names as one view shows it.
type linkKey struct {
	v *view
	i *inode
}

// pending is a file whose sizes are equal: whether its contents are, nobody knows yet.
type pending struct {
	file DiffFile
	a, b *inode
}

// spot is a path of a view while it is walked.
type spot struct {
	n   *node // what the layers of its own say; nil for nothing
	cut bool  // they hide what the base has here
}

// hides reports whether the base's files in the folder at the spot are out of sight.
func (s spot) hides() bool { return s.cut || s.n != nil && (s.n.opaque || !s.n.isDir()) }

func (s spot) kid(name string) spot { return spot{s.n.kid(name), s.hides()} }

// seen is what the view shows at a spot; nil for nothing.
func (v *view) seen(p string, s spot) (*inode, error) {
	switch {
	case s.n != nil && s.n.white:
		return nil, nil
	case s.n != nil && s.n.ino != nil:
		return s.n.ino, nil
	case s.cut:
		return nil, nil
	}
	n, err := v.base.at(p) // the root of the own layers may say nothing about itself
	if n == nil {
		return nil, err
	}
	return n.ino, err
}

// walk compares what is at p and below. Where neither image has said anything nothing can differ, so the base isn't looked at.
func (c *comparer) walk(p string, a, b spot) error {
	if a.n == nil && b.n == nil && a.cut == b.cut {
		return nil
	}
	if !(p == "." && silent(a.n) && silent(b.n)) {
		ia, err := c.a.seen(p, a)
		if err != nil {
			return err
		}
		ib, err := c.b.seen(p, b)
		if err != nil || ia == nil && ib == nil {
			return err
		}
		c.file(p, ia, ib)
	}
	names, err := c.names(p, a, b)
	if err != nil {
		return err
	}
	for name := range names {
		if err := c.walk(join(p, name), a.kid(name), b.kid(name)); err != nil {
			return err
		}
	}
	return nil
}

// silent: the root has the metadata of the one in the base.
func silent(n *node) bool { return n == nil || n.ino == nil }

// names are those in the folder p at which the images may differ.
func (c *comparer) names(p string, a, b spot) (map[string]bool, error) {
	names := map[string]bool{}
	for _, n := range []*node{a.n, b.n} {
		if n.isDir() {
			for name := range n.kids {
				names[name] = true
			}
		}
	}
	if a.hides() == b.hides() {
		return names, nil
	}
	n, err := c.a.base.at(p)
	if err != nil || !n.isDir() {
		return names, err
	}
	for name := range n.kids {
		names[name] = true
	}
	return names, nil
}

func (c *comparer) file(p string, a, b *inode) {
	f := DiffFile{Path: absolute(p), Kind: DiffChanged}
	switch {
	case a == b:
		return
	case a == nil:
		f.Kind = DiffAdded
		f.describe(b)
		c.diff.Files = append(c.diff.Files, f)
		return
	case b == nil:
		f.Kind = DiffDeleted
		f.describe(a)
		c.diff.Files = append(c.diff.Files, f)
		return
	}
	f.describe(b)
	f.Changes = c.changes(a, b)
	if !a.mtime.Equal(b.mtime) {
		c.diff.FileTimes = append(c.diff.FileTimes, DiffMoment{f.Path, a.mtime.UTC(), b.mtime.UTC()})
	}
	switch {
	case a.kind == layer.File && b.kind == layer.File && a.size == b.size && a.size > 0 && !sameEntry(a, b):
		want(a)
		want(b)
		c.pending = append(c.pending, pending{f, a, b})
	case len(f.Changes) > 0:
		c.diff.Files = append(c.diff.Files, f)
	}
}

func (f *DiffFile) describe(i *inode) { f.Type, f.Size = i.kind.String(), i.size }

func sameEntry(a, b *inode) bool { return a.src == b.src && a.seq == b.seq }

func absolute(p string) string {
	if p == "." {
		return "/"
	}
	return "/" + p
}

// comparePaths orders a folder before what is in it, and that before the folder's neighbours.
func comparePaths(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

// changes are the properties that differ, as far as they are known without contents.
func (c *comparer) changes(a, b *inode) []DiffChange {
	var list []DiffChange
	add := func(what, x, y string) {
		if x != y {
			list = append(list, DiffChange{what, x, y})
		}
	}
	add("type", a.kind.String(), b.kind.String())
	if a.kind == b.kind {
		add("size", fmt.Sprint(a.size), fmt.Sprint(b.size))
		add("target", a.link, b.link)
		add("device", fmt.Sprintf("%d:%d", a.major, a.minor), fmt.Sprintf("%d:%d", b.major, b.minor))
	}
	if a.kind != layer.Symlink && b.kind != layer.Symlink {
		add("mode", fmt.Sprintf("%04o", a.mode), fmt.Sprintf("%04o", b.mode))
	}
	add("owner", fmt.Sprintf("%d:%d", a.uid, a.gid), fmt.Sprintf("%d:%d", b.uid, b.gid))
	if a.kind == b.kind && !sameEntry(a, b) {
		add("links", c.links(c.a, a), c.links(c.b, b))
	}
	return append(list, xattrChanges(a.xattrs, b.xattrs)...)
}

const maxLinkNames = 8 // shown

// links are the names that a view shows of a file with several, sorted; of many, the first and a digest of all. It is empty
// for a file that has one name.
func (c *comparer) links(v *view, i *inode) string {
	if len(i.names) < 2 {
		return ""
	}
	key := linkKey{v, i}
	text, known := c.linked[key]
	if !known {
		text = linkText(v.namesOf(i))
		if c.linked == nil {
			c.linked = map[linkKey]string{}
		}
		c.linked[key] = text
	}
	return text
}

// namesOf are i's names that v shows, sorted.
func (v *view) namesOf(i *inode) []string {
	var names []string
	for _, p := range i.names {
		if n, err := v.at(p); err == nil && n != nil && n.ino == i {
			names = append(names, absolute(p))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func linkText(names []string) string {
	switch {
	case len(names) < 2:
		return ""
	case len(names) <= maxLinkNames:
		return strings.Join(names, " ")
	}
	all := oci.Sum([]byte(strings.Join(names, "\x00")))
	return fmt.Sprintf("%s ... (%d names, %s)", strings.Join(names[:maxLinkNames], " "), len(names), oci.ShortID(all))
}

// xattrChanges compares two sorted lists of attributes.
func xattrChanges(a, b []xattr) []DiffChange {
	var list []DiffChange
	for len(a)+len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].name < b[0].name:
			list = append(list, DiffChange{"xattr " + a[0].name, a[0].text(), ""})
			a = a[1:]
		case len(a) == 0 || b[0].name < a[0].name:
			list = append(list, DiffChange{"xattr " + b[0].name, "", b[0].text()})
			b = b[1:]
		default:
			if a[0] != b[0] {
				list = append(list, DiffChange{"xattr " + a[0].name, a[0].text(), b[0].text()})
			}
			a, b = a[1:], b[1:]
		}
	}
	return list
}

// text is the value in quotes, or its digest.
func (x xattr) text() string {
	if x.long {
		return x.value
	}
	return fmt.Sprintf("%q", x.value)
}

// finish decides about the files whose contents had to be read.
func (c *comparer) finish() {
	for _, p := range c.pending {
		if !sameBytes(p.a, p.b) {
			content := DiffChange{"content", digestText(p.a), digestText(p.b)}
			p.file.Changes = slices.Insert(p.file.Changes, 0, content)
		}
		if len(p.file.Changes) > 0 {
			c.diff.Files = append(c.diff.Files, p.file)
		}
	}
	c.pending = nil
}

func digestText(i *inode) string {
	sum := i.src.sums[i.seq]
	return "sha256:" + hex.EncodeToString(sum[:])
}
