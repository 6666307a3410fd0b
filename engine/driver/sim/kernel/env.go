package kernel

import (
	"io"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/userland"
)

const standardStreams = 3

// env is the world of the image's program.
func (im *image) env() userland.Env {
	p := im.p
	files := fileSystem{im.view, im}
	e := userland.Env{FS: files, Procs: procs{im}, Starter: starter{im}, Host: host{im}, Mounts: mounts{im.view}, Signals: signals{im},
		Threads: threads{im}, Pipes: pipes{im}, Memory: memory{im}, Own: im.own, Shell: im.prog.exe,
		User:  userland.User{UID: im.cred.UID, GID: im.cred.GID, Groups: slices.Clone(im.cred.Groups)},
		Stdin: im.fds[0], Stdout: im.fds[1], Stderr: im.fds[2], Environ: slices.Clone(p.Env), Dir: p.Cwd, Now: im.clock().Now}
	for _, f := range im.fds[min(len(im.fds), standardStreams):] {
		if _, closed := f.(closedStream); closed {
			e.Files = append(e.Files, nil)
		} else {
			e.Files = append(e.Files, f)
		}
	}
	if h := p.box.cfg.Host; h != nil {
		e.Dialer = userDialer{im, h}
	}
	return e
}

// own tells whether a file is the binary that holds our programs.
func (im *image) own(file string) bool {
	if im.view.CheckExec(file) != nil {
		return false
	}
	interpreter, err := im.p.box.examine(file, file)
	return err == nil && interpreter == nil
}

// fileSystem is the process's view of the files, with the devices that vfs answers itself under our control.
type fileSystem struct {
	*vfs.View
	im *image
}

func (f fileSystem) OpenFile(name string, flag int, perm fs.FileMode) (userland.File, error) {
	file, err := f.View.OpenFile(name, flag, perm)
	dev, ok := file.(*vfs.StreamFile)
	if err != nil || !ok {
		return file, err
	}
	if own, ok := dev.Unwrap().(userland.File); ok {
		return own, nil
	}
	c := f.im.clock()
	c.lock()
	defer c.unlock()
	return f.im.reference(c.describe(device(c, dev, name)), false), nil
}

// mounts is userland.Mounts; the view has more methods of these names.
type mounts struct{ view *vfs.View }

func (m mounts) List() ([]userland.MountEntry, error)      { return m.view.List() }
func (m mounts) Space(name string) (userland.Space, error) { return m.view.Space(name) }
func (m mounts) Mount(e userland.MountEntry) error         { return m.view.Mount(e) }
func (m mounts) Unmount(target string, lazy bool) error    { return m.view.Unmount(target, lazy) }

// calls is an image as vfs knows it: vfs.Process and vfs.Descriptors.
type calls struct{ im *image }

var _ vfs.Descriptors = calls{}

func (c calls) Enter() error   { return c.im.enter() }
func (c calls) Now() time.Time { return c.im.clock().Now() }
func (c calls) PID() int       { return c.im.p.pid }

// Refused implements vfs.Refused.
func (c calls) Refused(call string) { c.im.refused(call) }

// refused tells those outside what the kernel did not do for the process. No lock of the machine's may be held.
func (im *image) refused(call string) {
	if tell := im.p.box.cfg.Refused; tell != nil {
		tell(call, im.p.hostPID, im.prog.name)
	}
}

// Device opens a terminal.
func (c calls) Device(rdev uint64, _ bool) (vfs.Stream, error) {
	clock := c.im.clock()
	clock.lock()
	defer clock.unlock()
	t := c.im.p.terminal(rdev)
	if t == nil || t.hung {
		return nil, syscall.ENXIO
	}
	return c.im.reference(t.d, false), nil
}

// Pipe opens a FIFO.
func (c calls) Pipe(fs fsys.FS, inode uint64, mode int) (vfs.Stream, error) {
	clock := c.im.clock()
	clock.lock()
	defer clock.unlock()
	d, err := c.im.fifo(fifoKey{fs, inode}, mode)
	if err != nil {
		return nil, err
	}
	s := c.im.reference(d, false)
	d.drop()
	return s, nil
}

// Stream gives a further reference to one of the program's descriptors.
func (c calls) Stream(fd int) (vfs.Stream, error) {
	if fd < 0 || fd >= len(c.im.fds) {
		return nil, syscall.EBADF
	}
	switch f := c.im.fds[fd].(type) {
	case *vfs.File:
		return f.Inherit(c.im.view)
	case sharer:
		clock := c.im.clock()
		clock.lock()
		defer clock.unlock()
		d, err := f.share()
		if err != nil || c.im.gone {
			return nil, syscall.EBADF
		}
		return c.im.reference(d, false), nil
	}
	return nil, syscall.EBADF
}

// pipes is userland.Pipes.
type pipes struct{ im *image }

func (p pipes) Pipe() (r io.ReadCloser, w io.WriteCloser, err error) {
	c := p.im.clock()
	c.lock()
	defer c.unlock()
	if err := p.im.gate(callCost); err != nil {
		return nil, nil, err
	}
	made := p.im.p.box.m.pipe()
	return p.im.reference(made.end(true, false), false), p.im.reference(made.end(false, true), false), nil
}

// host is userland.Host.
type host struct{ im *image }

const (
	release = "6.12.0-learn"
	version = "#1 SMP learn simulated machine"
)

// machineName is what uname calls the processor.
func machineName() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	}
	return runtime.GOARCH
}

func (h host) Uname() (userland.Uname, error) {
	c := h.im.clock()
	c.lock()
	defer c.unlock()
	return h.im.p.box.uname(), h.im.gate(callCost)
}

func (b *Box) uname() userland.Uname {
	return userland.Uname{Sysname: "Linux", Nodename: b.hostname, Release: release, Version: version, Machine: machineName()}
}

func (h host) SetHostname(name string) error {
	err := h.setHostname(name)
	if err == syscall.EPERM && !h.im.p.cred.Privileged {
		h.im.refused("sethostname")
	}
	return err
}

func (h host) setHostname(name string) error {
	c := h.im.clock()
	c.lock()
	defer c.unlock()
	if err := h.im.gate(callCost); err != nil {
		return err
	}
	const most = 64
	switch {
	case !h.im.p.cred.Can(vfs.CapSysAdmin):
		return syscall.EPERM
	case len(name) > most:
		return syscall.EINVAL
	}
	h.im.p.box.hostname = name
	return nil
}

func (h host) CPUs() int { return h.im.p.box.cpus() }

func (h host) Memory() (userland.Usage, time.Duration, error) {
	c := h.im.clock()
	c.lock()
	defer c.unlock()
	m := h.im.p.box.m
	return m.usage(), c.now().Sub(m.boot), h.im.gate(callCost)
}

func (m *Machine) usage() userland.Usage {
	free := max(m.memory-m.used, 0)
	return userland.Usage{Total: m.memory, Free: free, Available: free}
}

// procs is userland.Procs.
type procs struct{ im *image }

func (p procs) Self() (pid, ppid int) {
	c := p.im.clock()
	c.lock()
	defer c.unlock()
	return p.im.p.pid, p.im.p.parentID()
}

func (p *Process) parentID() int {
	if p.parent == nil {
		return 0
	}
	return p.parent.pid
}

func (p procs) List() ([]userland.Process, error) {
	c := p.im.clock()
	c.lock()
	defer c.unlock()
	if err := p.im.gate(callCost); err != nil {
		return nil, err
	}
	var all []userland.Process
	for _, o := range p.im.p.box.sorted() {
		row := o.row()
		if o == p.im.p {
			row.State = 'R'
		}
		all = append(all, row)
	}
	return all, nil
}

func (p procs) Kill(pid, signal int) error { return p.im.kill(pid, signal) }

// row is the process in a process table.
func (p *Process) row() userland.Process {
	r := userland.Process{PID: p.pid, PPID: p.parentID(), PGID: p.pgid, SID: p.sid, UID: p.cred.UID, State: p.state(), Name: p.name(),
		TTY: p.ttyName(), CPU: p.cpu, Start: p.started.Sub(p.box.m.boot), VSZ: p.memory + programSize, RSS: p.memory}
	if p.zombie {
		r.VSZ = 0
		return r
	}
	r.Args = slices.Clone(p.Args)
	return r
}

func (p *Process) state() byte {
	switch {
	case p.zombie:
		return 'Z'
	case p.stopped:
		return 'T'
	case p.im.running > 0:
		return 'R'
	}
	return 'S'
}

// absoluteName is a descriptor's target as /proc shows it.
func absoluteName(f userland.File) string {
	switch f := f.(type) {
	case *vfs.File:
		return path.Clean(f.Name())
	case *terminalStream:
		return f.d.label()
	case *stream:
		return f.d.label()
	}
	return ""
}
