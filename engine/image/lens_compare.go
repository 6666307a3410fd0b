package image

import (
	"maps"
	"slices"

	"github.com/learn-containers/learn/engine/layer"
)

// Mark is what a layer did to a path, as docker diff writes it, with two that docker doesn't tell from C.
type Mark string

// The marks.
const (
	MarkAdded     Mark = "A" // nothing below has the path
	MarkChanged   Mark = "C" // another file is below: content, type, link or device differ
	MarkMetadata  Mark = "M" // only mode, owner, attributes or a file's time differ; of a file the layer holds a whole copy all the same
	MarkDeleted   Mark = "D" // what is below is out of sight
	MarkSame      Mark = "=" // the layer holds the file once more as it is below
	MarkUntouched Mark = ""  // a folder on the way, or something that the layer doesn't speak of
)

// touch is what a layer did to one path, from the tree of the layer and the tree of those below it.
type touch struct {
	path  string
	mark  Mark
	how   string // of MarkDeleted: hidDeleted (a whiteout of its own or of a folder above), hidHidden (opaque) or hidReplaced
	by    string // the path whose entry did that
	now   *inode // nil for a deleted path, and for a root without an entry
	was   *inode
	white bool // the archive has a whiteout for this very path
	opaq  bool // the archive says that the folder is opaque
}

// hidReplaced: a file took the place of the folder.
const hidReplaced = "replaced"

// toucher walks the tree of a layer and that of those below it side by side.
type toucher struct {
	all   bool // visit also what the layer doesn't speak of
	visit func(t touch)
	pair  func(a, b *inode) bool // whether the contents of two files of one size are the same
}

// hidden says why what is below is out of sight: the zero value is that it isn't.
type hidden struct{ how, by string }

// walk visits the path p and what is in it, by name. up is what the layer says about p, and low what those below have, nil for nothing.
func (w *toucher) walk(p string, up, low *node, hid hidden) {
	t, ok := w.at(p, up, low, hid)
	if !ok || up == nil && hid.how == "" && !w.all {
		return
	}
	w.visit(t)
	hid = inside(p, up, low, hid)
	for _, name := range namesIn(up, low, w.all || hid.how != "") {
		w.walk(join(p, name), up.kid(name), low.kid(name), hid)
	}
}

// at is what the layer did to p alone; ok is false where there neither is nor was anything.
func (w *toucher) at(p string, up, low *node, hid hidden) (t touch, ok bool) {
	t.path = p
	if low != nil && !low.white {
		t.was = low.ino
	} else {
		low = nil
	}
	switch {
	case up == nil && low == nil:
		return t, false
	case up == nil && hid.how == "":
		t.now = low.ino
	case up == nil:
		t.mark, t.how, t.by = MarkDeleted, hid.how, hid.by
	case up.white:
		t.mark, t.how, t.by, t.white = MarkDeleted, hidDeleted, p, true
	default:
		t.now, t.opaq = up.ino, up.isDir() && up.opaque && low.isDir()
		t.mark = w.markOf(up, low)
	}
	return t, true
}

// inside says how the layer hides what is in the folder p below.
func inside(p string, up, low *node, hid hidden) hidden {
	switch {
	case hid.how != "" || up == nil || !low.isDir():
		return hid
	case up.white:
		return hidden{hidDeleted, p}
	case !up.isDir():
		return hidden{hidReplaced, p}
	case up.opaque:
		return hidden{hidHidden, p}
	}
	return hid
}

// namesIn are the names in the folder a and, if both, in b, in order.
func namesIn(a, b *node, both bool) []string {
	var names []string
	if a.isDir() {
		names = slices.AppendSeq(make([]string, 0, len(a.kids)), maps.Keys(a.kids))
	}
	if both && b.isDir() {
		for name, kid := range b.kids {
			if !kid.white && a.kid(name) == nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func (w *toucher) markOf(up, low *node) Mark {
	now := up.ino
	switch {
	case now == nil || now.src == nil: // no entry describes it
		if low == nil && now != nil {
			return MarkAdded
		}
		return MarkUntouched
	case low == nil || low.ino == nil:
		return MarkAdded
	case now.kind != low.ino.kind:
		return MarkChanged
	case now.kind == layer.Dir:
		if sameOwner(now, low.ino) {
			return MarkUntouched
		}
		return MarkMetadata
	case now.link != low.ino.link || now.major != low.ino.major || now.minor != low.ino.minor || now.size != low.ino.size || now.size > 0 && !w.pair(now, low.ino):
		return MarkChanged
	case !sameOwner(now, low.ino) || !now.mtime.Equal(low.ino.mtime):
		return MarkMetadata
	}
	return MarkSame
}

// sameOwner: the metadata that decides who may do what is the same. The time of a folder changes with what is in it.
func sameOwner(a, b *inode) bool {
	return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid && slices.Equal(a.xattrs, b.xattrs)
}
