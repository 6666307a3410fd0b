package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// side is one end of a relayed connection, whose behaviour the test chooses.
type side struct {
	net.Conn
	read, write func([]byte) (int, error)
	given       chan time.Duration // until each deadline for reading
}

func newSide() *side { return &side{given: make(chan time.Duration, 10)} }

func (s *side) Read(b []byte) (int, error)  { return s.read(b) }
func (s *side) Write(b []byte) (int, error) { return s.write(b) }
func (s *side) CloseWrite() error           { return nil }
func (s *side) SetReadDeadline(t time.Time) error {
	s.given <- time.Until(t)
	return nil
}

// A server that takes no more is still read from, for as long as its last words may need; one whose client is gone is let go soon.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		clientRead, serverWrite error
		patient                 bool
	}{
		"the server resets": {nil, syscall.EPIPE, true},
		"the client resets": {syscall.ECONNRESET, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := newSide(), newSide()
			said := make(chan string, 1)
			client.read = func(b []byte) (int, error) { return min(1, len(b)), c.clientRead }
			client.write = func(b []byte) (int, error) {
				said <- string(b)
				return len(b), nil
			}
			server.write = func(b []byte) (int, error) { return len(b), c.serverWrite }
			asked := false
			server.read = func(b []byte) (int, error) {
				if asked {
					return 0, io.EOF
				}
				asked = true
				if patient := <-server.given > time.Second; patient != c.patient {
					t.Errorf("patient: %v", patient)
				}
				if !c.patient {
					return 0, os.ErrDeadlineExceeded
				}
				return copy(b, "why"), nil
			}
			toServer, toClient := relay(client, server)
			if toServer == nil || c.patient != (toClient == nil) {
				t.Errorf("relay: %v, %v", toServer, toClient)
			}
			if c.patient && <-said != "why" {
				t.Error("the last words are lost")
			}
			if !c.patient && !errors.Is(toClient, os.ErrDeadlineExceeded) {
				t.Errorf("to the client: %v", toClient)
			}
		})
	}
}
