//go:build linux

package linux

import (
	"io"
	"sync"
)

// behind is a buffered writer whose writes happen in a goroutine of its own, so that reading one file and writing (hashing, too) another
// take place at the same time. Whoever makes one closes it.
type behind struct {
	current []byte
	full    chan []byte
	free    chan []byte
	done    chan struct{}
	once    sync.Once

	mu  sync.Mutex
	err error
}

// behindBuffers is how many buffers of copyBytes there are.
const behindBuffers = 4

func newBehind(w io.Writer) *behind {
	b := &behind{full: make(chan []byte, behindBuffers), free: make(chan []byte, behindBuffers), done: make(chan struct{})}
	for range behindBuffers {
		b.free <- make([]byte, 0, copyBytes)
	}
	b.current = <-b.free
	go func() {
		defer close(b.done)
		for buf := range b.full {
			if b.failed() == nil {
				if _, err := w.Write(buf); err != nil {
					b.fail(err)
				}
			}
			b.free <- buf[:0]
		}
	}()
	return b
}

func (b *behind) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *behind) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// Write implements io.Writer. An error may be that of an earlier write.
func (b *behind) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n := copy(b.current[len(b.current):cap(b.current)], p[written:])
		b.current = b.current[:len(b.current)+n]
		written += n
		if len(b.current) == cap(b.current) {
			b.full <- b.current
			b.current = <-b.free
			if err := b.failed(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// Close returns when everything is written, or an error came.
func (b *behind) Close() error {
	b.once.Do(func() {
		if len(b.current) > 0 {
			b.full <- b.current
		}
		close(b.full)
	})
	<-b.done
	return b.failed()
}
