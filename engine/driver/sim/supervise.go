package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/home"
)

// startGrace bounds how long a supervisor waits for the client that spawned it.
const startGrace = 10 * time.Second

// Supervise is the whole life of a supervisor, from the name it was called by to its exit code. It reads its orders from its standard
// input, says on its standard output where it listens, and carries one container until that has ended.
func Supervise(argv []string) int {
	if len(argv) > 1 {
		fmt.Fprintln(os.Stderr, "learn: supervisors take no arguments; learn starts them by itself")
		return 2
	}
	// Caught and dropped: a supervisor ends with its container and not with a terminal.
	signal.Notify(make(chan os.Signal, 1))
	var o orders
	if err := json.NewDecoder(io.LimitReader(os.Stdin, maxMessage)).Decode(&o); err != nil {
		return 1 // whoever spawned it died, or is no client
	}
	s, err := newSupervisor(&o)
	if err != nil {
		_ = json.NewEncoder(os.Stdout).Encode(greeting{Error: err.Error()})
		return 1
	}
	if !s.run() {
		return 1
	}
	return 0
}

// supervisor is a process that carries a host and listens for its clients.
type supervisor struct {
	host     *host
	machine  *machine
	listener net.Listener
	leave    func() // lets go of socket and lock
}

func newSupervisor(o *orders) (*supervisor, error) {
	h, err := home.Open(o.Home)
	if err != nil {
		return nil, err
	}
	release, err := holdLife(context.Background(), o.Spec.Dir)
	if err != nil {
		return nil, err
	}
	listener, remove, err := listen(h.Root(), o.Spec.Dir)
	if err != nil {
		release()
		return nil, err
	}
	m := openMachine(h, false, os.Stderr)
	layers := tree.NewLayers(h, m.clock.Now)
	leave := sync.OnceFunc(func() {
		_ = listener.Close()
		remove()
		dropStderr(o.Spec.Dir)
		release()
	})
	hst := newHost(m, tree.NewSnapshots(h, layers, m.clock.Now), o, listener.Addr().String())
	return &supervisor{hst, m, listener, leave}, nil
}

// run carries the container to its end; false if it was not started.
func (s *supervisor) run() bool {
	defer s.leave()
	defer s.machine.close()
	if err := json.NewEncoder(os.Stdout).Encode(greeting{Address: s.host.address}); err != nil {
		return false
	}
	_ = os.Stdout.Close()
	_ = os.Stdin.Close()
	first := s.acceptFirst()
	prepared := s.host.prepare(context.Background())
	conn := <-first
	if conn == nil {
		s.host.closeParts()
		return false
	}
	if !s.host.serveStart(newWire(conn), prepared) {
		return false
	}
	ctx, stop := context.WithCancel(context.Background())
	var helpers sync.WaitGroup
	helpers.Go(func() { s.machine.follow(ctx) })
	helpers.Go(s.accept)
	s.host.finish(s.leave)
	stop()
	helpers.Wait()
	return true
}

// acceptFirst waits for the client that spawned this process, while the container is put together. nil: it did not come.
func (s *supervisor) acceptFirst() <-chan net.Conn {
	first := make(chan net.Conn, 1)
	late := time.AfterFunc(startGrace, func() { _ = s.listener.Close() })
	go func() {
		defer late.Stop()
		conn, err := s.listener.Accept()
		if err != nil {
			conn = nil
		}
		first <- conn
	}()
	return first
}

// accept serves clients, each in a goroutine of its own, until the listener is closed.
func (s *supervisor) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.host.admit() {
			_ = conn.Close()
			return
		}
		go s.host.serve(newWire(conn))
	}
}
