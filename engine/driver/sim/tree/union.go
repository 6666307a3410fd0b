package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Union is a writable layer on top of read-only ones, as overlayfs shows them. It implements fsys.FS, Maker, Remover, Setter, Xattrs
// and Spacer. What it reports of copy-on-write it reports by the Report given to Snapshots.Open, never under a lock, from the
// goroutine whose call changed something. Every Union from Snapshots.Open must be closed.
type Union struct {
	key   string
	dir   string // host folder of the writable layer; empty: there is none
	below *stack
	now   func() time.Time

	mu      sync.RWMutex
	root    *node            // of the writable layer; nil: there is none
	lower   *node            // below.root, or nil
	shown   *node            // lower with what was provided
	extra   uint64           // inodes that were provided
	files   *host            // contents of the writable layer
	journal *journal         // nil: nothing can be written
	next    uint64           // last inode number of the writable layer
	dirty   map[*inode]*node // whose journal line is old, each with one of its names
	copies  map[*node]*inode // what became of lower files that were copied up
	used    int64            // bytes of content in the writable layer
	failed  error            // why the journal could not be written
	fresh   freshFile
	closed  bool

	watch   *watcher // nil: nobody watches
	told    bool     // all changes there were at the opening are known
	emitMu  sync.Mutex
	queue   []event // to be emitted, guarded by mu
	onClose func(*Union)
}

// diskBytes is how large the simulated machine's disk is, and diskInodes how many inodes it has.
const (
	diskBytes  = 64 << 30
	diskInodes = 4 << 20
)

// place is where a name leads to: what the writable layer has there and what shines through from below.
type place struct {
	path    string
	up, low *node
	parent  *place // nil for the root
}

// inode is the one that counts.
func (at *place) inode() *inode {
	if at.up != nil {
		return at.up.ino
	}
	return at.low.ino
}

func (at *place) isDir() bool { return at.inode().kind == fsys.Dir }

// hides reports whether the layers below have something at the name, which must leave a whiteout when it goes.
func (at *place) hides() bool {
	_, base := split(at.path)
	return at.parent.low.kid(base) != nil
}

// merged reports whether the layers below take part in the folder, or all of it.
func (at *place) merged() bool { return at.low != nil }

// find looks the name up. Whoever calls it holds mu. If only the last part is missing, the error is ENOENT and parent is the folder.
func (u *Union) find(name string) (at, parent *place, err error) {
	at = &place{path: ".", up: u.root, low: u.shown}
	for rest := name; name != "." && rest != ""; {
		if !at.isDir() {
			return nil, nil, syscall.ENOTDIR
		}
		var part string
		part, rest = cut(rest)
		parent = at
		if at = u.step(parent, part); at == nil {
			if rest != "" {
				parent = nil
			}
			return nil, parent, syscall.ENOENT
		}
	}
	return at, parent, nil
}

func cut(p string) (first, rest string) {
	for i := range len(p) {
		if p[i] == '/' {
			return p[:i], p[i+1:]
		}
	}
	return p, ""
}

// step goes from a folder to one of its names; nil if there is none.
func (u *Union) step(dir *place, name string) *place {
	at := &place{path: join(dir.path, name), parent: dir, low: dir.low.kid(name)}
	if up := dir.up.kid(name); up != nil {
		if up.isWhiteout() {
			return nil
		}
		at.up = up
		if !up.isDir() || up.opaque || !at.low.isDir() {
			at.low = nil
		}
	}
	if at.up == nil && at.low == nil {
		return nil
	}
	return at
}

// change runs f, which may change the tree, and writes down and reports what it did.
func (u *Union) change(f func() error) error {
	u.mu.Lock()
	err := u.writable()
	if err == nil {
		u.watch.flushDue()
		err = f()
		if jerr := u.journal.flush(); jerr != nil {
			u.failed = jerr
			err = errors.Join(err, syscall.EIO)
		}
	}
	u.mu.Unlock()
	u.emit()
	return err
}

func (u *Union) writable() error {
	switch {
	case u.journal == nil || u.closed:
		return syscall.EROFS
	case u.failed != nil:
		return syscall.EIO
	}
	return nil
}

// emit hands out what is queued, in order.
func (u *Union) emit() {
	u.emitMu.Lock()
	defer u.emitMu.Unlock()
	for {
		u.mu.Lock()
		queue := u.queue
		u.queue = nil
		u.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, e := range queue {
			e.to(e.kind, e.attrs...)
		}
	}
}

// Lowers is how many read-only layers it stands on.
func (u *Union) Lowers() int { return len(u.below.strata) }

// Where names the host folders that have the contents: of the read-only layers, top first, and of the writable one.
func (u *Union) Where() (lowers []string, upper string) {
	for _, s := range u.below.strata {
		lowers = append(lowers, s.files)
	}
	if u.dir != "" {
		upper = filepath.Join(u.dir, filesDir)
	}
	return lowers, upper
}

// Space implements fsys.Spacer: the disk of the simulated machine.
func (u *Union) Space() (total, free, files, filesFree int64) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return diskBytes, max(0, diskBytes-u.used-u.below.bytes), diskInodes, max(0, diskInodes-u.below.entries-int64(u.next))
}

// Sync returns when everything that happened before the call is reported and its metadata is on disk, where another process reads it.
// A file that is still being written is reported with what it has, and again when it is closed.
func (u *Union) Sync() error {
	u.mu.Lock()
	if u.closed || u.journal == nil {
		u.mu.Unlock()
		return nil
	}
	u.watch.flush()
	u.writeDirty()
	u.fresh.drop()
	err := errors.Join(u.failed, u.journal.flush())
	u.mu.Unlock()
	u.emit()
	if err != nil {
		return fmt.Errorf("sync writable layer %s: %w", u.key, err)
	}
	return nil
}

// writeDirty puts all inodes in the journal whose line is old.
func (u *Union) writeDirty() {
	lost := false
	for i, n := range u.dirty {
		if p, ok := n.path(u.root); ok {
			u.journal.put(p, n)
		} else if i.links > 0 {
			lost = true // that name was removed, but there are others
		}
	}
	if lost {
		_ = u.root.each(".", func(p string, n *node) error {
			if n.ino != nil && n.ino.dirty {
				u.journal.put(p, n)
			}
			return nil
		})
	}
	clear(u.dirty)
}

// stale notes that the journal does not know the inode, which n is a name of, as it is now.
func (u *Union) stale(i *inode, n *node) {
	if u.journal.changes == 0 { // the journal must not say any more that it was closed in order
		u.journal.put(".", u.root)
		_ = u.journal.flush() // which keeps its error
	}
	i.dirty = true
	u.dirty[i] = n
	u.journal.changes++
}

// Close reports what is pending and what was missed, writes the tree down in order and ends the union. Handles must not be used
// any more. Closing again does nothing.
func (u *Union) Close() error {
	u.mu.Lock()
	if u.closed {
		u.mu.Unlock()
		return nil
	}
	u.watch.finish()
	u.closed = true
	err := u.failed
	if u.journal != nil {
		err = errors.Join(err, u.journal.close())
		if err == nil {
			err = u.tidy()
		}
		u.fresh.drop()
		err = errors.Join(err, u.files.close())
	}
	u.mu.Unlock()
	u.emit()
	if u.onClose != nil {
		u.onClose(u)
	}
	if err != nil {
		return fmt.Errorf("close writable layer %s: %w", u.key, err)
	}
	return nil
}

// tidy writes the tree anew, sorted, in the place of the journal.
func (u *Union) tidy() error {
	if u.journal.changes == 0 {
		return nil // it stays as it was, closed in order
	}
	name := filepath.Join(u.dir, treeFile)
	last := line{Path: ".", Kind: lineClosed, Reported: u.watch != nil}
	if err := writeTreeFile(name+".new", u.root, last); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// SetReport lets r be told of copy-on-write from now on, beginning with what was not reported yet; nil ends that.
func (u *Union) SetReport(r Report) {
	u.mu.Lock()
	switch {
	case r == nil && u.watch != nil:
		u.watch.flush()
		u.watch, u.told = nil, true
		u.journal.changes = 0
	case r == nil:
	case u.watch != nil:
		u.watch.report = r
	default:
		u.watch = newWatcher(u, r)
		u.watch.start(u.told && u.journal.changes == 0)
	}
	u.mu.Unlock()
	u.emit()
}

// journal appends to the tree.jsonl of a writable layer.
type journal struct {
	f       *os.File
	buf     []byte // lines that are to be written
	changes int    // since it was opened, or since all was told
	err     error
}

func openJournal(name string) (*journal, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &journal{f: f}, nil
}

func (j *journal) write(l line) {
	j.changes++
	j.buf = appendLine(j.buf, l)
}

func (j *journal) put(p string, n *node) {
	if n.ino != nil {
		n.ino.dirty = false
	}
	j.write(lineOf(p, n))
}

func (j *journal) gone(p string) { j.write(line{Path: encodeText(p), Kind: lineGone}) }

func (j *journal) moved(p, to string) {
	j.write(line{Path: encodeText(p), Kind: lineMoved, To: encodeText(to)})
}

func (j *journal) flush() error {
	if len(j.buf) > 0 {
		_, err := j.f.Write(j.buf)
		j.err = errors.Join(j.err, err)
		j.buf = j.buf[:0]
	}
	return j.err
}

func (j *journal) close() error { return errors.Join(j.flush(), j.f.Close()) }

// hostError makes a bare error number of what the host said.
func hostError(err error) error {
	if err == nil {
		return nil
	}
	for _, no := range [...]syscall.Errno{syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.EFBIG} {
		if errors.Is(err, no) {
			return no
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		return syscall.EACCES
	}
	return syscall.EIO
}
