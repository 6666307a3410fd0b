package build

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
)

// ssh gives the command a socket through which it may ask the user's agent for signatures, and nothing else.
func (m *mounting) ssh(want dockerfile.Mount, n int) error {
	agent, ok := m.st.session.opts.SSH[want.ID]
	if !ok {
		if want.Required {
			return fmt.Errorf("ssh agent %s: not given: build with --ssh %s=SOCKET", want.ID, want.ID)
		}
		return nil
	}
	path := m.st.session.scrapPath(fmt.Sprintf("%s-%d.sock", m.spec.ID, n))
	relay, err := listenAgent(path, agent)
	if err != nil {
		return fmt.Errorf("ssh agent %s: %w", want.ID, err)
	}
	m.give = append(m.give, relay.close)
	m.spec.Process.Env = append(m.spec.Process.Env, "SSH_AUTH_SOCK="+want.Target)
	m.add(driver.Mount{Type: "socket", Source: path, Target: want.Target, Mode: want.Mode, UID: uint32(want.UID), GID: uint32(want.GID)})
	return nil
}

// agentRelay hands requests on to an agent. Only the two that a client needs pass (draft-miller-ssh-agent, 3.5 and 3.6): a build step
// must not add, remove or lock the user's keys.
type agentRelay struct {
	path  string
	agent string
	l     net.Listener
	going sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // nil when closed
}

const (
	agentFailure           = 5
	agentRequestIdentities = 11
	agentSignRequest       = 13
	maxAgentMessage        = 256 << 10 // as OpenSSH has it
)

// maxSocketPath is what fits into the address of a unix socket (unix(7)).
const maxSocketPath = 100

// listenUnix listens at path, which may be longer than the address of a socket: then it is reached through its folder's descriptor.
func listenUnix(path string) (net.Listener, error) {
	if len(path) <= maxSocketPath {
		return net.Listen("unix", path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the descriptor is another folder's by then; close removes the socket
	return l, nil
}

func listenAgent(path, agent string) (*agentRelay, error) {
	l, err := listenUnix(path)
	if err != nil {
		return nil, err
	}
	r := &agentRelay{path: path, agent: agent, l: l, conns: map[net.Conn]bool{}}
	r.going.Go(r.accept)
	return r, nil
}

// close ends all connections and waits for their goroutines.
func (r *agentRelay) close() error {
	err := r.l.Close()
	r.mu.Lock()
	for c := range r.conns {
		err = errors.Join(err, c.Close())
	}
	r.conns = nil
	r.mu.Unlock()
	r.going.Wait()
	if gone := os.Remove(r.path); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

func (r *agentRelay) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		if r.conns == nil {
			r.mu.Unlock()
			_ = c.Close()
			return
		}
		r.conns[c] = true
		r.mu.Unlock()
		r.going.Go(func() { r.serve(c) })
	}
}

func (r *agentRelay) serve(c net.Conn) {
	defer r.drop(c)
	agent, err := net.Dial("unix", r.agent)
	if err != nil {
		return // the client sees its connection end, as with an agent that has gone
	}
	defer agent.Close()
	for {
		request, err := readAgent(c)
		if err != nil {
			return
		}
		answer := []byte{agentFailure}
		if len(request) > 0 && (request[0] == agentRequestIdentities || request[0] == agentSignRequest) {
			if writeAgent(agent, request) != nil {
				return
			}
			if answer, err = readAgent(agent); err != nil {
				return
			}
		}
		if writeAgent(c, answer) != nil {
			return
		}
	}
}

func (r *agentRelay) drop(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns[c] {
		delete(r.conns, c)
		_ = c.Close()
	}
}

// readAgent reads one message: its length in four bytes, then that many bytes.
func readAgent(r io.Reader) ([]byte, error) {
	var size uint32
	if err := binary.Read(r, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	if size > maxAgentMessage {
		return nil, fmt.Errorf("agent message of %d bytes, expected at most %d", size, maxAgentMessage)
	}
	b := make([]byte, size)
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeAgent(w io.Writer, b []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...))
	return err
}
