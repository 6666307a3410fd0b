//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// listen makes the socket for later clients. Its folder belongs to the owner alone, and so does it.
func (s *shim) listen() error {
	addr, release, err := socketAddr(s.cfg.Dir)
	if err != nil {
		return err
	}
	defer release()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	_ = os.Remove(filepath.Join(s.cfg.Dir, socketName))
	old := unix.Umask(0o177)
	err = unix.Bind(fd, addr)
	unix.Umask(old)
	if err == nil {
		err = unix.Listen(fd, 64)
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("listen for clients: %w", err)
	}
	s.listener = fd
	return nil
}

// accept serves clients, each in a goroutine of its own, until the process ends.
func (s *shim) accept() {
	f := os.NewFile(uintptr(s.listener), "listener")
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	for {
		fd := -1
		rerr := raw.Read(func(l uintptr) bool {
			fd, _, err = unix.Accept4(int(l), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return !errors.Is(err, unix.EAGAIN)
		})
		if rerr != nil {
			return
		}
		if err != nil {
			continue
		}
		if conn, err := NewConn(fd); err == nil {
			s.talks.Begin()
			go s.serve(conn)
			time.AfterFunc(trimDelay, trim) // what serving it brings in goes again
		}
	}
}

// watchFirst serves the rest of the connection that started the container.
func (s *shim) watchFirst(conn *Conn, client *attachment) {
	defer s.talks.End()
	defer conn.Close()
	s.awaitEnd(conn, client)
}

// awaitEnd tells the client how the container ended, unless it leaves before. The client may have streams connected.
func (s *shim) awaitEnd(conn *Conn, client *attachment) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		heed(conn, s.io)
	}()
	select {
	case <-s.done:
		if conn.Send(Reply{Kind: ReplyExit, Exit: &s.exit}) == nil {
			s.told.Store(true)
		}
		client.end()
	case <-left:
		client.left()
	}
}

// heed takes further words of a client, which are sizes of its terminal, until it is gone.
func heed(conn *Conn, std *stdio) {
	for {
		var req Request
		if conn.Receive(&req) != nil {
			return
		}
		if req.Do == DoResize {
			_ = std.resize(req.Cols, req.Rows)
		}
	}
}

// serve answers one request.
func (s *shim) serve(conn *Conn) {
	defer s.talks.End()
	defer conn.Close()
	if uid, err := conn.peer(); err != nil || uid != 0 && uid != uint32(os.Getuid()) {
		return
	}
	var req Request
	if conn.Receive(&req) != nil {
		return
	}
	client, err := takeStreams(conn, &req)
	if err != nil {
		client.close()
		_ = conn.Send(errorReply(err))
		return
	}
	switch req.Do {
	case DoWait:
		s.awaitEnd(conn, &attachment{})
	case DoAttach:
		s.awaitEnd(conn, s.io.attach(client))
	case DoExec:
		s.exec(conn, &req, client)
	case DoFiles:
		s.serveFiles(conn, client)
	case DoDelete:
		s.witness.sent(s.pid, unix.SIGKILL, req.Why, req.Client)
		s.dismiss()
		_ = unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0)
		s.thaw()
		s.awaitEnd(conn, &attachment{})
	default:
		s.answer(conn, &req)
	}
}

// answer carries out the requests that are done at once.
func (s *shim) answer(conn *Conn, req *Request) {
	reply := Reply{Kind: ReplyOK}
	if err := s.control(req, &reply); err != nil {
		reply = errorReply(err)
		if errors.Is(err, unix.ESRCH) {
			reply.Kind = ReplyGone
		}
	}
	_ = conn.Send(reply)
}

func (s *shim) control(req *Request, reply *Reply) error {
	if req.Do == DoDismiss { // also where the end is on disk and not yet known here
		s.dismiss()
		return nil
	}
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended {
		return unix.ESRCH
	}
	switch req.Do {
	case DoOnEnd:
		return s.setOnEnd(req)
	case DoSignal:
		return s.signal(req)
	case DoResize:
		return s.io.resize(req.Cols, req.Rows)
	case DoPause, DoResume:
		defer s.syncTrace()
		return s.pause(req.Do == DoPause)
	case DoSync:
		s.syncTrace()
		return nil
	case DoTrace:
		return s.beginTrace()
	case DoUpdate:
		return s.update(req.Limits)
	case DoUsage:
		u, err := s.usage()
		reply.Usage = &u
		return err
	case DoReveal:
		var err error
		reply.Reveal, err = s.reveal(req.Files, req.Links)
		return err
	case DoRewire:
		var err error
		reply.Plan, err = s.rewire(req.Net)
		return err
	case DoProcesses:
		boot := bootTime()
		for _, pid := range s.members() {
			if p, ok := describeProcess(pid, boot); ok {
				reply.Processes = append(reply.Processes, p)
			}
		}
		return nil
	}
	return fmt.Errorf("serve client: no such request: %q", req.Do)
}

func (s *shim) signal(req *Request) error {
	sig := unix.Signal(req.Signal)
	if sig != 0 {
		s.witness.sent(s.pid, sig, req.Why, req.Client)
	}
	events := s.eventLog()
	events.Postpone() // what the signal causes comes after it
	if err := s.deliver(sig); err != nil {
		events.Resume()
		return fmt.Errorf("signal process %d: %w", s.pid, err)
	}
	events.Resume(eventlog.Note(vocab.ProcSignal, trace.String("container", s.cfg.ID),
		trace.Int("pid", int64(s.pid)), trace.String("signal", unix.SignalName(sig))))
	return nil
}

func (s *shim) deliver(sig unix.Signal) error {
	if s.foreign != nil {
		return s.foreign.signal(sig)
	}
	return unix.PidfdSendSignal(s.pidfd, sig, nil, 0)
}

// thaw lets a paused container take its signal. One that runs is left alone: the control groups may be on their way out.
func (s *shim) thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.record.Paused && !s.ended {
		_ = s.freeze(false)
	}
}

func (s *shim) pause(on bool) error {
	if on {
		s.monitor.Pause() // a probe that is under way has to end before it can't
	}
	err := s.pauseAll(on)
	if on == (err != nil) {
		s.monitor.Resume()
	}
	return err
}

func (s *shim) pauseAll(on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.freeze(on); err != nil {
		return err
	}
	s.record.Paused = on
	s.record.Cgroups = s.groups.dirs()
	return writeFile(s.cfg.Dir, TaskFile, s.record, false)
}

// beginTrace records events of a container that was started without.
func (s *shim) beginTrace() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events != nil || s.ended {
		return nil
	}
	log, err := openEvents(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.events, s.groups.log = log, log
	return s.watchLayer()
}

// takeStreams takes the descriptors that a request announced.
func takeStreams(conn *Conn, req *Request) (streams, error) {
	c := streams{-1, -1, -1}
	for _, w := range []struct {
		there bool
		fd    *int
	}{{req.Stdin, &c.stdin}, {req.Stdout, &c.stdout}, {req.Stderr, &c.stderr}} {
		if !w.there {
			continue
		}
		fds, err := conn.TakeFDs(1)
		if err != nil {
			return c, err
		}
		*w.fd = fds[0]
	}
	return c, nil
}
