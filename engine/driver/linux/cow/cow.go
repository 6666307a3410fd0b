//go:build linux

// Package cow watches the upper folder of a container's overlay mount and tells what copy-on-write does there, while the
// container runs: files copied up at their first change, names created, names hidden by whiteouts. It also works out, from the
// folders alone, what the layers below have (Stack) and what a writable layer changes (Scan).
//
// It uses inotify on the folders of the upper layer, which needs no privilege, and asks the folders themselves what an event
// means; so events that were merged or lost delay a report but never falsify it. It is not an audit: it can't tell which
// process did something.
//
// Invariants: after Finish or Close, folding the reported events gives the same paths and kinds as Scan; a folder that is copied up only
// because something in it changes is no event; paths in events are absolute as the container sees them.
package cow

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/trace"
)

// Config says what to watch.
type Config struct {
	Key       string   // the writable layer's name, for the events
	Upper     string   // folder that receives the changes
	Lowers    []string // read-only folders, top first
	DiffIDs   []string // of Lowers, in the same order
	UserXattr bool     // the mount has userxattr: opaque folders are marked by user.overlay.opaque
	Known     bool     // what Upper has already was reported by an earlier watch; otherwise it is reported now
}

// Emit receives the events, one call at a time, with exactly the attributes that vocab declares.
type Emit func(kind string, attrs ...trace.Attr)

const (
	settle  = 20 * time.Millisecond // after metadata changed, or where no close will be seen
	maxWait = time.Second           // for the close of a file that is being written
	mask    = unix.IN_CREATE | unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE |
		unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW | unix.IN_EXCL_UNLINK
)

// Watcher reports copy-on-write events until it is closed. While nothing happens it is one parked goroutine.
type Watcher struct {
	cfg   Config
	emit  Emit
	stack *Stack
	file  *os.File // inotify; registered with the runtime's poller
	fd    int

	blind   bool // this kernel tells of no writes to a file that is there
	root    *node
	watches map[int]*node
	pending []*node // reports that wait, in order of appearance
	buf     []byte

	syncs    chan chan struct{}
	closing  chan struct{}
	stopped  chan struct{} // the goroutine has ended
	finished chan struct{} // the last event was emitted
	once     sync.Once
	err      error
}

// Watch begins to watch, and reports through emit from a goroutine of its own. The caller must Close the Watcher, or Finish it
// and end.
func Watch(cfg Config, emit func(kind string, attrs ...trace.Attr)) (*Watcher, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w: is fs.inotify.max_user_instances reached?", cfg.Upper, err)
	}
	w := &Watcher{
		cfg: cfg, emit: emit, stack: NewStack(cfg.Lowers, cfg.UserXattr), fd: fd, file: os.NewFile(uintptr(fd), "inotify"),
		blind: blind(), root: &node{}, watches: map[int]*node{}, buf: make([]byte, 16<<10), syncs: make(chan chan struct{}, 16),
		closing: make(chan struct{}), stopped: make(chan struct{}), finished: make(chan struct{}),
	}
	if err := w.watchFolder(w.root); err != nil {
		w.file.Close()
		return nil, fmt.Errorf("watch %s: %w", cfg.Upper, err)
	}
	w.start()
	go w.run()
	return w, nil
}

// start takes in what the upper folder has already.
func (w *Watcher) start() {
	if !w.cfg.Known {
		w.addTree(w.root)
		return
	}
	emit := w.emit
	w.emit = func(string, ...trace.Attr) {}
	w.addTree(w.root)
	w.adopt()
	w.emit = emit
}

// Finish reports what is pending and what was missed, and ends the watch. It returns after the last event.
func (w *Watcher) Finish() error {
	w.once.Do(func() {
		close(w.closing)
		w.wake()
		<-w.stopped
		w.settleAll()
		w.err = w.reconcile()
		close(w.finished)
	})
	return w.err
}

// Close finishes, and gives the watches back. With that the kernel takes 5 to 20 ms, in which it lets every processor pass a
// quiet moment: a process that is about to end calls Finish alone and leaves it to the kernel.
func (w *Watcher) Close() error {
	err := w.Finish()
	if cerr := w.file.Close(); cerr != nil && !errors.Is(cerr, os.ErrClosed) {
		err = errors.Join(err, cerr)
	}
	return err
}

// Sync returns when everything that happened before the call is reported. The kernel queues an event before the system call
// behind it returns, so what is in the queue now is all; a report that would wait for more to come does not wait. A file
// that is still being written is reported with what it has, and again when it is closed.
func (w *Watcher) Sync() {
	done := make(chan struct{})
	select {
	case w.syncs <- done:
		w.wake() // after the request is there to be seen
	case <-w.stopped:
	}
	select {
	case <-done:
	case <-w.stopped:
	}
	select {
	case <-w.closing:
		<-w.finished
	default:
	}
}

// wake makes the goroutine look up from its read.
func (w *Watcher) wake() { _ = w.file.SetReadDeadline(time.Now()) }

func (w *Watcher) run() {
	defer close(w.stopped)
	for {
		w.setDeadline()
		select {
		case <-w.closing:
			return
		case done := <-w.syncs:
			w.settleAll()
			close(done)
			continue
		default:
		}
		n, err := w.file.Read(w.buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			return
		default:
			w.handleAll(w.buf[:n])
		}
		w.flush(time.Now())
	}
}

// settleAll reports everything that has happened.
func (w *Watcher) settleAll() {
	w.drain()
	w.flush(time.Time{})
	if w.blind {
		w.lookAgain(w.root)
	}
}

// setDeadline wakes the next read when the first report is due. Close's own deadline must not be overwritten for long:
// run looks at closing right after.
func (w *Watcher) setDeadline() {
	var first time.Time
	for _, n := range w.pending {
		if n.waits && (first.IsZero() || n.due.Before(first)) {
			first = n.due
		}
	}
	_ = w.file.SetReadDeadline(first)
}

// drain handles the events that the kernel has ready.
func (w *Watcher) drain() {
	for {
		n, err := unix.Read(w.fd, w.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		w.handleAll(w.buf[:n])
	}
}

func (w *Watcher) watchFolder(n *node) error {
	wd, err := unix.InotifyAddWatch(w.fd, path.Join(w.cfg.Upper, n.path()), mask)
	if err != nil {
		return err
	}
	if old := w.watches[wd]; old != nil && old != n {
		old.watch = 0 // the folder was known under another name
	}
	if n.watch != 0 && n.watch != wd {
		w.unwatch(n) // another folder had the name
	}
	n.watch = wd
	w.watches[wd] = n
	return nil
}
