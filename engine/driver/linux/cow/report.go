//go:build linux

package cow

import (
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// delay makes a report of n wait.
func (w *Watcher) delay(n *node, wait time.Duration) {
	now := time.Now()
	if !n.waits {
		n.waits, n.since = true, now
		w.pending = append(w.pending, n)
	}
	n.due = now.Add(wait)
}

// flush reports what is due, in order of appearance; a zero now means everything.
func (w *Watcher) flush(now time.Time) {
	if len(w.pending) == 0 {
		return
	}
	waiting := w.pending
	w.pending = nil
	for _, n := range waiting {
		switch {
		case !n.waits: // reported or gone
		case now.IsZero() || !n.due.After(now) || now.Sub(n.since) >= maxWait:
			w.settleNow(n)
		default:
			w.pending = append(w.pending, n)
		}
	}
}

// above reports the folders above n first if they wait.
func (w *Watcher) above(n *node) {
	for p := n.parent; p != nil; p = p.parent {
		if p.waits {
			w.settleNow(p)
		}
	}
}

// settleNow reports n as it is now. What is gone again is reported by nobody.
func (w *Watcher) settleNow(n *node) {
	n.waits = false
	w.above(n)
	p := n.path()
	var st unix.Stat_t
	if unix.Lstat(filepath.Join(w.cfg.Upper, p), &st) != nil {
		return // its own event is on the way
	}
	_, ok, err := w.stack.Lookup(p)
	if err != nil {
		return
	}
	switch {
	case IsWhiteout(&st):
		w.hide(n.parent, n.name, p)
	case isDir(&st):
		w.settleFolder(n, p, &st)
	case n.kind != unknown && n.kind != hidden && n.kind != opaque:
		w.written(n)
	case ok:
		w.report(n, p, copied, &st)
	default:
		w.report(n, p, created, &st)
	}
}

// settleFolder reports a folder that hides the one below, once the kernel is done exchanging it.
func (w *Watcher) settleFolder(n *node, p string, st *unix.Stat_t) {
	below, ok, err := w.stack.Lookup(p)
	switch {
	case err != nil:
	case !ok:
		if n.kind != created {
			w.report(n, p, created, st)
		}
	case n.kind == opaque:
	case !isDir(&below.Stat) || IsOpaque(filepath.Join(w.cfg.Upper, p), w.cfg.UserXattr):
		w.report(n, p, opaque, st)
	}
}

// hide reports a whiteout.
func (w *Watcher) hide(dir *node, name, p string) {
	below, ok, err := w.stack.Lookup(p)
	if err != nil {
		return
	}
	if !ok { // it hides nothing: as good as not there
		w.vanished(dir, name)
		return
	}
	n := dir.child(name)
	w.forgetBelow(n)
	n.waits = false
	if n.kind == hidden {
		return
	}
	w.above(n)
	n.kind = hidden
	w.emit(vocab.CowWhiteout, w.key(), at(p), trace.String("layer", w.layer(below)))
}

// report emits what n has become.
func (w *Watcher) report(n *node, p string, k kind, st *unix.Stat_t) {
	n.waits = false
	was := n.kind
	n.kind, n.size, n.mtime = k, st.Size, st.Mtim.Nano()
	switch k {
	case created:
		w.emit(vocab.CowCreate, w.key(), at(p), trace.String("type", typeOf(st)), trace.Int("size_bytes", sizeOf(st)))
	case opaque:
		w.emit(vocab.CowOpaque, w.key(), at(p))
	case copied:
		w.reportCopy(n, p, was, st)
	}
}

func (w *Watcher) reportCopy(n *node, p string, was kind, st *unix.Stat_t) {
	below, ok, err := w.stack.Lookup(p)
	if err != nil || !ok {
		return
	}
	d := compare(filepath.Join(w.cfg.Upper, p), st, w.stack.Path(below, p), &below.Stat)
	bytes := sizeOf(&below.Stat)
	if !n.copied || was == hidden || was == opaque {
		bytes = 0 // a new file took the name: nothing was copied
	}
	w.emit(vocab.CowCopyUp, w.key(), at(p), trace.String("layer", w.layer(below)), trace.Int("copied_bytes", bytes),
		trace.Int("changed_bytes", d.bytes), trace.String("change", d.what))
}

// written reports that a file of the upper layer is not what it was when it was last reported.
func (w *Watcher) written(n *node) {
	p := n.path()
	var st unix.Stat_t
	if unix.Lstat(filepath.Join(w.cfg.Upper, p), &st) != nil || isDir(&st) || st.Size == n.size && st.Mtim.Nano() == n.mtime {
		return
	}
	n.size, n.mtime = st.Size, st.Mtim.Nano()
	w.emit(vocab.CowWrite, w.key(), at(p), trace.Int("size_bytes", sizeOf(&st)))
}

func (w *Watcher) removed(n *node) {
	n.kind = unknown
	w.emit(vocab.CowRemove, w.key(), at(n.path()))
}

func (w *Watcher) key() trace.Attr { return trace.String("key", w.cfg.Key) }

func at(p string) trace.Attr { return trace.String("path", "/"+p) }

func (w *Watcher) layer(f Found) string {
	if f.Lower < len(w.cfg.DiffIDs) {
		return w.cfg.DiffIDs[f.Lower]
	}
	return ""
}

func sizeOf(st *unix.Stat_t) int64 {
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		return st.Size
	}
	return 0
}

func typeOf(st *unix.Stat_t) string {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "dir"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "device"
	case unix.S_IFIFO, unix.S_IFSOCK:
		return "pipe"
	}
	return "file"
}
