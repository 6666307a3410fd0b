package tree

import (
	"io"
	"os"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// delay makes a report of n wait.
func (w *watcher) delay(n *watched, wait time.Duration) {
	now := w.u.now()
	if !n.waits {
		n.waits, n.since = true, now
		w.pending = append(w.pending, n)
	}
	n.due = now.Add(wait)
}

// flushDue reports what has waited long enough, in order of appearance.
func (w *watcher) flushDue() {
	if w != nil && len(w.pending) > 0 {
		now := w.u.now()
		w.flushIf(func(n *watched) bool { return !n.due.After(now) || now.Sub(n.since) >= maxWait })
	}
}

// flush reports everything that waits.
func (w *watcher) flush() {
	if w != nil {
		w.flushIf(func(*watched) bool { return true })
	}
}

func (w *watcher) flushIf(due func(*watched) bool) {
	waiting := w.pending
	w.pending = nil
	for _, n := range waiting {
		switch {
		case !n.waits: // reported or gone
		case due(n):
			w.settleNow(n)
		default:
			w.pending = append(w.pending, n)
		}
	}
}

// above reports the folders above n first if they wait.
func (w *watcher) above(n *watched) {
	for p := n.parent; p != nil; p = p.parent {
		if p.waits {
			w.settleNow(p)
		}
	}
}

// settleNow reports n as it is now. What is gone again is reported by nobody.
func (w *watcher) settleNow(n *watched) {
	n.waits = false
	w.above(n)
	p := n.path()
	up, below := w.upper(p), w.u.lower.walk(p)
	switch {
	case up == nil:
	case up.isWhiteout():
		w.hide(n, p)
	case up.isDir():
		w.settleFolder(n, p, up, below)
	case n.kind != nothing && n.kind != hidden && n.kind != opaque:
		w.written(n)
	case below != nil:
		w.tell(n, p, copied, up)
	default:
		w.tell(n, p, created, up)
	}
}

func (w *watcher) settleFolder(n *watched, p string, up, below *node) {
	switch {
	case below == nil:
		if n.kind != created {
			w.tell(n, p, created, up)
		}
	case n.kind == opaque:
	case !below.isDir() || up.opaque:
		w.tell(n, p, opaque, up)
	}
}

// hide reports a whiteout.
func (w *watcher) hide(n *watched, p string) {
	below := w.u.lower.walk(p)
	if below == nil { // it hides nothing: as good as not there
		w.vanished(n)
		return
	}
	n.forget()
	n.waits = false
	if n.kind == hidden {
		return
	}
	w.above(n)
	n.kind = hidden
	w.emit(vocab.CowWhiteout, w.key(), at(p), trace.String("layer", below.layer.diffID))
}

// tell emits what n has become.
func (w *watcher) tell(n *watched, p string, what said, up *node) {
	n.waits = false
	was := n.kind
	n.kind = what
	n.remember(up.ino)
	switch what {
	case created:
		w.emit(vocab.CowCreate, w.key(), at(p), trace.String("type", typeOf(up.ino)), trace.Int("size_bytes", sizeOf(up.ino)))
	case opaque:
		w.emit(vocab.CowOpaque, w.key(), at(p))
	case copied:
		w.tellCopy(n, p, was, up)
	}
}

func (w *watcher) tellCopy(n *watched, p string, was said, up *node) {
	below := w.u.lower.walk(p)
	if below == nil {
		return
	}
	changed, what := w.compare(up.ino, below)
	bytes := sizeOf(below.ino)
	if !n.copied || was == hidden || was == opaque {
		bytes = 0 // a new file took the name: nothing was copied
	}
	w.emit(vocab.CowCopyUp, w.key(), at(p), trace.String("layer", below.layer.diffID), trace.Int("copied_bytes", bytes),
		trace.Int("changed_bytes", changed), trace.String("change", what))
}

// written reports that a file of the writable layer is not what it was when it was last reported.
func (w *watcher) written(n *watched) {
	p := n.path()
	up := w.upper(p)
	if up == nil || up.ino == nil || !n.differs(up.ino) {
		return
	}
	n.remember(up.ino)
	w.emit(vocab.CowWrite, w.key(), at(p), trace.Int("size_bytes", sizeOf(up.ino)))
}

func (w *watcher) removed(n *watched) {
	n.kind = nothing
	w.emit(vocab.CowRemove, w.key(), at(n.path()))
}

// emit queues an event; it goes out when the union's lock is free.
func (w *watcher) emit(kind string, attrs ...trace.Attr) {
	if !w.mute {
		w.u.queue = append(w.u.queue, event{w.report, kind, attrs})
	}
}

func (w *watcher) key() trace.Attr { return trace.String("key", w.u.key) }

func at(p string) trace.Attr { return trace.String("path", "/"+p) }

func sizeOf(i *inode) int64 {
	if i.kind == fsys.File {
		return i.size
	}
	return 0
}

func typeOf(i *inode) string {
	switch i.kind {
	case fsys.Dir:
		return "dir"
	case fsys.Symlink:
		return "symlink"
	case fsys.CharDevice, fsys.BlockDevice:
		return "device"
	case fsys.Pipe, fsys.Socket:
		return "pipe"
	}
	return "file"
}

const (
	compareBytes = 64 << 20 // of content at most
	compareChunk = 32 << 10
)

// compare counts how many bytes of a file differ from the lower one, and says what differs: content, metadata or none.
func (w *watcher) compare(up *inode, low *node) (int64, string) {
	l := low.ino
	switch {
	case up.kind != l.kind:
		return sizeOf(up), "content"
	case up.kind == fsys.File:
		if n := w.differing(up, low); n > 0 {
			return n, "content"
		}
	case up.kind == fsys.Symlink && up.target != l.target:
		return 0, "content"
	}
	if up.mode != l.mode || up.uid != l.uid || up.gid != l.gid || !up.mtime.Equal(l.mtime) || !sameNames(up.xattrs, l.xattrs) {
		return 0, "metadata"
	}
	return 0, "none"
}

func sameNames(a, b map[string]string) bool {
	for name := range a {
		if _, ok := b[name]; !ok {
			return false
		}
	}
	return len(a) == len(b)
}

// differing counts the bytes that differ; a longer or shorter end counts whole, and beyond compareBytes only the lengths.
func (w *watcher) differing(up *inode, low *node) int64 {
	n := max(up.size-low.ino.size, low.ino.size-up.size)
	a, errA := w.u.openUpper(up)
	b, errB := openLower(low)
	if errA == nil && errB == nil {
		n += countDiffering(a, b, min(up.size, low.ino.size, compareBytes))
	}
	for f, err := range map[*os.File]error{a: errA, b: errB} {
		if err == nil {
			_ = f.Close()
		}
	}
	return n
}

func countDiffering(a, b io.Reader, length int64) int64 {
	var n int64
	bufA, bufB := make([]byte, compareChunk), make([]byte, compareChunk)
	for length > 0 {
		size := min(length, compareChunk)
		gotA, _ := io.ReadFull(a, bufA[:size])
		gotB, _ := io.ReadFull(b, bufB[:size])
		got := min(gotA, gotB)
		if string(bufA[:got]) != string(bufB[:got]) {
			for i := range got {
				if bufA[i] != bufB[i] {
					n++
				}
			}
		}
		if int64(got) < size {
			return n
		}
		length -= size
	}
	return n
}
