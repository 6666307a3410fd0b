package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// proc is a Process with streams by descriptor and devices by number.
type proc struct {
	pid     int
	dead    error
	entered int
	streams map[int]Stream
	pipes   map[uint64]Stream
}

func (p *proc) Enter() error   { p.entered++; return p.dead }
func (p *proc) Now() time.Time { return time.Unix(1000, 0) }
func (p *proc) PID() int       { return p.pid }

func (p *proc) Device(rdev uint64, write bool) (Stream, error) {
	return nil, syscall.ENXIO
}

func (p *proc) Pipe(_ fsys.FS, inode uint64, mode int) (Stream, error) {
	if s := p.pipes[inode]; s != nil {
		return s, nil
	}
	return nil, syscall.ENXIO
}

func (p *proc) Stream(fd int) (Stream, error) {
	if s := p.streams[fd]; s != nil {
		return s, nil
	}
	return nil, syscall.EBADF
}

// buffer is a stream.
type buffer struct{ strings.Builder }

func (*buffer) Read([]byte) (int, error) { return 0, io.EOF }
func (*buffer) Close() error             { return nil }

func clock() time.Time { return time.Unix(1000, 0) }

var (
	root          = Cred{}
	writeTruncate = fsys.How{Write: true, Truncate: true}
)

// world is a namespace on a tmpfs with user 0's view of it.
func world(t *testing.T) (*Namespace, *View) {
	t.Helper()
	n := New(NewTmpfs(0, 0o755, clock, nil))
	return n, n.View(root, &proc{pid: 1})
}

// build makes names: "dir/" a folder, "a -> b" a link, anything else a file with its own name as content. A mode may follow
// after a space.
func build(t *testing.T, v *View, names ...string) {
	t.Helper()
	for _, name := range names {
		var err error
		from, to, isLink := strings.Cut(name, " -> ")
		switch {
		case isLink:
			err = v.Symlink(to, from)
		case strings.HasSuffix(name, "/"):
			err = v.Mkdir(name, 0o755)
		default:
			err = write(v, name, name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func write(v *View, name, text string) error {
	f, err := v.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}

func read(v *View, name string) (string, error) {
	f, err := v.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	return string(data), err
}

// is tells whether err is the errno want, wrapped as package os does; want 0 is no error.
func is(t *testing.T, what string, err error, want syscall.Errno) {
	t.Helper()
	if want == 0 {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	var p *fs.PathError
	var l *os.LinkError
	if !errors.Is(err, want) || !errors.As(err, &p) && !errors.As(err, &l) {
		t.Errorf("%s: %#v, want %v", what, err, want)
	}
}
