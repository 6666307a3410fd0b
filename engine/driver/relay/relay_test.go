package relay

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/driver/jsonfile"
)

// client takes what is carried to it, when it may.
type client struct {
	mu     sync.Mutex
	got    bytes.Buffer
	closed int
	gate   chan struct{} // each value lets one piece through; nil: all
	broken bool
}

func (c *client) Carry(p []byte, left func() bool) bool {
	for c.gate != nil {
		select {
		case <-c.gate:
		case <-time.After(time.Second):
			if left() {
				return false
			}
			continue
		}
		break
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got.Write(p)
	return !c.broken
}

func (c *client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed++
}

func (c *client) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

// process is a running output and the process's end of it.
func process() (*Output, *io.PipeWriter) {
	r, w := io.Pipe()
	var log *jsonfile.Log
	o := NewOutput(r, log.Stream("stdout"))
	go o.Run()
	return o, w
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// Every client gets what was written while it was there, in order, and is closed once.
func TestClientsComeAndGo(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		pieces := rapid.SliceOf(rapid.StringN(1, 10, -1)).Draw(r, "pieces")
		from := rapid.IntRange(0, len(pieces)).Draw(r, "from")
		o, w := process()
		first, second := &client{}, &client{}
		o.Add(NewSink(first))
		for i, p := range pieces {
			if i == from {
				o.Add(NewSink(second))
			}
			if _, err := io.WriteString(w, p); err != nil {
				r.Fatal(err)
			}
		}
		_ = w.Close()
		o.Drain()
		if got, want := first.String(), strings.Join(pieces, ""); got != want || first.closed != 1 {
			r.Errorf("the first got %q, want %q, closed %d", got, want, first.closed)
		}
		// What was written just before it came may reach it or not.
		got, late := second.String(), strings.Join(pieces[from:], "")
		if from < len(pieces) && (!strings.HasSuffix(got, late) || second.closed != 1) {
			r.Errorf("the second got %q, want at least %q, closed %d", got, late, second.closed)
		}
	})
}

func TestASlowClientSlowsTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := process()
		slow := &client{gate: make(chan struct{})}
		sink := NewSink(slow)
		o.Add(sink)
		written, chunk := 0, strings.Repeat("x", chunkBytes)
		go func() {
			for range 3 * spoolLimit / chunkBytes {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
				written += chunkBytes
			}
			_ = w.Close()
		}()
		synctest.Wait()
		if written < spoolLimit || written > spoolLimit+4*chunkBytes {
			t.Errorf("%d bytes were written for a client that reads nothing", written)
		}
		close(slow.gate)
		o.Drain()
		if n := len(slow.String()); n != 3*spoolLimit || written != n {
			t.Errorf("%d bytes of %d arrived", n, written)
		}
	})
}

func TestAClientThatLeavesFreesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, w := process()
		stuck, well := &client{gate: make(chan struct{})}, &client{}
		sink := NewSink(stuck)
		o.Add(sink)
		o.Add(NewSink(well))
		text := strings.Repeat("y", 2*spoolLimit)
		done := make(chan struct{})
		go func() {
			defer close(done)
			write(t, w, text)
			_ = w.Close()
		}()
		synctest.Wait()
		o.Remove(sink)
		<-sink.done
		<-done
		o.Drain()
		if well.String() != text || stuck.closed != 1 {
			t.Errorf("%d bytes reached the other; closed %d", len(well.String()), stuck.closed)
		}
	})
}

func TestAClientThatBreaksIsLetGo(t *testing.T) {
	o, w := process()
	broken := &client{broken: true}
	o.Add(NewSink(broken))
	write(t, w, strings.Repeat("z", chunkBytes))
	for range 100 {
		write(t, w, strings.Repeat("z", chunkBytes))
	}
	_ = w.Close()
	o.Drain()
	if broken.closed != 1 {
		t.Errorf("closed %d", broken.closed)
	}
}

func TestAClientThatComesTooLate(t *testing.T) {
	o, w := process()
	_ = w.Close()
	o.Drain()
	late := &client{}
	sink := NewSink(late)
	o.Add(sink)
	<-sink.done
	if late.String() != "" || late.closed != 1 {
		t.Errorf("%q, closed %d", late, late.closed)
	}
}

// Somebody may hold the stream open when the process is gone. It is waited for a while, or as long as a client listens.
func TestDrainEndsAStreamThatIsHeldOpen(t *testing.T) {
	for name, stays := range map[string]time.Duration{"nobody listens": 0, "a client listens for some time": 5 * drainGrace / 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, w := process()
				sink := NewSink(&client{})
				o.Add(sink)
				write(t, w, "text")
				begin := time.Now()
				time.AfterFunc(stays, func() { o.Remove(sink) })
				o.Drain()
				if took := time.Since(begin); took < stays || took < drainGrace || took > stays+drainGrace {
					t.Errorf("it took %v", took)
				}
				if _, err := io.WriteString(w, "more"); err == nil {
					t.Error("it is still read")
				}
			})
		})
	}
}

func TestLoggedBeforeItIsSent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log, err := jsonfile.Open(jsonfile.Options{Path: path, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r, w := io.Pipe()
	o := NewOutput(r, log.Stream("stderr"))
	go o.Run()
	seen := make(chan string, 1)
	o.Add(NewSink(looker{path, seen}))
	write(t, w, "line\n")
	if text := <-seen; !strings.Contains(text, `"line\n","stream":"stderr"`) {
		t.Errorf("when it came, the log was %q", text)
	}
	write(t, w, "end")
	_ = w.Close()
	o.Drain()
	if data, err := os.ReadFile(path); err != nil || strings.Count(string(data), "\n") != 2 {
		t.Errorf("%q, %v", data, err)
	}
}

// looker reads the log when it gets something.
type looker struct {
	path string
	seen chan string
}

func (l looker) Carry([]byte, func() bool) bool {
	data, _ := os.ReadFile(l.path)
	l.seen <- string(data)
	return false
}

func (looker) Close() {}
