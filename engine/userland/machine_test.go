package userland_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/engine/userland/memfs"
)

// toy is a small machine in this process: programs are goroutines over one tree in memory, joined by pipes of its own. It is here
// to see that the shell keeps to what an Env offers.
type toy struct {
	base userland.Env
	mu   sync.Mutex
	wake *sync.Cond
	last int
	all  map[int]*proc

	threads sync.WaitGroup
	grown   int64
}

// proc is one process of a toy.
type proc struct {
	toy    *toy
	pid    int
	parent int
	ctx    context.Context
	cancel context.CancelFunc
	args   []string
	ends   []*end
	files  []io.Closer
	notify map[int]chan<- int
	ignore map[int]bool
	umask  int
	dead   bool
	code   int
}

func newToy(t *testing.T) *toy {
	m := &toy{base: machine(t), all: map[int]*proc{}}
	m.wake = sync.NewCond(&m.mu)
	return m
}

// script runs sh -c and gives what came out, with the exit code.
func (m *toy) script(t *testing.T, text string, stdin io.Reader) string {
	t.Helper()
	var out bytes.Buffer
	locked := &lockedWriter{w: &out}
	p := m.begin(0, userland.Command{Args: []string{"sh", "-c", text}, Environ: m.base.Environ, Dir: m.base.Dir, Stdin: stdin, Stdout: locked, Stderr: locked})
	n := m.await(p)
	m.mu.Lock()
	for _, other := range m.all {
		m.finish(other, 137)
	}
	m.mu.Unlock()
	over := make(chan struct{})
	go func() { m.threads.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Error("threads are left after every process has ended")
	}
	locked.mu.Lock()
	defer locked.mu.Unlock()
	return out.String() + code(n)
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// gate is a stream of a process, which is of no use to it when it is dead.
type gate struct {
	toyCloser
	p *proc
	r io.Reader
	w io.Writer
}

type toyCloser struct{}

func (toyCloser) Close() error { return nil }

func (g gate) Read(b []byte) (int, error) {
	if g.r == nil || g.p.gone() {
		return 0, syscall.EIO
	}
	return g.r.Read(b)
}

func (g gate) Write(b []byte) (int, error) {
	if g.w == nil || g.p.gone() {
		return 0, syscall.EIO
	}
	return g.w.Write(b)
}

func (p *proc) gone() bool {
	p.toy.mu.Lock()
	defer p.toy.mu.Unlock()
	return p.dead
}

// begin starts a program as a child of parent.
func (m *toy) begin(parent int, c userland.Command) *proc {
	m.mu.Lock()
	m.last++
	p := &proc{toy: m, pid: m.last, parent: parent, args: c.Args, notify: map[int]chan<- int{}, ignore: map[int]bool{}, umask: 0o22}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	m.all[p.pid] = p
	env := p.env(c)
	m.mu.Unlock()
	m.threads.Go(func() {
		n := userland.Run(p.ctx, env, c.Args)
		m.mu.Lock()
		m.finish(p, n)
		m.mu.Unlock()
	})
	return p
}

// env is what a program of p has; the lock is held.
func (p *proc) env(c userland.Command) userland.Env {
	env := p.toy.base
	env.FS = toyFS{FS: env.FS.(*memfs.FS), p: p}
	env.Procs, env.Starter, env.Signals, env.Threads, env.Pipes, env.Memory = p, p, p, p, p, p
	env.Environ, env.Dir = c.Environ, c.Dir
	in, _ := p.own(c.Stdin).(io.Reader)
	out, _ := p.own(c.Stdout).(io.Writer)
	errs, _ := p.own(c.Stderr).(io.Writer)
	env.Stdin, env.Stdout, env.Stderr = in, out, errs
	for _, f := range c.Files {
		if f == nil {
			env.Files = append(env.Files, nil)
			continue
		}
		env.Files = append(env.Files, p.own(f).(io.Closer))
	}
	p.files = env.Files
	return env
}

// own is a stream of somebody else's as p's.
func (p *proc) own(stream any) any {
	if e, ok := stream.(*end); ok {
		return p.hold(e.pipe, e.writes)
	}
	if f, ok := stream.(userland.File); ok {
		return f
	}
	g := gate{p: p}
	g.r, _ = stream.(io.Reader)
	g.w, _ = stream.(io.Writer)
	return g
}

// toyFS has the devices that scripts need, and the descriptors of its process.
type toyFS struct {
	*memfs.FS
	p *proc
}

func (f toyFS) OpenFile(name string, flag int, perm fs.FileMode) (userland.File, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "/dev/fd/"))
	switch {
	case err == nil && n > 2 && n-3 < len(f.p.files) && f.p.files[n-3] != nil:
		return device{ReadWriter: f.p.files[n-3].(io.ReadWriter)}, nil
	case name == "/dev/null":
		return device{ReadWriter: struct {
			io.Reader
			io.Writer
		}{strings.NewReader(""), io.Discard}}, nil
	case name == "/dev/zero":
		return device{ReadWriter: struct {
			io.Reader
			io.Writer
		}{zeros{}, io.Discard}}, nil
	}
	return f.FS.OpenFile(name, flag, perm)
}

type device struct{ io.ReadWriter }

func (device) Close() error               { return nil }
func (device) Stat() (fs.FileInfo, error) { return nil, syscall.ENOSYS }

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func (m *toy) finish(p *proc, code int) {
	if p.dead {
		return
	}
	p.dead, p.code = true, code
	p.cancel()
	for _, e := range p.ends {
		e.close()
	}
	m.wake.Broadcast()
}

func (m *toy) await(p *proc) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for !p.dead {
		m.wake.Wait()
	}
	delete(m.all, p.pid)
	return p.code
}

// Procs.

func (p *proc) Self() (int, int) { return p.pid, p.parent }

func (p *proc) List() ([]userland.Process, error) {
	p.toy.mu.Lock()
	defer p.toy.mu.Unlock()
	var list []userland.Process
	for _, o := range p.toy.all {
		list = append(list, userland.Process{PID: o.pid, PPID: o.parent, Args: o.args, Name: o.args[0], State: 'S'})
	}
	return list, nil
}

func (p *proc) Kill(pid, signal int) error {
	p.toy.mu.Lock()
	defer p.toy.mu.Unlock()
	o := p.toy.all[pid]
	if o == nil || o.dead {
		return syscall.ESRCH
	}
	o.post(signal)
	return nil
}

func (p *proc) post(signal int) {
	switch ch := p.notify[signal]; {
	case signal == 0 || signal != 9 && p.ignore[signal] || signal >= 17 && signal <= 20:
	case signal != 9 && ch != nil:
		ch <- signal
	default:
		p.toy.finish(p, 128+signal)
	}
}

// Starter and Child.

func (p *proc) Start(_ context.Context, c userland.Command) (userland.Child, error) {
	if !slices.Contains(userland.Names(), strings.TrimPrefix(c.Path, "/bin/")) {
		return nil, syscall.ENOEXEC
	}
	return child{p.toy, p.toy.begin(p.pid, c)}, nil
}

func (p *proc) Replace(c userland.Command) error {
	if !slices.Contains(userland.Names(), strings.TrimPrefix(c.Path, "/bin/")) {
		return syscall.ENOEXEC
	}
	p.toy.mu.Lock()
	env := p.env(c)
	p.args = c.Args
	p.toy.mu.Unlock()
	n := userland.Run(p.ctx, env, c.Args)
	p.toy.mu.Lock()
	defer p.toy.mu.Unlock()
	p.toy.finish(p, n)
	return syscall.EIO
}

type child struct {
	toy *toy
	p   *proc
}

func (c child) PID() int              { return c.p.pid }
func (c child) Signal(n int) error    { return c.p.Kill(c.p.pid, n) }
func (c child) Wait() (int, error)    { return c.toy.await(c.p), nil }
func (p *proc) Umask(mask int) int    { old := p.umask; p.umask = mask; return old }
func (p *proc) Block(f func())        { f() }
func (p *proc) Go(f func())           { p.toy.threads.Go(f) }
func (p *proc) Ignore(signals ...int) { p.act(signals, func(n int) { p.ignore[n] = true }) }
func (p *proc) Default(signals ...int) {
	p.act(signals, func(n int) { p.ignore[n] = false; delete(p.notify, n) })
}

func (p *proc) Notify(ch chan<- int, signals ...int) {
	p.act(signals, func(n int) { p.ignore[n] = false; p.notify[n] = ch })
}

func (p *proc) act(signals []int, f func(n int)) {
	p.toy.mu.Lock()
	defer p.toy.mu.Unlock()
	for _, n := range signals {
		f(n)
	}
}

func (p *proc) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *proc) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

func (p *proc) Grow(n int64) error {
	p.toy.mu.Lock()
	defer p.toy.mu.Unlock()
	if p.toy.grown += n; p.toy.grown > 16<<20 {
		p.toy.finish(p, 137)
		return syscall.ENOMEM
	}
	return nil
}

// Pipes.

type pipe struct {
	toy              *toy
	data             []byte
	readers, writers int
}

// end is one process's descriptor of an end of a pipe.
type end struct {
	p      *proc
	pipe   *pipe
	writes bool
	closed bool
}

func (p *proc) Pipe() (io.ReadCloser, io.WriteCloser, error) {
	p.toy.mu.Lock()
	defer p.toy.mu.Unlock()
	q := &pipe{toy: p.toy}
	return p.hold(q, false), p.hold(q, true), nil
}

func (p *proc) hold(q *pipe, writes bool) *end {
	e := &end{p: p, pipe: q, writes: writes}
	if writes {
		q.writers++
	} else {
		q.readers++
	}
	p.ends = append(p.ends, e)
	return e
}

func (e *end) close() {
	if e.closed {
		return
	}
	e.closed = true
	if e.writes {
		e.pipe.writers--
	} else {
		e.pipe.readers--
	}
	e.pipe.toy.wake.Broadcast()
}

func (e *end) Close() error {
	e.pipe.toy.mu.Lock()
	defer e.pipe.toy.mu.Unlock()
	if e.closed {
		return errors.New("closed twice")
	}
	e.close()
	return nil
}

func (e *end) Read(b []byte) (int, error) {
	e.pipe.toy.mu.Lock()
	defer e.pipe.toy.mu.Unlock()
	for len(e.pipe.data) == 0 && e.pipe.writers > 0 && !e.closed && !e.p.dead {
		e.pipe.toy.wake.Wait()
	}
	if e.closed || e.p.dead {
		return 0, syscall.EIO
	}
	if len(e.pipe.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, e.pipe.data)
	e.pipe.data = e.pipe.data[n:]
	e.pipe.toy.wake.Broadcast()
	return n, nil
}

func (e *end) Write(b []byte) (int, error) {
	e.pipe.toy.mu.Lock()
	defer e.pipe.toy.mu.Unlock()
	for len(e.pipe.data) > 64<<10 && e.pipe.readers > 0 && !e.closed && !e.p.dead {
		e.pipe.toy.wake.Wait()
	}
	switch {
	case e.closed || e.p.dead:
		return 0, syscall.EIO
	case e.pipe.readers == 0:
		e.p.post(13)
		return 0, syscall.EPIPE
	}
	e.pipe.data = append(e.pipe.data, b...)
	e.pipe.toy.wake.Broadcast()
	return len(b), nil
}
