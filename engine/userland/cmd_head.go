package userland

import (
	"io"
	"strings"
	"time"
)

// oldCount turns -5 into -n 5, as head and tail have always understood it.
func oldCount(args []string) []string {
	if len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') && strings.Trim(args[0][1:], "0123456789") == "" {
		n := args[0]
		if n[0] == '-' {
			n = n[1:]
		}
		return append([]string{"-n", n}, args[1:]...)
	}
	return args
}

// wanted is how much head and tail show: the number as written, whether it counts bytes, and its size.
func wanted(o opts) (value string, isBytes bool, n int64, err error) {
	if value, isBytes = o.value('c'); !isBytes {
		given := false
		if value, given = o.value('n'); !given {
			value = "10"
		}
	}
	n, err = size(strings.TrimLeft(value, "-+"))
	return value, isBytes, n, err
}

func runHead(t *task, args []string) int {
	o, ok := t.options(oldCount(args), "n:c:qv", "lines=n bytes=c quiet=q silent=q verbose=v")
	if !ok {
		return 1
	}
	value, isBytes, n, err := wanted(o)
	if err != nil {
		return t.errorf("%s", err)
	}
	return t.titled(o, func(r io.Reader) error {
		switch {
		case isBytes && value[0] == '-':
			data, err := t.readAll(r)
			t.Stdout.Write(data[:max(0, len(data)-int(n))])
			return err
		case isBytes:
			_, err := io.CopyN(t.Stdout, r, n)
			if err == io.EOF {
				err = nil
			}
			return err
		}
		return t.headLines(r, int(n), value[0] == '-')
	})
}

// titled runs act over each input with a title when there are several.
func (t *task) titled(o opts, act func(r io.Reader) error) int {
	first := true
	t.inputs(o.args, func(name string, r io.Reader) error {
		if (len(o.args) > 1 || o.has('v')) && !o.has('q') {
			if !first {
				t.print("\n")
			}
			if name == "-" {
				name = "standard input"
			}
			t.printf("==> %s <==\n", name)
		}
		first = false
		return act(r)
	})
	return t.code()
}

func (t *task) headLines(r io.Reader, n int, allBut bool) error {
	defer t.buffered()()
	var held [][]byte
	if n == 0 && !allBut {
		return nil
	}
	seen := 0
	err := t.lines(r, func(line []byte, ended bool) error {
		if ended {
			line = append(line[:len(line):len(line)], '\n')
		}
		if !allBut {
			t.Stdout.Write(line)
			if seen++; seen == n {
				return errStop
			}
			return nil
		}
		held = append(held, append([]byte(nil), line...))
		if len(held) <= n {
			return t.grow(int64(len(line)))
		}
		t.Stdout.Write(held[0])
		err := t.grow(int64(len(line) - len(held[0])))
		held = held[1:]
		return err
	})
	if err == errStop {
		return nil
	}
	return err
}

func runTail(t *task, args []string) int {
	o, ok := t.options(oldCount(args), "n:c:fFqvs:", "lines=n bytes=c follow=f quiet=q verbose=v retry=F sleep-interval=s")
	if !ok {
		return 1
	}
	value, isBytes, n, err := wanted(o)
	if err != nil {
		return t.errorf("%s", err)
	}
	follow := o.has('f') || o.has('F')
	code := t.titled(o, func(r io.Reader) error {
		var err error
		switch {
		case value[0] == '+':
			err = t.tailFrom(r, int(n), isBytes)
		case isBytes:
			err = t.tailBytes(r, int(n))
		default:
			err = t.tailLines(r, int(n))
		}
		if err == nil && follow && len(o.args) == 1 && o.args[0] != "-" {
			return t.follow(r)
		}
		return err
	})
	if follow && len(o.args) == 0 {
		io.Copy(t.Stdout, t.Stdin)
	}
	return code
}

func (t *task) tailFrom(r io.Reader, n int, isBytes bool) error {
	if isBytes {
		if _, err := io.CopyN(io.Discard, r, int64(max(0, n-1))); err != nil {
			return nil
		}
		_, err := io.Copy(t.Stdout, r)
		return err
	}
	defer t.buffered()()
	number := 0
	return t.lines(r, func(line []byte, ended bool) error {
		if number++; number >= n {
			t.Stdout.Write(line)
			if ended {
				t.print("\n")
			}
		}
		return nil
	})
}

// tailBytes keeps no more than twice what it shows.
func (t *task) tailBytes(r io.Reader, n int) error {
	var kept []byte
	buf := make([]byte, 64<<10)
	for {
		m, err := r.Read(buf)
		room := cap(kept)
		kept = append(kept, buf[:m]...)
		if gerr := t.grow(int64(cap(kept) - room)); gerr != nil {
			return gerr
		}
		if len(kept) > 2*n+len(buf) {
			kept = append([]byte(nil), kept[len(kept)-n:]...)
		}
		if err == io.EOF {
			t.Stdout.Write(kept[max(0, len(kept)-n):])
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *task) tailLines(r io.Reader, n int) error {
	ring := make([][]byte, 0, min(n, 1024))
	next := 0
	err := t.lines(r, func(line []byte, ended bool) error {
		kept := append([]byte(nil), line...)
		if ended {
			kept = append(kept, '\n')
		}
		switch {
		case n == 0:
		case len(ring) < n:
			ring = append(ring, kept)
			return t.grow(int64(len(kept)))
		default:
			more := len(kept) - len(ring[next])
			ring[next] = kept
			next = (next + 1) % n
			return t.grow(int64(more))
		}
		return nil
	})
	defer t.buffered()()
	for i := range ring {
		t.Stdout.Write(ring[(next+i)%len(ring)])
	}
	return err
}

// follow copies what is appended, until the context ends; a file cut short is read anew.
func (t *task) follow(r io.Reader) error {
	var at int64 = -1
	for {
		if _, err := io.Copy(t.Stdout, r); err != nil {
			return err
		}
		if f, ok := r.(interface {
			File
			io.Seeker
		}); ok {
			info, err := f.Stat()
			if err == nil && at >= 0 && info.Size() < at {
				f.Seek(0, io.SeekStart)
			}
			at, _ = f.Seek(0, io.SeekCurrent)
		}
		if t.pause(200*time.Millisecond) != nil {
			return nil
		}
	}
}
