//go:build linux

package shim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Foreign asks for another OCI runtime instead of this package's own first stage.
type Foreign struct {
	Name    string          `json:"name"`    // as the user said
	Program string          `json:"program"` // absolute
	Bundle  json.RawMessage `json:"bundle"`  // the config.json; its root is RootFolder in the container's folder
}

// Names in a container's folder that a foreign runtime works with.
const (
	RootFolder    = "rootfs"
	bundleFolder  = "bundle"
	runtimeFolder = "runtime" // the runtime's own state
	runtimeLog    = "runtime.log"
)

// foreign speaks to a runtime of others by its command line (runtime-spec, runtime.md). All commands run on one thread, in a mount namespace
// of this supervisor's: there the container's layers are mounted, which nobody else sees and which end with the supervisor.
type foreign struct {
	cfg   *Config
	log   *eventlog.Log
	calls chan func()
	count atomic.Int64 // of launched processes
	known map[int]bool // children that somebody waits for; the thread's
}

// newForeign starts the thread, which lives as long as this process, and mounts the root.
func newForeign(cfg *Config, log *eventlog.Log) (*foreign, error) {
	f := &foreign{cfg: cfg, log: log, calls: make(chan func()), known: map[int]bool{}}
	// What the runtime leaves behind, the container's process first of all, becomes this process's child.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("adopt the runtime's processes: %w", err)
	}
	ready := make(chan error)
	go f.serve(ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	go func() { // as long as this process
		for range ended {
			f.calls <- f.reapStrays
		}
	}()
	return f, nil
}

// serve is the thread's life. It is never unlocked, so the mounts end with the process.
func (f *foreign) serve(ready chan error) {
	runtime.LockOSThread()
	err := f.separate()
	ready <- err
	if err != nil {
		return
	}
	for call := range f.calls { // never closed
		call()
	}
}

// reapStrays waits for children that nobody knows: what a command of the runtime left behind. The first process of a process namespace
// can't end before all others in it have been waited for.
func (f *foreign) reapStrays() {
	for _, pid := range children(os.Getpid()) {
		if st, err := readStat(pid); err == nil && st.state == 'Z' && !f.known[pid] {
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
}

// children lists the direct children of a process.
func children(parent int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, err := readStat(pid); err == nil && st.ppid == parent {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (f *foreign) path(name string) string { return filepath.Join(f.cfg.Dir, name) }

// separate makes the thread's mount namespace, mounts the root, and writes the bundle.
func (f *foreign) separate() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	hideUnified(f.cfg.Rootless)
	if err := os.RemoveAll(f.path(runtimeFolder)); err != nil { // of a run whose supervisor was killed
		return fmt.Errorf("make bundle: %w", err)
	}
	for _, name := range []string{RootFolder, bundleFolder, runtimeFolder} {
		if err := os.Mkdir(f.path(name), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("make bundle: %w", err)
		}
	}
	root, err := mountOverlay(f.cfg.Root, f.path(RootFolder))
	if err != nil {
		return err
	}
	unix.Close(root.fd)
	if f.log != nil {
		f.log.Fact(vocab.MountDo, trace.String("container", f.cfg.ID), trace.String("target", "/"), trace.String("type", "overlay"),
			trace.String("source", "overlay"), trace.String("options", overlayOptions(f.cfg.Root)))
	}
	return os.WriteFile(filepath.Join(f.path(bundleFolder), "config.json"), f.cfg.Foreign.Bundle, 0o600)
}

// hideUnified takes the version 2 hierarchy away where version 1 does the work: crun refuses to run with a controller in either.
func hideUnified(rootless bool) {
	mounted := Hierarchies(rootless)
	if !joinsLater(mounted) {
		return
	}
	for _, h := range mounted {
		if h.Version == 2 {
			_ = unix.Unmount(h.Dir, unix.MNT_DETACH)
		}
	}
}

// run carries out one command of the runtime with these streams. If pid is not nil it gets the number from the file.
func (f *foreign) run(std [3]int, pidFile string, pid *int, words ...string) error {
	if f.log != nil {
		f.log.Fact(vocab.RuntimeCall, trace.String("container", f.cfg.ID), trace.String("runtime", f.cfg.Foreign.Name), trace.String("command", words[0]))
	}
	done := make(chan error)
	f.calls <- func() {
		err := f.call(std, words)
		if err == nil && pid != nil {
			*pid, err = f.adopt(pidFile)
		}
		done <- err
	}
	return <-done
}

// adopt reads the id of the process that a command made, which is this process's child now.
func (f *foreign) adopt(pidFile string) (int, error) {
	pid := 0
	data, err := os.ReadFile(pidFile)
	if err == nil {
		pid, err = strconv.Atoi(strings.TrimSpace(string(data)))
	}
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("OCI runtime %s: it wrote no process id", f.cfg.Foreign.Name)
	}
	f.known[pid] = true
	return pid, nil
}

func (f *foreign) call(std [3]int, words []string) error {
	log := f.path(runtimeLog)
	_ = os.Remove(log)
	argv := append([]string{f.cfg.Foreign.Program, "--root", f.path(runtimeFolder), "--log", log, "--log-format", "json"}, words...)
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Dir: "/", Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Files: []uintptr{uintptr(std[0]), uintptr(std[1]), uintptr(std[2])}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return fmt.Errorf("run runtime %s: %w", argv[0], err)
	}
	ws := waitPid(pid)
	if ws.Exited() && ws.ExitStatus() == 0 {
		return nil
	}
	return f.failure(words[0], exitOf(ws).Code)
}

// failure is what the runtime said last, in docker's words where the container's own command is at fault.
func (f *foreign) failure(command string, code int) error {
	msg := ""
	data, _ := os.ReadFile(f.path(runtimeLog))
	for line := range bytes.Lines(data) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg != "" && entry.Level != "warning" {
			msg = entry.Msg
		}
	}
	if msg == "" {
		msg = fmt.Sprintf("it ended with %d and said nothing", code)
	}
	text := fmt.Sprintf("OCI runtime %s failed: %s: %s", command, f.cfg.Foreign.Name, msg)
	if command != "create" && command != "start" && command != "exec" {
		return errors.New(text)
	}
	switch low := strings.ToLower(msg); {
	case strings.Contains(low, "executable file") && strings.Contains(low, "not found"), strings.Contains(low, "exec") && strings.Contains(low, "no such file or directory"):
		return &commandError{codeNotFound, text}
	case strings.Contains(low, "exec") && strings.Contains(low, "permission denied"), strings.Contains(low, "exec format error"), strings.Contains(low, "open executable"):
		return &commandError{codeNotExecutable, text}
	}
	return errors.New(text)
}

// quiet are streams for commands that the container does not inherit.
func (f *foreign) quiet(words ...string) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", "/dev/null", err)
	}
	defer unix.Close(null)
	return f.run([3]int{null, null, null}, "", nil, words...)
}

// launch runs a command that makes a process with the streams of std, and gives the process's id.
func (f *foreign) launch(std *stdio, p *Process, words ...string) (pid int, err error) {
	pidFile := f.path("runtime-" + strconv.FormatInt(f.count.Add(1), 10) + ".pid")
	defer os.Remove(pidFile)
	words = append(words[:1:1], append([]string{"--pid-file", pidFile}, words[1:]...)...)
	var console *consoleSocket
	if p.Terminal {
		if console, err = newConsoleSocket(); err != nil {
			return 0, err
		}
		defer console.close()
		words = append(words[:1:1], append([]string{"--console-socket", console.name}, words[1:]...)...)
	}
	err = f.run(std.child, pidFile, &pid, words...)
	std.releaseChild()
	if err != nil {
		return 0, err
	}
	if console == nil {
		return pid, nil
	}
	master, err := console.take()
	if err != nil {
		return pid, err
	}
	if err := setSize(master, p.Cols, p.Rows); err != nil {
		return pid, fmt.Errorf("size terminal: %w", err)
	}
	std.useTerminal(master)
	return pid, nil
}

func (f *foreign) create(std *stdio) (int, error) {
	return f.launch(std, &f.cfg.Process, "create", "--bundle", f.path(bundleFolder), f.cfg.ID)
}

// exec runs a further process.
func (f *foreign) exec(std *stdio, p *Process) (int, error) {
	process, err := json.Marshal(SpecProcess(p))
	if err != nil {
		return 0, err
	}
	name := f.path("exec-" + strconv.FormatInt(f.count.Add(1), 10) + ".json")
	if err := os.WriteFile(name, process, 0o600); err != nil {
		return 0, err
	}
	defer os.Remove(name)
	return f.launch(std, p, "exec", "--process", name, "--detach", f.cfg.ID)
}

func (f *foreign) signal(sig unix.Signal) error {
	return f.quiet("kill", f.cfg.ID, strconv.Itoa(int(sig)))
}

func (f *foreign) freeze(on bool) error {
	if on {
		return f.quiet("pause", f.cfg.ID)
	}
	return f.quiet("resume", f.cfg.ID)
}

// remove deletes the container from the runtime, whatever state it is in, and what was made for it here.
func (f *foreign) remove() {
	if err := f.quiet("delete", "--force", f.cfg.ID); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
	}
	for _, name := range []string{bundleFolder, runtimeFolder, runtimeLog} {
		_ = os.RemoveAll(f.path(name))
	}
	_ = os.Remove(f.path(RootFolder)) // a mount point outside the thread's namespace, so empty
}

// startForeign runs the container by a runtime of others.
func (s *shim) startForeign(conn *Conn, client streams, stage *Conn) (attached *attachment, err error) {
	if stage != nil { // the one that was forked ahead has nothing to do
		_ = stage.Close()
		s.abandonInit()
	}
	s.events.Resume()
	if s.foreign, err = newForeign(s.cfg, s.events); err != nil {
		return nil, err
	}
	if s.pid, err = s.foreign.create(s.io); err != nil {
		return nil, err
	}
	if s.pidfd, err = unix.PidfdOpen(s.pid, 0); err != nil {
		return nil, fmt.Errorf("watch first process: %w", err)
	}
	if err := s.writeRecord(); err != nil {
		return nil, err
	}
	wires := s.beginConnect()
	defer s.keepConnection(wires)
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if err := wires.wait(); err != nil {
		return nil, err
	}
	s.events.Postpone()
	if err := s.foreign.quiet("start", s.cfg.ID); err != nil {
		return nil, err
	}
	s.events.Resume(append(wires.notes(), eventlog.Note(vocab.ProcExec, trace.String("container", s.cfg.ID),
		trace.Int("pid", int64(s.pid)), trace.String("program", s.cfg.Process.Args[0]), trace.Strings("argv", s.cfg.Process.Args)))...)
	attached = s.io.attach(client)
	s.io.run()
	s.watchHealth()
	return attached, conn.Send(Reply{Kind: ReplyStarted, Pid: s.pid})
}

// consoleSocket takes a terminal from a runtime. Its name has to be short, so it is not in the container's folder.
type consoleSocket struct {
	dir, name string
	fd        int
}

func newConsoleSocket() (*consoleSocket, error) {
	dir, err := os.MkdirTemp("", "learn-")
	if err != nil {
		return nil, fmt.Errorf("make socket for terminal: %w", err)
	}
	c := &consoleSocket{dir: dir, name: filepath.Join(dir, "tty"), fd: -1}
	if c.fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err == nil {
		if err = unix.Bind(c.fd, &unix.SockaddrUnix{Name: c.name}); err == nil {
			err = unix.Listen(c.fd, 1)
		}
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("make socket for terminal: %w", err)
	}
	return c, nil
}

func (c *consoleSocket) close() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	_ = os.RemoveAll(c.dir)
}

// take gives the terminal's master. A runtime that ended well has connected already.
func (c *consoleSocket) take() (int, error) {
	fd, _, err := unix.Accept4(c.fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("take terminal from runtime: %w", err)
	}
	defer unix.Close(fd)
	limit := unix.NsecToTimeval(int64(5 * time.Second))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit)
	buf, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err == nil {
		var msgs []unix.SocketControlMessage
		if msgs, err = unix.ParseSocketControlMessage(oob[:n]); err == nil && len(msgs) == 1 {
			var fds []int
			if fds, err = unix.ParseUnixRights(&msgs[0]); err == nil && len(fds) == 1 {
				return fds[0], nil
			}
		}
	}
	return -1, errors.Join(errors.New("take terminal from runtime: it sent none"), err)
}
