//go:build linux

package cow

import (
	"strings"
	"time"
)

// reconcile compares what was reported with what is there, and reports the rest.
func (w *Watcher) reconcile() error {
	err := Scan(w.cfg.Upper, w.stack, func(c Change) error {
		w.reconcileOne(c)
		return nil
	})
	if err != nil {
		return err
	}
	w.dropUnseen(w.root)
	return nil
}

func (w *Watcher) reconcileOne(c Change) {
	if c.Implied {
		return // the opaque folder says it
	}
	want := wanted(c)
	n := w.find(c.Path, want != unknown)
	if n == nil {
		return
	}
	n.seen = true
	switch {
	case n.kind == want:
		if want == created && !isDir(&c.Stat) || want == copied {
			w.written(n)
		}
	case want == hidden:
		w.hide(n.parent, n.name, c.Path)
	case want == unknown:
		n.kind = unknown
	default:
		if n.kind == unknown {
			n.copied = true
		}
		w.report(n, c.Path, want, &c.Stat)
	}
}

// wanted is the report that a change needs; unknown for a folder that is merely there.
func wanted(c Change) kind {
	switch {
	case c.Kind == 'C' && isDir(&c.Stat) && c.Opaque:
		return opaque
	case c.Kind == 'C' && isDir(&c.Stat):
		return unknown
	}
	return kind(c.Kind)
}

// find returns the node of p, made if it has to be.
func (w *Watcher) find(p string, make bool) *node {
	n := w.root
	for rest := p; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		next := n.kids[part]
		if next == nil && !make {
			return nil
		}
		n = n.child(part)
	}
	return n
}

// dropUnseen reports as removed what was reported and is there no more.
func (w *Watcher) dropUnseen(n *node) {
	for _, c := range n.sorted() {
		w.dropUnseen(c)
		if !c.seen && c.kind != unknown {
			w.removed(c)
		}
		c.seen = false
	}
}

// rescan makes up for events that the kernel had to drop: new folders are watched and everything is compared.
func (w *Watcher) rescan() {
	w.addTree(w.root)
	w.flush(time.Time{})
	_ = w.reconcile() // Close does it again and tells the error
}

// adopt takes everything in upper as reported by an earlier watch.
func (w *Watcher) adopt() {
	for _, n := range w.pending {
		n.waits = false
	}
	w.pending = nil
	_ = Scan(w.cfg.Upper, w.stack, func(c Change) error {
		if want := wanted(c); want != unknown && !c.Implied {
			n := w.find(c.Path, true)
			n.kind, n.size, n.mtime = want, c.Stat.Size, c.Stat.Mtim.Nano()
		}
		return nil
	})
}
