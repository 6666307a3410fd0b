//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/cow"
)

// Lstat describes what is at p itself: a link in the last place is not followed. Sys of the answer is a *syscall.Stat_t.
// driver.ErrNotFound if there is nothing.
func (t *tree) Lstat(p string) (fs.FileInfo, error) {
	f, info, err := t.lookup(p, unix.O_NOFOLLOW)
	if err != nil {
		return nil, t.error("lstat", p, err)
	}
	return info, f.Close()
}

// ReadLink tells where the link p points to.
func (t *tree) ReadLink(p string) (string, error) {
	f, info, err := t.lookup(p, unix.O_NOFOLLOW)
	if err != nil {
		return "", t.error("read link", p, err)
	}
	defer f.Close()
	if info.Mode().Type() != fs.ModeSymlink {
		return "", t.error("read link", p, fmt.Errorf("not a link but %s", info.Mode()))
	}
	text, err := readLink(int(f.Fd()), "")
	if err != nil {
		return "", t.error("read link", p, err)
	}
	return text, nil
}

// ReadDir lists the folder p, sorted by name. driver.ErrNotFound if there is none. A link in the last place is not followed.
func (t *tree) ReadDir(p string) ([]fs.DirEntry, error) {
	f, info, err := t.lookup(p, unix.O_NOFOLLOW)
	if err != nil {
		return nil, t.error("list", p, err)
	}
	defer f.Close()
	if !info.IsDir() {
		return nil, t.error("list", p, fmt.Errorf("not a folder but %s", info.Mode()))
	}
	names, err := readNames(int(f.Fd()))
	if err != nil {
		return nil, t.error("list", p, err)
	}
	entries := make([]fs.DirEntry, 0, len(names))
	for _, name := range names {
		info, err := infoAt(int(f.Fd()), name)
		if errors.Is(err, driver.ErrNotFound) {
			continue // removed since, or a whiteout
		}
		if err != nil {
			return nil, t.error("list", path.Join(p, name), err)
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	return entries, nil
}

// Xattrs gives the extended attributes of what is at p itself, without overlay's own. A caller looks at p first: there are none
// where nothing is.
func (t *tree) Xattrs(p string) (map[string]string, error) {
	p = path.Clean("/" + p)
	f, _, err := t.lookup(path.Dir(p), 0)
	if err != nil {
		return nil, t.error("read attributes of", p, err)
	}
	defer f.Close()
	// Through the folder: what a descriptor's own name in /proc has is not what it stands for.
	name := path.Base(p)
	if p == "/" {
		name = "."
	}
	xattrs, err := readXattrs(procPath(int(f.Fd()), name))
	if err != nil {
		return nil, t.error("read attributes of", p, notFound(err))
	}
	return xattrs, nil
}

func infoAt(dir int, name string) (fs.FileInfo, error) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, notFound(err)
	}
	f, info, err := described(fd, name)
	if err != nil {
		return nil, err
	}
	return info, f.Close()
}

// described takes over fd and tells what it is. A single layer is looked at as it is, so a whiteout may turn up: nothing is there.
func described(fd int, name string) (*os.File, fs.FileInfo, error) {
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil && cow.IsWhiteout(&st) {
		err = driver.ErrNotFound
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func notFound(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return driver.ErrNotFound
	}
	return err
}
