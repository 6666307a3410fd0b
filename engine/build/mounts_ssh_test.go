package build

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeAgent answers each request by its own bytes, and keeps what it was asked.
func fakeAgent(t *testing.T) (socket string, asked func() [][]byte) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	must(t, err)
	var mu sync.Mutex
	var got [][]byte
	var going sync.WaitGroup
	going.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			going.Go(func() {
				defer c.Close()
				for {
					m, err := readAgent(c)
					if err != nil {
						return
					}
					mu.Lock()
					got = append(got, m)
					mu.Unlock()
					_ = writeAgent(c, m)
				}
			})
		}
	})
	t.Cleanup(func() { must(t, l.Close()); going.Wait() })
	return socket, func() [][]byte { mu.Lock(); defer mu.Unlock(); return got }
}

// TestAgentRelay wants requests for keys and signatures to pass, and those that change the agent to fail without reaching it.
func TestAgentRelay(t *testing.T) {
	socket, asked := fakeAgent(t)
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), strings.Repeat("long", 30))} {
		must(t, os.MkdirAll(dir, 0o755))
		path := filepath.Join(dir, "s")
		r, err := listenAgent(path, socket)
		must(t, err)
		c := dialLong(t, path)
		for _, tt := range []struct{ ask, want []byte }{
			{[]byte{agentRequestIdentities}, []byte{agentRequestIdentities}},
			{[]byte{17, 1, 2}, []byte{agentFailure}}, // add a key
			{[]byte{19}, []byte{agentFailure}},       // remove all keys
			{[]byte{22, 0, 0, 0, 0}, []byte{agentFailure}},
			{nil, []byte{agentFailure}},
			{[]byte{agentSignRequest, 7}, []byte{agentSignRequest, 7}},
		} {
			must(t, writeAgent(c, tt.ask))
			got, err := readAgent(c)
			must(t, err)
			if !bytes.Equal(got, tt.want) {
				t.Errorf("asked %v: answer %v, want %v", tt.ask, got, tt.want)
			}
		}
		must(t, r.close())
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after close the client reads %v, want its connection to be over", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left: %v", err)
		}
	}
	for _, m := range asked() {
		if m[0] != agentRequestIdentities && m[0] != agentSignRequest {
			t.Errorf("the agent was asked %v", m)
		}
	}
}

func dialLong(t *testing.T, path string) net.Conn {
	t.Helper()
	t.Chdir(filepath.Dir(path))
	c, err := net.Dial("unix", filepath.Base(path))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAgentRelayRefusesFloods(t *testing.T) {
	socket, asked := fakeAgent(t)
	r, err := listenAgent(filepath.Join(t.TempDir(), "s"), socket)
	must(t, err)
	c := dialLong(t, r.path)
	_, err = c.Write([]byte{0xff, 0xff, 0xff, 0xff})
	must(t, err)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a message of 4 GiB: %v, want the connection closed", err)
	}
	must(t, r.close())
	if len(asked()) != 0 {
		t.Errorf("the agent was asked %v", asked())
	}
}
