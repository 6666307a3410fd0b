//go:build linux

package linux

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/layer"
)

// tree is a view of a whole tree through one descriptor. Nothing is mounted anywhere that another process could see, and
// nothing is left when the process dies. It implements driver.Tree.
type tree struct {
	root int
	name string // for errors
}

// Open implements driver.Tree. Nothing but a regular file is ever opened: opening a device or a pipe of a hostile tree could
// do something, or wait for ever.
func (t *tree) Open(p string) (io.ReadCloser, error) {
	f, info, err := t.lookup(p, 0)
	if err != nil {
		return nil, t.error("open", p, err)
	}
	defer f.Close()
	if !info.Mode().IsRegular() {
		return nil, t.error("open", p, fmt.Errorf("not a regular file but %s", info.Mode()))
	}
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, t.error("open", p, err)
	}
	return os.NewFile(uintptr(fd), p), nil
}

// Stat implements driver.Tree.
func (t *tree) Stat(p string) (fs.FileInfo, error) {
	f, info, err := t.lookup(p, 0)
	if err != nil {
		return nil, t.error("stat", p, err)
	}
	f.Close()
	return info, nil
}

// lookup finds what p leads to inside the tree, without opening it. flags may hold O_NOFOLLOW, for the last place.
func (t *tree) lookup(p string, flags uint64) (*os.File, fs.FileInfo, error) {
	p = path.Clean("/" + p)
	fd, err := openIn(t.root, p, unix.O_PATH|flags)
	if err != nil {
		return nil, nil, notFound(err)
	}
	return described(fd, path.Base(p))
}

func (t *tree) error(verb, p string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", verb, p, t.name, err)
}

// Export implements driver.Tree.
func (t *tree) Export(ctx context.Context, w io.Writer) error {
	buffered := newBehind(w)
	defer buffered.Close()
	a := archiver{ctx: ctx, out: layer.NewWriter(buffered), links: map[inode]string{}}
	err := a.folder(t.root, ".")
	if err == nil {
		err = a.out.Close()
	}
	if err == nil {
		err = buffered.Close()
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", t.name, err)
	}
	return nil
}

// Close implements driver.Tree.
func (t *tree) Close() error {
	if t.root < 0 {
		return nil
	}
	err := unix.Close(t.root)
	t.root = -1
	return err
}
