package jsonfile

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/learn-containers/learn/engine/failpoint"
)

const zipped = ".gz"

// numbered is the file that is n generations older than path.
func numbered(path string, n int) string { return path + "." + strconv.Itoa(n) }

// rotate replaces the current file by an empty one. If that can't be done, the current one grows on.
func (l *Log) rotate() {
	l.zipper.wait()
	if err := l.replace(); err != nil {
		l.size = 0 // the next attempt comes after as many bytes again
		return
	}
	l.compressOld()
}

func (l *Log) replace() error {
	if err := l.f.Close(); err != nil {
		return errors.Join(err, l.open(os.O_CREATE|os.O_APPEND|os.O_RDWR))
	}
	err := l.shift()
	failpoint.Hit("log.rotate.moved")
	// With O_CREATE alone: where the file could not be moved away, it is this one again.
	return errors.Join(err, l.open(os.O_CREATE|os.O_APPEND|os.O_RDWR))
}

// shift makes every file one generation older, beginning with the oldest, which goes. A reader that looks from the newest on misses none.
func (l *Log) shift() error {
	path := l.o.Path
	if l.o.MaxFiles < 2 {
		return os.Remove(path)
	}
	for n := l.o.MaxFiles - 1; n >= 1; n-- {
		for _, end := range []string{"", zipped} {
			var err error
			if n == l.o.MaxFiles-1 {
				err = os.Remove(numbered(path, n) + end)
			} else {
				err = os.Rename(numbered(path, n)+end, numbered(path, n+1)+end)
			}
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return os.Rename(path, numbered(path, 1))
}

// compressor compresses one file, in a goroutine that ends with it.
type compressor struct {
	stop atomic.Bool
	done chan struct{}
}

// compressOld begins to compress the youngest file of those that are not written any more, also when a supervisor died before it could.
func (l *Log) compressOld() {
	if !l.o.Compress || l.o.MaxBytes <= 0 || l.o.MaxFiles < 2 {
		return
	}
	old := numbered(l.o.Path, 1)
	if _, err := os.Lstat(old); err != nil {
		return
	}
	c := &compressor{done: make(chan struct{})}
	l.zipper = c
	go func() {
		defer close(c.done)
		if c.compress(old) != nil {
			_ = os.Remove(old + zipped + ".tmp")
		}
	}()
}

// wait waits until the file is compressed.
func (c *compressor) wait() {
	if c != nil {
		<-c.done
	}
}

// abandon stops compressing. The file stays as it is.
func (c *compressor) abandon() {
	if c != nil {
		c.stop.Store(true)
		<-c.done
	}
}

var errStopped = errors.New("stopped")

// stoppable is a reader that ends when nobody wants it to go on.
type stoppable struct {
	io.Reader
	stop *atomic.Bool
}

func (s stoppable) Read(p []byte) (int, error) {
	if s.stop.Load() {
		return 0, errStopped
	}
	return s.Reader.Read(p)
}

// compress puts a whole compressed file in the place of name, which stays until then.
func (c *compressor) compress(name string) error {
	src, err := os.Open(name)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(name+zipped+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(dst, 64<<10)
	z := gzip.NewWriter(buffered)
	_, err = io.Copy(z, stoppable{src, &c.stop})
	err = errors.Join(err, z.Close(), buffered.Flush(), dst.Close())
	if err == nil {
		err = os.Rename(name+zipped+".tmp", name+zipped)
	}
	if err != nil {
		return err
	}
	failpoint.Hit("log.compress.done")
	return os.Remove(name)
}
