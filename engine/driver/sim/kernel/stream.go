package kernel

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

// object is what a stream leads to: an end of a pipe, a terminal, a device. Its methods are called with the lock held; those
// that wait let it go meanwhile. im is nil for those outside.
type object interface {
	read(im *image, b []byte) (int, error)
	write(im *image, b []byte) (int, error)
	release() // the last reference is gone
	label() string
	kind() fs.FileMode
}

// description is an open file description: what several descriptors of several processes may refer to.
type description struct {
	object
	clock *Clock
	refs  int
}

func (c *Clock) describe(o object) *description { return &description{object: o, clock: c} }

func (d *description) drop() {
	if d.refs--; d.refs == 0 {
		d.release()
	}
}

// stream is one process's reference to a description. It is a userland.File.
type stream struct {
	im     *image
	d      *description
	std    bool // standard output or error: writing where nobody reads is deadly
	closed bool
}

// terminalStream is a stream that is a terminal.
type terminalStream struct {
	*stream
	tty *tty
}

// sharer is what has a description.
type sharer interface{ share() (*description, error) }

func (s *stream) share() (*description, error) {
	if s.closed {
		return nil, os.ErrClosed
	}
	return s.d, nil
}

// reference gives im a stream of its own to d. The lock is held.
func (im *image) reference(d *description, std bool) userland.File {
	d.refs++
	s := &stream{im: im, d: d, std: std}
	im.open = append(im.open, s)
	if t, ok := d.object.(*tty); ok {
		return &terminalStream{s, t}
	}
	return s
}

func (s *stream) Read(b []byte) (int, error)  { return s.move(b, s.d.read) }
func (s *stream) Write(b []byte) (int, error) { return s.move(b, s.d.write) }

func (s *stream) move(b []byte, how func(*image, []byte) (int, error)) (int, error) {
	c := s.d.clock
	c.lock()
	defer c.unlock()
	if err := s.im.gate(callCost); err != nil {
		return 0, err
	}
	if s.closed {
		return 0, os.ErrClosed
	}
	n, err := how(s.im, b)
	s.im.p.used(moveCost * time.Duration(n>>10))
	if errors.Is(err, syscall.EPIPE) && s.std && !s.im.gone {
		s.im.p.post(sigPIPE, false)
	}
	return n, err
}

// waitable is an object that can tell whether a read would wait, and in which queue.
type waitable interface{ readable() (bool, *queue) }

// Readable is userland.Poller's. What does not know is read without waiting.
func (s *stream) Readable(ctx context.Context, d time.Duration) bool {
	c := s.d.clock
	c.lock()
	defer c.unlock()
	o, ok := s.d.object.(waitable)
	if !ok {
		return true
	}
	late := d <= 0
	w := (*waiter)(nil)
	up := s.im.timer(d, func() {
		if late = true; w != nil {
			w.wake()
		}
	})
	defer s.im.dropTimer(up)
	for {
		if s.im.gate(callCost) != nil || s.closed {
			return true // the read that follows says why
		}
		ready, q := o.readable()
		if ready || late || ctx.Err() != nil {
			return ready
		}
		w = c.waiter(s.im)
		*q = append(*q, w)
		c.park(w)
	}
}

// Close works for a dead program, too.
func (s *stream) Close() error {
	c := s.d.clock
	c.lock()
	defer c.unlock()
	if s.closed {
		return os.ErrClosed
	}
	s.release()
	return nil
}

func (s *stream) release() {
	if s.closed {
		return
	}
	s.closed = true
	s.im.open = slices.DeleteFunc(s.im.open, func(o *stream) bool { return o == s })
	s.d.drop()
}

// Seek fails, as it does on whatever is no regular file.
func (s *stream) Seek(int64, int) (int64, error) { return 0, syscall.ESPIPE }

// Stat tells what kind of file it is.
func (s *stream) Stat() (fs.FileInfo, error) {
	if err := s.im.enter(); err != nil {
		return nil, err
	}
	return streamInfo{name: s.d.label(), mode: s.d.kind() | 0o620, now: s.im.clock().Now()}, nil
}

// streamInfo is the fs.FileInfo of a stream without a name.
type streamInfo struct {
	name string
	mode fs.FileMode
	now  time.Time
}

func (i streamInfo) Name() string       { return i.name }
func (i streamInfo) Size() int64        { return 0 }
func (i streamInfo) Mode() fs.FileMode  { return i.mode }
func (i streamInfo) ModTime() time.Time { return i.now }
func (i streamInfo) IsDir() bool        { return false }
func (i streamInfo) Sys() any           { return nil }

// foreign is a stream that is none of ours: a buffer of the program that starts another one, a device of vfs.
type foreign struct {
	clock *Clock
	guard *guard
	r     io.Reader
	w     io.Writer
	c     io.Closer // nil: stays open
	mode  fs.FileMode
	text  string
}

func (f *foreign) read(im *image, b []byte) (int, error) {
	if f.r == nil {
		return 0, syscall.EBADF
	}
	return f.use(im, &f.guard.r, b, f.r.Read)
}

func (f *foreign) write(im *image, b []byte) (int, error) {
	if f.w == nil {
		return 0, syscall.EBADF
	}
	return f.use(im, &f.guard.w, b, f.w.Write)
}

// guard lets one read and one write of a foreign stream happen at a time, whoever has it: nobody has promised that more may.
type guard struct {
	r, w sync.Mutex
	refs int
	drop func() // when refs is 0; may be nil
}

// use lets go of the lock. The thread counts as waiting: if the stream has others behind it they tell of themselves.
func (f *foreign) use(im *image, mu *sync.Mutex, b []byte, how func([]byte) (int, error)) (n int, err error) {
	im.rest()
	f.clock.unlock()
	func() {
		mu.Lock()
		defer mu.Unlock()
		n, err = how(b)
	}()
	f.clock.lock()
	im.run()
	if gone := im.gate(0); gone != nil {
		return 0, gone
	}
	return n, err
}

func (f *foreign) release() {
	if f.guard.refs--; f.guard.refs == 0 && f.guard.drop != nil {
		f.guard.drop()
	}
	if f.c != nil {
		f.clock.later(func() { f.c.Close() })
	}
}

func (f *foreign) label() string     { return f.text }
func (f *foreign) kind() fs.FileMode { return f.mode }

// outsider makes a foreign object of a caller's stream.
func outsider(c *Clock, x any) *foreign {
	f := &foreign{clock: c, guard: new(guard), mode: fs.ModeNamedPipe, text: "pipe"}
	f.r, _ = x.(io.Reader)
	f.w, _ = x.(io.Writer)
	return f
}

// device makes an object of a device of vfs.
func device(c *Clock, f userland.File, name string) *foreign {
	return &foreign{clock: c, guard: new(guard), r: f, w: f, c: f, mode: fs.ModeDevice | fs.ModeCharDevice, text: name}
}

// null is /dev/null, which a process has for a stream that it was given none.
func null(c *Clock) *foreign {
	const memMajor, nullMinor = 1, 3
	s, _ := vfs.StandardDevice(fsys.MakeDev(memMajor, nullMinor))
	return &foreign{clock: c, guard: new(guard), r: s, w: s, mode: fs.ModeDevice | fs.ModeCharDevice, text: "/dev/null"}
}

// inherit appends a descriptor for x, a stream of whoever starts the program. The lock is not held.
func (im *image) inherit(x any, owned bool) error {
	std := len(im.fds) == 1 || len(im.fds) == 2
	c := im.clock()
	if f, ok := x.(*vfs.File); ok {
		own, err := f.Inherit(im.view)
		if err != nil {
			return err
		}
		im.fds = append(im.fds, own)
		return nil
	}
	c.lock()
	defer c.unlock()
	d, err := im.description(x, owned)
	if err != nil {
		return err
	}
	im.fds = append(im.fds, im.reference(d, std))
	return nil
}

func (im *image) description(x any, owned bool) (*description, error) {
	c := im.clock()
	switch s := x.(type) {
	case nil:
		return c.describe(null(c)), nil
	case sharer:
		return s.share()
	}
	f := outsider(c, x)
	if owned {
		f.c, _ = x.(io.Closer)
		return c.describe(f), nil
	}
	f.guard = im.p.box.guard(x)
	return c.describe(f), nil
}

// guard is the guard of a foreign stream that several processes may have.
func (b *Box) guard(x any) *guard {
	if !reflect.ValueOf(x).Comparable() {
		return new(guard)
	}
	g := b.guards[x]
	if g == nil {
		g = &guard{drop: func() { delete(b.guards, x) }}
		b.guards[x] = g
	}
	g.refs++
	return g
}

// closeAll closes what the image has open. The lock is held.
func (im *image) closeAll() {
	for _, s := range slices.Clone(im.open) {
		s.release()
	}
	for _, l := range im.listeners {
		im.clock().later(func() { l.Listener.Close() })
	}
	im.listeners = nil
	for _, f := range im.fds {
		if file, ok := f.(*vfs.File); ok {
			im.clock().later(func() { file.Close() })
		}
	}
}
