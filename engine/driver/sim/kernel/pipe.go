package kernel

import (
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

const (
	pipeSize   = 64 << 10
	pipeAtomic = 4096 // writes of up to this size are not parted
)

// pipe is pipe(7). All of it is guarded by the clock's lock.
type pipe struct {
	clock    *Clock
	id       uint64
	buf      []byte // of pipeSize when it is used
	at, held int    // first byte, number of bytes
	readers  int    // open descriptions
	writers  int
	ropens   int // ever, for a FIFO's open
	wopens   int
	rq, wq   queue
	out      outlet
	forget   func() // of a FIFO: nobody has it open any more
}

func (m *Machine) pipe() *pipe { return &pipe{clock: m.clock, id: m.id()} }

// outlet counts as busy what somebody outside is about to take, until it asks for more and finds nothing.
type outlet struct {
	clock   *Clock // nil: nobody outside reads
	pending bool
}

func (o *outlet) offer() {
	if o.clock != nil && !o.pending {
		o.pending = true
		o.clock.up()
	}
}

func (o *outlet) taken() {
	if o.pending {
		o.pending = false
		o.clock.down()
	}
}

// pipeEnd is an object: one end, or both for a FIFO that was opened so.
type pipeEnd struct {
	*pipe
	reads, writes bool
}

func (p *pipe) end(reads, writes bool) *description {
	if reads {
		p.readers++
		p.ropens++
	}
	if writes {
		p.writers++
		p.wopens++
	}
	p.rq.wake()
	p.wq.wake()
	return p.clock.describe(&pipeEnd{p, reads, writes})
}

func (e *pipeEnd) label() string     { return "pipe:[" + strconv.FormatUint(e.id, 10) + "]" }
func (e *pipeEnd) kind() fs.FileMode { return fs.ModeNamedPipe }

func (e *pipeEnd) release() {
	p := e.pipe
	if e.reads {
		p.readers--
	}
	if e.writes {
		p.writers--
	}
	if p.writers == 0 && p.readers > 0 {
		p.out.offer() // the end is to be seen, too
	}
	p.rq.wake()
	p.wq.wake()
	if p.readers == 0 && p.writers == 0 && p.forget != nil {
		p.forget()
	}
}

// pass is the gate for a thread that has waited; those outside have none.
func pass(im *image) error {
	if im == nil {
		return nil
	}
	return im.gate(0)
}

func (e *pipeEnd) read(im *image, b []byte) (int, error) {
	p := e.pipe
	if !e.reads {
		return 0, syscall.EBADF
	}
	if len(b) == 0 {
		return 0, nil
	}
	for p.held == 0 {
		if im == nil {
			p.out.taken()
		}
		if p.writers == 0 {
			return 0, io.EOF
		}
		if im == nil && p.readers == 0 {
			return 0, os.ErrClosed
		}
		p.clock.wait(im, &p.rq)
		if err := pass(im); err != nil {
			return 0, err
		}
	}
	n := p.take(b)
	p.wq.wake()
	return n, nil
}

// readable tells whether a read would not wait.
func (e *pipeEnd) readable() (bool, *queue) { return !e.reads || e.held > 0 || e.writers == 0, &e.rq }

func (p *pipe) take(b []byte) int {
	n := 0
	for n < len(b) && p.held > 0 {
		part := copy(b[n:], p.buf[p.at:min(p.at+p.held, len(p.buf))])
		n, p.at, p.held = n+part, (p.at+part)%len(p.buf), p.held-part
	}
	return n
}

func (p *pipe) put(b []byte) int {
	if p.buf == nil {
		p.buf = make([]byte, pipeSize)
	}
	n := 0
	for n < len(b) && p.held < len(p.buf) {
		to := (p.at + p.held) % len(p.buf)
		part := copy(p.buf[to:min(len(p.buf), to+len(p.buf)-p.held)], b[n:])
		n, p.held = n+part, p.held+part
	}
	return n
}

func (e *pipeEnd) write(im *image, b []byte) (int, error) {
	p := e.pipe
	if !e.writes {
		return 0, syscall.EBADF
	}
	done := 0
	for done < len(b) {
		if p.readers == 0 {
			return done, syscall.EPIPE
		}
		if p.writers == 0 {
			return done, os.ErrClosed // by another thread of an outsider
		}
		free := pipeSize - p.held
		if free == 0 || len(b) <= pipeAtomic && free < len(b) {
			p.clock.wait(im, &p.wq)
			if err := pass(im); err != nil {
				return done, err
			}
			continue
		}
		done += p.put(b[done:])
		p.rq.wake()
		p.out.offer()
	}
	if len(b) == 0 && p.readers == 0 {
		return 0, syscall.EPIPE
	}
	return done, nil
}

// PipeReader is the end of a pipe that an outsider holds. Given to Start it is the process's and closed here. Close may be
// called more than once.
type PipeReader struct{ outside }

// PipeWriter is the other end.
type PipeWriter struct{ outside }

// outside is a reference of somebody who is no process.
type outside struct {
	d      *description
	closed *bool
}

// Pipe makes a pipe between those outside and a process, or two processes. What an outside reader has not taken yet keeps
// the clock from skipping.
func (m *Machine) Pipe() (*PipeReader, *PipeWriter) {
	m.clock.lock()
	defer m.clock.unlock()
	p := m.pipe()
	p.out.clock = m.clock
	return &PipeReader{hold(p.end(true, false))}, &PipeWriter{hold(p.end(false, true))}
}

func hold(d *description) outside {
	d.refs++
	return outside{d, new(bool)}
}

func (o outside) share() (*description, error) {
	if *o.closed {
		return nil, os.ErrClosed
	}
	return o.d, nil
}

func (o outside) Close() error {
	c := o.d.clock
	c.lock()
	defer c.unlock()
	if *o.closed {
		return nil
	}
	*o.closed = true
	if e, ok := o.d.object.(*pipeEnd); ok && e.reads {
		e.out.taken()
		e.out.clock = nil
	}
	o.d.drop()
	return nil
}

func (o outside) use(b []byte, how func(*image, []byte) (int, error)) (int, error) {
	c := o.d.clock
	c.lock()
	defer c.unlock()
	if *o.closed {
		return 0, os.ErrClosed
	}
	return how(nil, b)
}

// Read waits for data; io.EOF when the last writer has closed.
func (r *PipeReader) Read(b []byte) (int, error) { return r.use(b, r.d.read) }

// Write waits for room; EPIPE when nobody reads any more.
func (w *PipeWriter) Write(b []byte) (int, error) { return w.use(b, w.d.write) }

type fifoKey struct {
	fs    fsys.FS
	inode uint64
}

// fifo opens the FIFO that is an inode, which waits for the other end.
func (im *image) fifo(key fifoKey, mode int) (*description, error) {
	b := im.p.box
	p := b.fifos[key]
	if p == nil {
		p = b.m.pipe()
		p.forget = func() { delete(b.fifos, key) }
		b.fifos[key] = p
	}
	reads, writes := mode != os.O_WRONLY, mode != os.O_RDONLY
	d := p.end(reads, writes)
	d.refs++ // while it waits
	ropens, wopens := p.ropens, p.wopens
	for reads != writes && (reads && p.writers == 0 && p.wopens == wopens || writes && p.readers == 0 && p.ropens == ropens) {
		q := &p.wq
		if reads {
			q = &p.rq
		}
		p.clock.wait(im, q)
		if err := pass(im); err != nil {
			d.drop()
			return nil, err
		}
	}
	return d, nil
}
