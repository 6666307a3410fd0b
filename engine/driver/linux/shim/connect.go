//go:build linux

package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
)

// Net is what a supervisor connects its container to. It is read by the Connector alone: this package has to stay lean.
type Net struct {
	Plan     json.RawMessage `json:"plan"`      // network.Plan
	Home     string          `json:"home"`      // the engine's folder: whose bridges and rules they are
	Dir      string          `json:"connected"` // folder of the plans that were carried out
	Servers  []string        `json:"servers,omitempty"`
	Rootless bool            `json:"rootless,omitempty"`
	Path     string          `json:"path,omitempty"` // the user's PATH, for programs that are a way out
}

// Connector carries out a plan for the container whose network namespace is netns, which is the Connection's from then on, or closed again after
// an error. That leaves nothing else behind either.
type Connector func(n *Net, id string, netns *os.File, log func() *eventlog.Log) (Connection, error)

// Connection is a container's part in networks.
type Connection interface {
	// Notes tell of what was made; what comes later is recorded at once.
	Notes() []trace.Event
	// Plan is the plan as it is carried out now.
	Plan() (json.RawMessage, error)
	// Rewire goes over to another plan, and gives it as it was carried out.
	Rewire(n *Net) (json.RawMessage, error)
	// Withdraw ends what others can see of it, before anybody is told of the container's end.
	Withdraw() error
	// Close takes apart what is left.
	Close() error
}

// connecting is a connection that is being made while the first stage puts the container's root together.
type connecting struct {
	done chan struct{}
	c    Connection
	err  error
}

// beginConnect connects beside the caller; nil if there is nothing to connect.
func (s *shim) beginConnect() *connecting {
	if s.cfg.Net == nil {
		return nil
	}
	b := &connecting{done: make(chan struct{})}
	netns, err := s.openNetns() // now: a stage that comes to an early end has to be heard, not missed
	if err != nil {
		b.err = err
		close(b.done)
		return b
	}
	go func() {
		defer close(b.done)
		b.c, b.err = s.connector(s.cfg.Net, s.cfg.ID, netns, s.eventLog)
	}()
	return b
}

func (s *shim) openNetns() (*os.File, error) {
	netns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", s.pid))
	if err != nil {
		return nil, fmt.Errorf("connect container: %w", err)
	}
	return netns, nil
}

// wait waits until it is made, or can't be.
func (b *connecting) wait() error {
	if b == nil {
		return nil
	}
	<-b.done
	return b.err
}

// notes tell of what was made.
func (b *connecting) notes() []trace.Event {
	if b == nil || b.wait() != nil {
		return nil
	}
	return b.c.Notes()
}

// keepConnection makes what was begun the supervisor's.
func (s *shim) keepConnection(b *connecting) {
	if b != nil && b.wait() == nil {
		s.net = b.c
	}
}

// withdraw ends the container's part in networks before anybody is told that it has ended.
func (s *shim) withdraw() {
	if s.net == nil {
		return
	}
	if err := s.net.Withdraw(); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: withdraw from networks:", err)
	}
}

// disconnect takes apart what the container was connected with.
func (s *shim) disconnect() {
	if s.net == nil {
		return
	}
	if err := s.net.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: disconnect:", err)
	}
}

// rewire connects the container as a new plan says.
func (s *shim) rewire(to *Net) (json.RawMessage, error) {
	if to == nil {
		return nil, errors.New("connect container: no plan")
	}
	s.mu.Lock()
	c := s.net
	s.mu.Unlock()
	if c == nil {
		return s.connectLate(to)
	}
	return c.Rewire(to)
}

// connectLate connects a container that had no part in networks.
func (s *shim) connectLate(to *Net) (json.RawMessage, error) {
	netns, err := s.openNetns()
	if err != nil {
		return nil, err
	}
	c, err := s.connector(to, s.cfg.ID, netns, s.eventLog)
	if err != nil {
		return nil, err
	}
	s.eventLog().Postpone()
	s.eventLog().Resume(c.Notes()...)
	s.mu.Lock()
	s.net = c
	ended := s.ended
	s.mu.Unlock()
	if ended {
		s.disconnect()
		return nil, unix.ESRCH
	}
	return c.Plan()
}
