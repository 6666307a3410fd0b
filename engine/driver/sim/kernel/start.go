package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

// ProcessConfig describes a process that is started from outside. Each stream is an end of a pipe of the machine, a terminal's
// slave (the same one for all three) or any other; nil is /dev/null. A process that could be started has the streams from then
// on and closes them; after an error they are still the caller's.
type ProcessConfig struct {
	driver.Process
	Init           bool // the process is a small init, and the command its child
	Stdin          io.ReadCloser
	Stdout, Stderr io.WriteCloser
}

// Exit codes of a command that cannot be run, as docker has them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

const firstUmask = 0o022

// Start runs a process. The first one of a box is its init, PID 1; others have a parent that is not in the box. The error is a
// *driver.CommandError if the command itself is at fault, driver.ErrNotRunning after the box's end.
func (b *Box) Start(cfg ProcessConfig) (*Process, error) {
	b.m.clock.lock()
	first, dead := len(b.procs) == 0 && b.init == nil, b.dead
	b.m.clock.unlock()
	if dead {
		return nil, driver.ErrNotRunning
	}
	p := b.newProcess(cfg.Process, nil)
	if p.Cwd == "" {
		p.Cwd = "/"
	}
	im := p.newImage(firstUmask)
	if err := b.enterCwd(im.view, p.Cwd, first); err != nil {
		return nil, err
	}
	if real, err := im.view.Real(p.Cwd); err == nil {
		p.Cwd = real // getcwd(2) knows no links
	}
	file, err := b.lookPath(im.view, p)
	if err != nil {
		return nil, err
	}
	p.file = file
	prog, err := b.load(im.view, p.Cwd, file, p.Args)
	if err != nil {
		return nil, execError(p.Args[0], file, err)
	}
	im.assume(prog)
	if cfg.Init {
		im.wrapInit(file)
	}
	if err := im.startFrom(cfg); err != nil {
		return nil, err
	}
	return p, nil
}

// startFrom takes the streams over and lets the process live.
func (im *image) startFrom(cfg ProcessConfig) error {
	streams := []any{cfg.Stdin, cfg.Stdout, cfg.Stderr}
	for _, s := range streams {
		if err := im.inherit(s, true); err != nil {
			im.discard()
			return fmt.Errorf("take standard stream: %w", err)
		}
	}
	im.p.hostPID = im.p.box.m.hostPID()
	c := im.clock()
	c.lock()
	err := im.p.box.launch(im)
	if err == nil {
		im.p.outside = true
		if t := im.terminal(); t != nil && cfg.Terminal {
			im.p.takeTerminal(t)
		}
		im.begin()
	}
	c.unlock()
	if err != nil {
		im.discard()
		return fmt.Errorf("start process: %w", err)
	}
	for _, s := range streams {
		if own, ok := s.(interface {
			sharer
			io.Closer
		}); ok {
			own.Close()
		}
	}
	return nil
}

// terminal is the terminal that is the program's standard input.
func (im *image) terminal() *tty {
	if s, ok := im.fds[0].(*terminalStream); ok {
		return s.tty
	}
	return nil
}

// discard is the end of an image that never began. A caller's stream stays the caller's.
func (im *image) discard() {
	c := im.clock()
	c.lock()
	defer c.unlock()
	for _, s := range im.open {
		if f, ok := s.d.object.(*foreign); ok {
			f.c = nil
		}
	}
	im.closeAll()
	im.gone = true
	c.later(im.cancel)
}

func (b *Box) newProcess(d driver.Process, parent *Process) *Process {
	p := &Process{Process: d, box: b, parent: parent, done: make(chan struct{}), umask: firstUmask, limits: firstResources(d.Rlimits)}
	p.cred = vfs.Cred{UID: int(d.UID), GID: int(d.GID), Privileged: d.Privileged}
	p.cred.Limit(d.Powers)
	for _, g := range d.Groups {
		p.cred.Groups = append(p.cred.Groups, int(g))
	}
	return p
}

// filtered tells whether the process has a filter for system calls.
func (p *Process) filtered() bool { return !p.Privileged && p.Seccomp != driver.Unconfined }

// newImage makes the world of a program that does not run yet.
func (p *Process) newImage(umask int) *image {
	im := &image{p: p}
	im.ctx, im.cancel = context.WithCancel(context.Background())
	im.view = p.box.cfg.NS.View(p.cred, calls{im})
	im.view.Umask(umask)
	return im
}

// assume makes prog the image's program, with the rights that its file gives.
func (im *image) assume(prog program) {
	im.prog, im.cred = prog, im.p.powers(prog.exe)
	if im.cred.UID != im.p.cred.UID || im.cred.GID != im.p.cred.GID {
		umask := im.view.Umask(0)
		im.view = im.p.box.cfg.NS.View(im.cred, calls{im})
		im.view.Umask(umask)
	}
}

// enterCwd checks the working folder; for the first process it is made.
func (b *Box) enterCwd(v *vfs.View, cwd string, first bool) error {
	if first {
		if err := b.makeFolder(path.Clean("/" + cwd)); err != nil {
			return fmt.Errorf("set working folder: %w", err)
		}
	}
	if err := v.CheckDir(cwd); err != nil {
		return fmt.Errorf("set working folder %s: %w", cwd, bare(err))
	}
	return nil
}

// makeFolder makes a folder and those above it, as root.
func (b *Box) makeFolder(name string) error {
	info, err := b.root.Stat(name)
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := b.makeFolder(path.Dir(name)); err != nil {
		return err
	}
	return b.root.Mkdir(name, 0o755)
}

// bare is the number under an error.
func bare(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// lookPath finds the program: a name with a slash as it is, others in the PATH of the process's own environment. Errors use
// the words that docker users search for.
func (b *Box) lookPath(v *vfs.View, p *Process) (string, error) {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return "", commandError(codeNotFound, `exec: "": executable file not found in $PATH`)
	}
	name := p.Args[0]
	if strings.Contains(name, "/") {
		return name, checkProgram(v, p.Cwd, name)
	}
	denied := false
	for _, dir := range strings.Split(pathOf(p.Env), ":") {
		full := path.Join(dir, name)
		if dir == "" || dir == "." {
			full = "./" + name
		}
		err := executable(v, absolute(p.Cwd, full))
		if err == nil {
			return full, nil
		}
		denied = denied || err == syscall.EACCES
	}
	if denied {
		return "", commandError(codeNotExecutable, "exec: %q: permission denied", name)
	}
	return "", commandError(codeNotFound, "exec: %q: executable file not found in $PATH", name)
}

// pathOf is the last PATH of an environment, or docker's default.
func pathOf(env []string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], "PATH="); ok {
			return v
		}
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

func checkProgram(v *vfs.View, dir, name string) error {
	switch err := executable(v, absolute(dir, name)); err {
	case nil:
		return nil
	case syscall.EACCES:
		return commandError(codeNotExecutable, "exec: %q: permission denied", name)
	case syscall.EISDIR:
		return commandError(codeNotExecutable, "exec: %q: is a directory", name)
	default:
		return commandError(codeNotFound, "exec: %q: stat %s: %s", name, name, errorText(err))
	}
}

// executable tells as a number why a file could not be executed, as far as its mode tells.
func executable(v *vfs.View, name string) error {
	info, err := v.Stat(name)
	if err != nil {
		return bare(err)
	}
	if info.IsDir() {
		return syscall.EISDIR
	}
	return bare(v.CheckExec(name))
}

func commandError(code int, format string, args ...any) error {
	return &driver.CommandError{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// execError turns what execve said into docker's words.
func execError(name, file string, err error) error {
	var other *foreignError
	switch {
	case errors.As(err, &other):
		return commandError(codeNotExecutable, "%s", other)
	case errors.Is(err, syscall.ENOENT):
		// The file is there, so it is its interpreter that is not.
		return commandError(codeNotFound, "exec %s: no such file or directory", file)
	case errors.Is(err, syscall.ENOEXEC):
		return commandError(codeNotExecutable, "exec %s: exec format error", file)
	}
	return commandError(codeNotExecutable, "exec: %q: %s", name, errorText(bare(err)))
}

// errorText is an error in Linux's words on every host.
func errorText(err error) string {
	switch err {
	case syscall.ENOENT:
		return "no such file or directory"
	case syscall.EACCES:
		return "permission denied"
	case syscall.ENOTDIR:
		return "not a directory"
	case syscall.ELOOP:
		return "too many levels of symbolic links"
	case syscall.ENAMETOOLONG:
		return "file name too long"
	}
	return err.Error()
}
