package docker

import (
	"bufio"
	"io"
	"sync"
)

// feed reads an input in one place for readers that take turns: a prompt, then a shell, then the prompt again. A reader whose turn is over
// takes nothing more, so what is typed next is the next one's. Its goroutine ends with the input, or waits in a Read until the program ends.
type feed struct {
	chunks chan []byte
	rest   []byte // taken and not yet read
}

func newFeed(in io.Reader) *feed {
	f := &feed{chunks: make(chan []byte)}
	go func() {
		defer close(f.chunks)
		for {
			buf := make([]byte, 4096)
			n, err := in.Read(buf)
			if n > 0 {
				f.chunks <- buf[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	return f
}

// turn is one reader's time at the feed. It belongs to one goroutine, but end may be called from another.
type turn struct {
	feed *feed
	over chan struct{}
	busy sync.Mutex // held while Read uses the feed
}

func (f *feed) turn() *turn {
	return &turn{feed: f, over: make(chan struct{})}
}

// Read implements io.Reader; it ends with the turn.
func (t *turn) Read(p []byte) (int, error) {
	t.busy.Lock()
	defer t.busy.Unlock()
	select {
	case <-t.over:
		return 0, io.EOF
	default:
	}
	if len(t.feed.rest) == 0 {
		select {
		case <-t.over:
			return 0, io.EOF
		case c, ok := <-t.feed.chunks:
			if !ok {
				return 0, io.EOF
			}
			t.feed.rest = c
		}
	}
	n := copy(p, t.feed.rest)
	t.feed.rest = t.feed.rest[n:]
	return n, nil
}

// end ends the turn, and waits until its reader has let go of the feed.
func (t *turn) end() {
	close(t.over)
	t.busy.Lock()
	defer t.busy.Unlock()
}

// line reads one line, and no more than that.
func (f *feed) line() (string, error) {
	return bufio.NewReaderSize(oneByte{f.turn()}, 16).ReadString('\n')
}

// oneByte keeps a buffer from taking more than is asked for.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return o.r.Read(p)
}
