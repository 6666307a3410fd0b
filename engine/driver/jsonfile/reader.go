package jsonfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// blockBytes is how much is read at a time, about.
const blockBytes = 256 << 10

// maxObject bounds one line of a log: an object of 16 KiB of text, each byte of which is escaped, and its attributes. What is longer is no
// line of a log, and is passed over.
const maxObject = 4 << 20

// Reader reads a log from its oldest file on, while it may be written and rotate. It is used by one goroutine, which closes it.
type Reader struct {
	path  string
	cur   *file   // what is read; nil: there was no file yet
	next  []*file // what is read then, oldest first
	buf   []byte
	begin int // of what is in buf and has not been given
	end   int
	skip  bool // until the end of a line that is too long
}

// NewReader reads the log at path. It is no error if there is none yet.
func NewReader(path string) (*Reader, error) {
	r := &Reader{path: path, buf: make([]byte, blockBytes)}
	return r, r.look()
}

// look opens the files that there are.
func (r *Reader) look() error {
	files, err := newer(r.path, nil)
	if err == nil && len(files) > 0 {
		r.cur, r.next = files[0], files[1:]
	}
	return err
}

// Tail goes to where the last n lines begin. It must be called before the first Next.
func (r *Reader) Tail(n int) error {
	all := r.next
	if r.cur != nil {
		all = append([]*file{r.cur}, r.next...)
	}
	for i := len(all) - 1; i >= 0; i-- {
		found, err := all[i].tail(n)
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}
		if n -= found; n > 0 {
			continue
		}
		closeFiles(all[:i])
		r.cur, r.next = all[i], all[i+1:]
		return nil
	}
	return nil
}

// Next gives the next whole lines, which are good until the next call. io.EOF means that there are no more now; there may be later.
func (r *Reader) Next() ([]byte, error) {
	for {
		if r.cur == nil {
			if err := r.look(); err != nil {
				return nil, err
			}
			if r.cur == nil {
				return nil, io.EOF
			}
		}
		n, err := r.fill()
		if n > 0 {
			if lines := r.lines(n); len(lines) > 0 {
				return lines, nil
			}
			continue
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read log: %w", err)
		}
		if err := r.advance(); err != nil {
			return nil, err
		}
	}
}

// fill reads more behind what is left of the last block.
func (r *Reader) fill() (int, error) {
	if r.begin > 0 {
		r.end = copy(r.buf, r.buf[r.begin:r.end])
		r.begin = 0
	}
	if r.end == len(r.buf) {
		if r.end >= maxObject {
			r.end, r.skip = 0, true
		} else {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
	}
	n, err := r.cur.Read(r.buf[r.end:])
	r.end += n
	return n, err
}

// lines gives the whole lines in the buffer, of which the last n bytes are new.
func (r *Reader) lines(n int) []byte {
	fresh := r.buf[r.end-n : r.end]
	if r.skip {
		i := bytes.IndexByte(fresh, '\n')
		if i < 0 {
			r.end = 0
			return nil
		}
		r.skip = false
		r.begin = r.end - n + i + 1
		fresh = r.buf[r.begin:r.end]
	}
	i := bytes.LastIndexByte(fresh, '\n')
	if i < 0 {
		return nil
	}
	from := r.begin
	r.begin = r.end - len(fresh) + i + 1
	return r.buf[from:r.begin]
}

// advance goes to the next file when the current one is read to its end; io.EOF if there is none.
func (r *Reader) advance() error {
	if len(r.next) == 0 {
		files, err := newer(r.path, r.cur)
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return io.EOF
		}
		r.next = files // what was written to the current one meanwhile is read first
		return nil
	}
	_ = r.cur.Close()
	r.cur, r.next = r.next[0], r.next[1:]
	r.begin, r.end, r.skip = 0, 0, false
	return nil
}

// Close closes the files.
func (r *Reader) Close() error {
	if r.cur != nil {
		_ = r.cur.Close()
	}
	closeFiles(r.next)
	r.cur, r.next = nil, nil
	return nil
}

func closeFiles(files []*file) {
	for _, f := range files {
		_ = f.Close()
	}
}

// newer opens the files that are younger than cur, oldest first; all of them if cur is nil, or was thrown away.
//
// It looks from the current file back, in the direction in which a rotation moves the files. So it may see one twice, but misses none, as long
// as none moves twice meanwhile: then it looks again.
func newer(path string, cur *file) ([]*file, error) {
	for {
		before, err := os.Stat(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("read log: %w", err)
		}
		young, err := lookBack(path, cur)
		if err != nil {
			return nil, err
		}
		after, err := os.Stat(path)
		if before == nil && err != nil || before != nil && err == nil && os.SameFile(before, after) {
			slices.Reverse(young)
			return young, nil
		}
		closeFiles(young)
	}
}

// lookBack is one look, youngest first.
func lookBack(path string, cur *file) ([]*file, error) {
	var young []*file
	name := path
	for n, missed := 1, 0; missed < 2; n++ {
		f, err := openFile(name, name != path)
		name = numbered(path, n)
		if errors.Is(err, os.ErrNotExist) {
			missed++ // in the middle of a rotation, or after one that was killed
			continue
		}
		if err != nil {
			closeFiles(young)
			return nil, fmt.Errorf("read log: %w", err)
		}
		missed = 0
		if f.same(cur) {
			_ = f.Close()
			break
		}
		if len(young) > 0 && f.same(young[len(young)-1]) {
			_ = f.Close()
			continue
		}
		young = append(young, f)
	}
	return young, nil
}
