//go:build linux

package shim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/health"
	"github.com/learn-containers/learn/engine/driver/jsonfile"
	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/engine/driver/relay"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// shim supervises one container.
type shim struct {
	cfg       *Config
	self      int // descriptor of the engine's binary, read-only
	groups    *groups
	log       *jsonfile.Log
	foreign   *foreign // nil: no other runtime has a part in it
	io        *stdio
	listener  int
	pid       int     // of the first process
	cloned    uintptr // the flags that it was cloned with
	pidfd     int
	mounts    int // the container's mount namespace, held so that its end costs the supervisor time and nobody else
	record    Record
	witness   witness
	connector Connector
	first     *Conn      // connection
	stage     *Conn      // of the first stage that was forked ahead; nil: there is none
	net       Connection // nil: it has no part in networks

	mu      sync.Mutex // guards what follows
	events  *eventlog.Log
	watcher *cow.Watcher
	volumes []volumeWatch
	ended   bool
	talks   relay.Talks // connections being served
	stages  map[int]int // pidfds of the stages that reach into the container's files, by process id

	monitor   *health.Monitor // nil: its health is not checked
	dismissed chan struct{}   // closed when nobody is to start the container again
	dismiss   func()

	told atomic.Bool // somebody got to know the end, and will see to what is to be done then

	exit Exit
	done chan struct{} // closed when exit is recorded
}

// begun is the supervisor that Begin has begun in this process, until Main goes on with it: there is no object yet that could keep it.
var begun *shim

// Begin does what a supervisor can do before anything is initialised but what a first stage needs: it takes its first connection, which carries
// the start request and is descriptor 3, and forks the first stage, which wakes up meanwhile. Main goes on. Only an init function may call it:
// they run in the main thread.
func Begin() { begun = newSupervisor() }

func newSupervisor() *shim {
	// The first process dies with the thread that forked it (parent death signal); the main thread lives as long as the process.
	runtime.LockOSThread()
	// Caught and dropped: ignoring would be inherited by the container.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM)
	conn, err := NewConn(stageConn)
	if err != nil {
		os.Exit(1)
	}
	s := &shim{first: conn, listener: -1, pidfd: -1, done: make(chan struct{}), dismissed: make(chan struct{}), groups: &groups{unified: -1}}
	s.dismiss = sync.OnceFunc(func() { close(s.dismissed) })
	s.stage = s.forkAhead()
	return s
}

// superviseStage is the whole life of a supervisor.
func superviseStage(connect Connector) {
	s := begun
	if s == nil {
		s = newSupervisor()
	}
	s.connector = connect
	conn, stage := s.first, s.stage
	var req Request
	if conn.Receive(&req) != nil || req.Do != DoStart || req.Config == nil {
		os.Exit(1) // and the stage with it
	}
	s.cfg = req.Config
	s.witness.dir = s.cfg.Dir
	client, err := s.start(conn, &req, stage)
	if err != nil {
		s.giveUp(conn, err)
	}
	if req.Detach {
		conn.Close()
	} else {
		s.talks.Begin()
		go s.watchFirst(conn, client)
	}
	go s.accept()
	time.AfterFunc(trimDelay, trim)
	s.finish(s.reap())
}

// complain sends what the supervisor itself has to say to a file in the container's folder.
func (s *shim) complain() error {
	f, err := os.OpenFile(filepath.Join(s.cfg.Dir, StderrFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Dup3(int(f.Fd()), 2, 0)
}

// start runs the container's first process. stage is its first stage, or nil if there is none yet.
func (s *shim) start(conn *Conn, req *Request, stage *Conn) (attached *attachment, err error) {
	if err := s.complain(); err != nil {
		return nil, err
	}
	client, err := takeStreams(conn, req)
	if err != nil {
		return nil, err
	}
	if s.cfg.Trace {
		if s.events, err = openEvents(s.cfg.Dir); err != nil {
			return nil, err
		}
	}
	if s.self < 0 {
		if s.self, err = openSelf(); err != nil {
			return nil, err
		}
	}
	s.events.Postpone() // a process that was cloned ahead comes before its groups
	if s.groups, err = makeGroups(s.cfg, s.events, stage == nil || s.needsUnified()); err != nil {
		return nil, err
	}
	if err = s.groups.limitDevices(s.cfg.DeviceRules); err != nil {
		return nil, err
	}
	if s.log, err = jsonfile.Open(s.cfg.Log.options()); err != nil {
		return nil, err
	}
	hasInput := client.stdin >= 0 || s.cfg.OpenStdin
	if s.io, err = newStdio(&s.cfg.Process, hasInput, s.cfg.StdinOnce || !s.cfg.OpenStdin, s.log); err != nil {
		return nil, err
	}
	if s.cfg.Foreign != nil {
		return s.startForeign(conn, client, stage)
	}
	ahead := stage
	joined, err := s.cfg.Spaces.open()
	if err != nil {
		return nil, err
	}
	defer closeSpaces(joined)
	if stage, err = s.settleInit(stage, joined); err != nil {
		return nil, err
	}
	defer stage.Close()
	s.noteCloned(stage == ahead)
	if err := s.writeRecord(); err != nil { // first: by it others find what a killed supervisor leaves
		return nil, err
	}
	wires := s.beginConnect()
	defer s.keepConnection(wires) // whatever becomes of the start
	if err := s.prepare(); err != nil {
		return nil, err
	}
	failpoint.Hit("shim.start.before-go")
	cfg := stageConfig{Gated: wires != nil, Config: s.cfg, ID: s.cfg.ID, Tasks: s.groups.tasks(), Groups: s.shownGroups(), Trace: s.events != nil, Joined: s.groups.dirs(), Others: joined}
	if err := adjustOOMScore(s.pid, &s.cfg.Process); err != nil {
		return nil, err
	}
	s.events.Postpone()
	program, err := s.handOver(stage, cfg, s.io, s.pid, wires)
	s.cfg.Mounts = nil // what they hold in memory is the container's now
	if err != nil {
		return nil, err
	}
	s.events.Resume(append(wires.notes(), eventlog.Note(vocab.ProcExec, trace.String("container", s.cfg.ID),
		trace.Int("pid", int64(s.pid)), trace.String("program", program), trace.Strings("argv", s.cfg.Process.Args)))...)
	attached = s.io.attach(client)
	s.io.run()
	s.watchHealth()
	failpoint.Hit("shim.start.after-go")
	return attached, conn.Send(Reply{Kind: ReplyStarted, Pid: s.pid})
}

// noteCloned tells that the first process was made: before its control groups if it was, and after them if it had to be born in one.
func (s *shim) noteCloned(ahead bool) {
	if ahead {
		s.events.Resume(s.clonedNote())
		return
	}
	s.events.Resume()
	if s.events != nil {
		note := s.clonedNote()
		s.events.Fact(note.Kind, note.Attrs...)
	}
}

// needsUnified reports whether the container needs a version 2 group, whatever its limits: to be ended as a whole.
func (s *shim) needsUnified() bool { return !s.cfg.Spaces.PID.Own() }

// shownGroups names the control group hierarchies that the container sees: a privileged one all of them.
func (s *shim) shownGroups() []string {
	if !s.cfg.Privileged {
		return s.groups.names()
	}
	var names []string
	for _, h := range Hierarchies(s.cfg.Rootless) {
		if h.name() != "" {
			names = append(names, h.name())
		}
	}
	return names
}

// prepare does, while the stage is still waking up, what must stand before the program runs: the socket, and the eye on the writable layer.
func (s *shim) prepare() error {
	if err := s.listen(); err != nil {
		return err
	}
	if s.events != nil {
		return s.watchLayer()
	}
	s.forgetReported()
	return nil
}

func (s *shim) writeRecord() error {
	start, err := StartTime(s.pid)
	if err != nil {
		return fmt.Errorf("identify first process: %w", err)
	}
	own, err := StartTime(os.Getpid())
	if err != nil {
		return fmt.Errorf("identify supervisor: %w", err)
	}
	s.record = Record{Ephemeral: s.cfg.Ephemeral, Pid: s.pid, StartTime: start, ShimPid: os.Getpid(), ShimStartTime: own, BootID: BootID(),
		StartedAt: time.Now().UTC(), Cgroups: s.groups.dirs(), Rests: len(s.cfg.OnEnd) > 0, Foreign: s.foreign != nil}
	if !s.cfg.Spaces.PID.Own() {
		s.record.Mounts = mountsOf(s.pid)
	}
	return writeFile(s.cfg.Dir, TaskFile, s.record, false)
}

// handOver sends the stage its orders and returns when the user's program, which it names, has taken over. A first stage waits for wires.
func (s *shim) handOver(stage *Conn, cfg stageConfig, std *stdio, pid int, wires *connecting) (program string, err error) {
	fds := std.child[:]
	for _, j := range cfg.Others {
		fds = append(fds, j.fd)
	}
	err = stage.Send(cfg, fds...)
	std.releaseChild()
	if err != nil {
		return "", s.stageDied(pid, err)
	}
	if err := wires.wait(); err != nil {
		return "", err
	}
	if cfg.Gated {
		_ = stage.Send(gate{Open: true}) // one that can't go on is gone, and has said why
	}
	return s.takeOver(stage, std, pid)
}

// takeOver returns when the program of a stage that has its orders has taken over.
func (s *shim) takeOver(stage *Conn, std *stdio, pid int) (program string, err error) {
	ready := false
	for {
		var r report
		err := stage.Receive(&r)
		switch {
		case errors.Is(err, io.EOF) && ready:
			return program, nil
		case err != nil:
			return "", s.stageDied(pid, err)
		case r.Code != 0:
			return "", &commandError{r.Code, r.Error}
		case r.Error != "":
			return "", errors.New(r.Error)
		case r.Terminal:
			fds, err := stage.TakeFDs(1)
			if err != nil {
				return "", err
			}
			std.useTerminal(fds[0])
		case r.Listener:
			fds, err := stage.TakeFDs(1)
			if err != nil {
				return "", err
			}
			go s.answerRefusals(fds[0]) // ends with the last process that has the filter
		case r.Ready:
			ready, program = true, r.Program
		}
	}
}

func (s *shim) stageDied(pid int, err error) error {
	_ = unix.Kill(pid, unix.SIGKILL)
	return fmt.Errorf("start process: its first stage ended early: %w; see %s", err, filepath.Join(s.cfg.Dir, StderrFile))
}

// giveUp undoes a start that did not come to the user's program.
func (s *shim) giveUp(conn *Conn, err error) {
	s.witness.close()
	s.disconnect()
	if s.pid > 0 {
		_ = unix.Kill(s.pid, unix.SIGKILL)
		s.reap()
		s.endRest()
	}
	if s.watcher != nil {
		_ = s.watcher.Finish()
	}
	for _, v := range s.volumes {
		_ = v.watcher.Finish()
	}
	s.events.Resume()
	if s.foreign != nil {
		s.foreign.remove()
	}
	s.groups.remove()
	for _, name := range []string{TaskFile, socketName} {
		_ = os.Remove(filepath.Join(s.cfg.Dir, name))
	}
	s.dropStderr()
	_ = conn.Send(errorReply(err))
	os.Exit(1)
}

func errorReply(err error) Reply {
	var cmd *commandError
	if errors.As(err, &cmd) {
		return Reply{Kind: ReplyCommand, Code: cmd.code, Message: cmd.msg}
	}
	return Reply{Kind: ReplyError, Message: err.Error()}
}

// reap waits for the end of the first process; the kernel has ended all others of the container by then.
func (s *shim) reap() unix.WaitStatus {
	return waitPid(s.pid)
}

func waitPid(pid int) unix.WaitStatus {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return ws
		}
	}
}

func exitOf(ws unix.WaitStatus) Exit {
	e := Exit{At: time.Now().UTC()}
	if ws.Signaled() {
		e.Signal = int(ws.Signal())
		e.Code = 128 + e.Signal
		return e
	}
	e.Code = ws.ExitStatus()
	return e
}

// ownPidNamespace opens the process namespace of the shim.
func ownPidNamespace() (int, error) {
	return unix.Open("/proc/"+strconv.Itoa(os.Getpid())+"/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
}
