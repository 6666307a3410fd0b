package userland

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/expand"
)

// small is what a program may keep without telling the machine, in bytes.
const small = 64 << 10

// grow tells the machine of n more bytes that the task keeps; they are given back when the task ends. The error means that the
// machine has no more.
func (t *task) grow(n int64) error {
	if t.Memory == nil {
		return nil
	}
	t.untold += n
	if t.untold < small && t.untold > -small {
		return nil
	}
	n, t.untold = t.untold, 0
	t.told += n
	if err := t.Memory.Grow(n); err != nil {
		return syscall.ENOMEM
	}
	return nil
}

// release gives back what the task has told of; for programs that end before their process does.
func (t *task) release() {
	if t.Memory != nil && t.told != 0 {
		t.Memory.Grow(-t.told)
	}
	t.told, t.untold = 0, 0
}

// inMemory tells whether a stream is a buffer of ours or of the interpreter's, which a process of the machine can't have.
func inMemory(w io.Writer) bool {
	switch w.(type) {
	case nil, *strings.Builder, *bytes.Buffer, *bufio.Writer, *counter:
		return true
	}
	return w == io.Discard
}

// counter is a buffer whose growth the machine is told of.
type counter struct {
	t *task
	w io.Writer
}

func (c *counter) Write(p []byte) (int, error) {
	if err := c.t.grow(int64(len(p))); err != nil {
		if b, ok := c.w.(interface{ Reset() }); ok {
			b.Reset() // the program is about to die and need not work on it
		}
		return 0, err
	}
	if c.w == nil {
		return len(p), nil
	}
	return c.w.Write(p)
}

// readAll is io.ReadAll with its memory accounted for.
func (t *task) readAll(r io.Reader) ([]byte, error) {
	var all []byte
	for {
		if len(all) == cap(all) {
			bigger := max(4096, 2*cap(all))
			if err := t.grow(int64(bigger - cap(all))); err != nil {
				return all, err
			}
			all = append(make([]byte, 0, bigger), all...)
		}
		n, err := r.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		switch {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return all, err
		case t.ctx.Err() != nil:
			return all, t.ctx.Err()
		}
	}
}

// account tells the machine of the shell's variables, if that is worth it.
func (sh *shell) account(env expand.Environ) {
	if sh.Memory == nil {
		return
	}
	total := int64(0)
	for _, v := range env.Each {
		total += int64(len(v.Str))
		for _, item := range v.List {
			total += int64(len(item)) + 16
		}
	}
	sh.mu.Lock()
	more := total - sh.counted
	if more > -small && more < small {
		more = 0
	}
	sh.counted += more
	sh.mu.Unlock()
	if more != 0 {
		sh.Memory.Grow(more)
	}
}
