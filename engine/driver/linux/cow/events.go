//go:build linux

package cow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// handleAll takes apart what one read of inotify gave.
func (w *Watcher) handleAll(buf []byte) {
	for len(buf) >= unix.SizeofInotifyEvent {
		wd := int(int32(binary.NativeEndian.Uint32(buf)))
		what := binary.NativeEndian.Uint32(buf[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(buf[12:]))
		if size > len(buf) {
			return
		}
		name := string(bytes.TrimRight(buf[unix.SizeofInotifyEvent:size], "\x00"))
		buf = buf[size:]
		if what&unix.IN_Q_OVERFLOW != 0 {
			w.rescan()
			continue
		}
		dir := w.watches[wd]
		switch {
		case dir == nil:
		case what&unix.IN_IGNORED != 0:
			w.ended(wd, dir)
		default:
			w.handle(dir, what, name)
		}
	}
}

// ended: the kernel dropped a watch, because its folder is gone.
func (w *Watcher) ended(wd int, dir *node) {
	delete(w.watches, wd)
	if dir.watch == wd {
		dir.watch = 0
	}
}

func (w *Watcher) handle(dir *node, what uint32, name string) {
	switch {
	case name == "": // of the folder itself: its parent's watch tells
	case what&unix.IN_CLOSE_WRITE != 0:
		w.closed(dir, name)
	case what&unix.IN_ATTRIB != 0:
		w.touched(dir, name)
	case what&unix.IN_MOVED_FROM != 0 && what&unix.IN_ISDIR != 0:
		w.movedAway(dir, name)
	default:
		w.look(dir, name, what&unix.IN_MOVED_TO != 0)
	}
}

// look finds out what is at name now and arranges its report. moved tells that it came by a rename, as what the kernel
// copies up does not.
func (w *Watcher) look(dir *node, name string, moved bool) {
	p := path.Join(dir.path(), name)
	var st unix.Stat_t
	err := unix.Lstat(filepath.Join(w.cfg.Upper, p), &st)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		w.vanished(dir, name)
		return
	}
	if err != nil {
		return // Close looks again
	}
	switch {
	case IsWhiteout(&st):
		w.hide(dir, name, p)
	case isDir(&st):
		w.lookFolder(dir, name, p, &st)
	default:
		w.lookFile(dir, name, p, &st, moved)
	}
}

func (w *Watcher) lookFile(dir *node, name, p string, st *unix.Stat_t, moved bool) {
	n := dir.kids[name]
	if n != nil && (n.waits || n.kind == created || n.kind == copied) {
		if moved && n.kind != unknown && !n.waits {
			w.written(n) // another file took its place
		}
		return
	}
	n = dir.child(name)
	w.forgetBelow(n)
	// What was hidden before, or took a name by a rename, is a new file and not a copy of the lower one.
	n.copied = n.kind != hidden && (!moved || hasOrigin(filepath.Join(w.cfg.Upper, p), w.cfg.UserXattr))
	wait := settle
	if st.Mode&unix.S_IFMT == unix.S_IFREG && st.Nlink == 1 && !moved {
		wait = maxWait // for the close
	}
	w.delay(n, wait)
}

func (w *Watcher) lookFolder(dir *node, name, p string, st *unix.Stat_t) {
	n := dir.child(name)
	below, ok, err := w.stack.Lookup(p)
	if err != nil {
		return
	}
	hides := ok && (!isDir(&below.Stat) || IsOpaque(filepath.Join(w.cfg.Upper, p), w.cfg.UserXattr))
	switch {
	case !ok && n.kind != created:
		w.above(n)
		w.report(n, p, created, st)
	case hides && n.kind != opaque:
		w.delay(n, settle)
	case ok && !hides && n.kind != unknown:
		n.kind = unknown
	}
	if err := w.watchFolder(n); err == nil {
		w.addTree(n)
	}
}

// addTree looks at everything in the folder n, which is watched from now on: what came before the watch gave no event.
func (w *Watcher) addTree(n *node) {
	fd, err := unix.Open(path.Join(w.cfg.Upper, n.path()), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	names, err := namesOf(fd)
	unix.Close(fd)
	if err != nil {
		return
	}
	for _, name := range names {
		w.look(n, name, false)
	}
}

// closed: a writer closed the file.
func (w *Watcher) closed(dir *node, name string) {
	n := dir.kids[name]
	switch {
	case n == nil:
		w.look(dir, name, false)
		if n = dir.kids[name]; n != nil && n.waits {
			w.settleNow(n)
		}
	case n.waits:
		w.settleNow(n)
	case n.kind == created || n.kind == copied:
		w.written(n)
	}
}

// touched: metadata changed. A report that waits for a close may come sooner: chmod and the like close nothing.
func (w *Watcher) touched(dir *node, name string) {
	n := dir.kids[name]
	if n == nil {
		w.look(dir, name, false)
		n = dir.kids[name]
	}
	if n != nil && n.waits {
		n.due = time.Now().Add(settle)
	}
}

// movedAway: a folder went to another name, and everything known of it with it.
func (w *Watcher) movedAway(dir *node, name string) {
	if n := dir.kids[name]; n != nil {
		w.removeBelow(n)
		w.unwatch(n)
	}
	w.look(dir, name, false)
}

// vanished: nothing is at name any more.
func (w *Watcher) vanished(dir *node, name string) {
	n := dir.kids[name]
	if n == nil {
		return
	}
	w.removeBelow(n)
	w.unwatch(n)
	if n.kind != unknown {
		w.removed(n)
	}
	n.waits = false
	delete(dir.kids, name)
}

// removeBelow reports that everything known below n is gone.
func (w *Watcher) removeBelow(n *node) {
	for _, c := range n.sorted() {
		w.removeBelow(c)
		w.unwatch(c)
		if c.kind != unknown && c.kind != hidden {
			w.removed(c)
		}
		c.waits = false
	}
	n.kids = nil
}

// forgetBelow drops what is known below n without a word: a report about n itself covers it.
func (w *Watcher) forgetBelow(n *node) {
	for _, c := range n.kids {
		w.forgetBelow(c)
		w.unwatch(c)
		c.waits = false
	}
	n.kids = nil
	w.unwatch(n)
}

func (w *Watcher) unwatch(n *node) {
	if n.watch != 0 {
		delete(w.watches, n.watch)
		_, _ = unix.InotifyRmWatch(w.fd, uint32(n.watch))
		n.watch = 0
	}
}
