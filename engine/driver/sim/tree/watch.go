package tree

import (
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/trace"
)

// Report receives copy-on-write events, one call at a time, with exactly the attributes that vocab declares.
type Report func(kind string, attrs ...trace.Attr)

type event struct {
	to    Report
	kind  string
	attrs []trace.Attr
}

const (
	settle  = 20 * time.Millisecond // of the machine's time, after metadata changed or where no close will be seen
	maxWait = time.Second           // for the close of a file that is being written
)

// watcher tells what copy-on-write does in the writable layer of a Union. It is told of each change as a file system's notifications
// would tell it, and asks the tree what the change means, by the same rules as the watcher of a real overlay mount: so both give the
// same events. All methods need the union's lock, and do nothing on a nil watcher.
//
// Invariant: after finish, folding the reported events gives the same paths and kinds as the tree itself.
type watcher struct {
	u       *Union
	report  Report
	mute    bool
	root    *watched
	pending []*watched // reports that wait, in order of appearance
}

func newWatcher(u *Union, r Report) *watcher { return &watcher{u: u, report: r, root: &watched{}} }

// start takes in what the writable layer has already. known says that it was reported by an earlier watch; otherwise it is reported.
func (w *watcher) start(known bool) {
	w.mute = known
	w.addTree(w.root)
	if known {
		w.adopt()
	}
	w.mute = false
}

// adopt takes everything in the writable layer as reported.
func (w *watcher) adopt() {
	for _, n := range w.pending {
		n.waits = false
	}
	w.pending = nil
	_ = w.u.scan(func(c change) error {
		if want := wanted(c); want != nothing && !c.implied {
			n := w.root.find(c.path, true)
			n.kind = want
			if c.up.ino != nil {
				n.remember(c.up.ino)
			}
		}
		return nil
	})
}

// upper is what the writable layer has at a path.
func (w *watcher) upper(p string) *node { return w.u.root.walk(p) }

// appeared: something came to be at p; moved tells that it was made elsewhere and moved there, as what the kernel copies up is not.
func (w *watcher) appeared(p string, moved bool) {
	if w == nil {
		return
	}
	dir, base := split(p)
	w.look(w.root.find(dir, true), base, moved)
}

// disappeared: nothing is at p any more.
func (w *watcher) disappeared(p string) {
	if w == nil {
		return
	}
	if n := w.root.find(p, false); n != nil {
		w.vanished(n)
	}
}

// movedAway: what was at p went to another name, and if it is a folder, everything known of it with it.
func (w *watcher) movedAway(p string, folder bool) {
	if w == nil {
		return
	}
	if n := w.root.find(p, false); n != nil && folder {
		w.removeBelow(n)
	}
	w.appeared(p, false)
}

// touched: metadata changed. A report that waits for a close may come sooner: chmod and the like close nothing.
func (w *watcher) touched(p string) {
	if w == nil || p == "." {
		return
	}
	n := w.root.find(p, false)
	if n == nil {
		w.appeared(p, false)
		n = w.root.find(p, false)
	}
	if n != nil && n.waits {
		n.due = w.u.now().Add(settle)
	}
}

// closed: a writer closed the file.
func (w *watcher) closed(p string) {
	if w == nil {
		return
	}
	n := w.root.find(p, false)
	switch {
	case n == nil:
		w.appeared(p, false)
		if n = w.root.find(p, false); n != nil && n.waits {
			w.settleNow(n)
		}
	case n.waits:
		w.settleNow(n)
	case n.kind == created || n.kind == copied:
		w.written(n)
	}
}

// look finds out what is at a name now and arranges its report.
func (w *watcher) look(dir *watched, name string, moved bool) {
	p := join(dir.path(), name)
	switch up := w.upper(p); {
	case up == nil:
		if n := dir.kids[name]; n != nil {
			w.vanished(n)
		}
	case up.isWhiteout():
		w.hide(dir.child(name), p)
	case up.isDir():
		w.lookFolder(dir.child(name), p, up)
	default:
		w.lookFile(dir, name, up, moved)
	}
}

func (w *watcher) lookFile(dir *watched, name string, up *node, moved bool) {
	n := dir.kids[name]
	if n != nil && (n.waits || n.kind == created || n.kind == copied) {
		if moved && n.kind != nothing && !n.waits {
			w.written(n) // another file took its place
		}
		return
	}
	n = dir.child(name)
	n.forget()
	// What was hidden before, or took a name by a rename, is a new file and not a copy of the lower one.
	n.copied = n.kind != hidden && (!moved || up.ino.origin != 0)
	wait := settle
	if up.ino.kind == fsys.File && up.ino.links == 1 && !moved {
		wait = maxWait // for the close
	}
	w.delay(n, wait)
}

func (w *watcher) lookFolder(n *watched, p string, up *node) {
	below := w.u.lower.walk(p)
	hides := below != nil && (!below.isDir() || up.opaque)
	switch {
	case below == nil && n.kind != created:
		w.above(n)
		w.tell(n, p, created, up)
	case hides && n.kind != opaque:
		w.delay(n, settle)
	case below != nil && !hides && n.kind != nothing:
		n.kind = nothing
	}
	w.addTree(n)
}

// addTree looks at everything in the folder n.
func (w *watcher) addTree(n *watched) {
	if up := w.upper(n.path()); up.isDir() {
		for _, name := range up.sorted() {
			w.look(n, name, false)
		}
	}
}

func (w *watcher) vanished(n *watched) {
	w.removeBelow(n)
	if n.kind != nothing {
		w.removed(n)
	}
	n.waits = false
	delete(n.parent.kids, n.name)
}

// removeBelow reports that everything known below n is gone.
func (w *watcher) removeBelow(n *watched) {
	for _, name := range sortedKeys(n.kids) {
		c := n.kids[name]
		w.removeBelow(c)
		if c.kind != nothing && c.kind != hidden {
			w.removed(c)
		}
		c.waits = false
	}
	n.kids = nil
}

// finish reports what is pending and what was missed.
func (w *watcher) finish() {
	if w == nil {
		return
	}
	w.flush()
	_ = w.u.scan(func(c change) error {
		w.compareOne(c)
		return nil
	})
	w.dropUnseen(w.root)
}

func (w *watcher) compareOne(c change) {
	if c.implied {
		return // the opaque folder says it
	}
	want := wanted(c)
	n := w.root.find(c.path, want != nothing)
	if n == nil {
		return
	}
	n.seen = true
	switch {
	case n.kind == want:
		if want == created && !c.up.isDir() || want == copied {
			w.written(n)
		}
	case want == hidden:
		w.hide(n, c.path)
	case want == nothing:
		n.kind = nothing
	default:
		if n.kind == nothing {
			n.copied = true
		}
		w.tell(n, c.path, want, c.up)
	}
}

// wanted is the report that a change needs; nothing for a folder that is merely there.
func wanted(c change) said {
	switch {
	case c.kind == 'C' && c.up.isDir() && c.opaque:
		return opaque
	case c.kind == 'C' && c.up.isDir():
		return nothing
	}
	return said(c.kind)
}

// dropUnseen reports as removed what was reported and is there no more.
func (w *watcher) dropUnseen(n *watched) {
	for _, name := range sortedKeys(n.kids) {
		c := n.kids[name]
		w.dropUnseen(c)
		if !c.seen && c.kind != nothing {
			w.removed(c)
		}
		c.seen = false
	}
}
