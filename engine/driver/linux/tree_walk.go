//go:build linux

package linux

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/engine/layer"
)

// archiver writes a tree on disk as an archive. It walks by descriptors and follows no link, so a program that swaps things
// in the tree meanwhile can't lead it elsewhere.
type archiver struct {
	ctx   context.Context
	out   *layer.Writer
	links map[inode]string // first path of a file that has several
	stats driver.DiffStats

	// Of a writable layer only:
	changes   bool                         // write whiteouts and opaque marks; otherwise leave whiteouts out
	userXattr bool                         // which opaque mark counts
	below     func(p string) (bool, error) // whether a folder of that path lies below
}

type inode struct{ dev, ino uint64 }

const maxPath = 4096

// folder writes what is in the folder dir, which fd has open, in the order of names.
func (a *archiver) folder(fd int, dir string) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	names, err := readNames(fd)
	if err != nil {
		return fmt.Errorf("list %q: %w", dir, err)
	}
	for _, name := range names {
		p := path.Join(dir, name)
		if len(p) > maxPath {
			return fmt.Errorf("path %.60q... is longer than %d bytes, which no archive can hold", p, maxPath)
		}
		if err := a.entry(fd, name, p); err != nil {
			return err
		}
	}
	return nil
}

// readNames lists an open folder, sorted, from its beginning.
func readNames(fd int) ([]string, error) {
	again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(again), ".")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	sort.Strings(names)
	return names, err
}

func (a *archiver) entry(fd int, name, p string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if err == unix.ENOENT {
			return nil // removed since the folder was listed
		}
		return fmt.Errorf("stat %q: %w", p, err)
	}
	if cow.IsWhiteout(&st) {
		if !a.changes {
			return nil
		}
		a.stats.Whiteouts++
		return a.out.Whiteout(p)
	}
	e, ok := entryOf(p, &st)
	if !ok {
		return nil // sockets live and die with their process
	}
	if e.Kind != layer.Dir && st.Nlink > 1 && a.hardLink(&e, &st) {
		return a.write(e, nil)
	}
	switch e.Kind {
	case layer.Dir:
		return a.subfolder(fd, name, e)
	case layer.File:
		return a.file(fd, name, e)
	case layer.Symlink:
		text, err := readLink(fd, name)
		if err != nil {
			return fmt.Errorf("read link %q: %w", p, err)
		}
		e.Link = text
	}
	var err error
	if e.Xattrs, err = readXattrs(procPath(fd, name)); err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	return a.write(e, nil)
}

func (a *archiver) write(e layer.Entry, content io.Reader) error {
	a.stats.Files++
	if e.Kind == layer.File {
		a.stats.Bytes += e.Size
	}
	return a.out.WriteEntry(e, content)
}

// hardLink turns e into a link to the first path under which its file was written, if there is one.
func (a *archiver) hardLink(e *layer.Entry, st *unix.Stat_t) bool {
	id := inode{st.Dev, st.Ino}
	first, ok := a.links[id]
	if !ok {
		a.links[id] = e.Path
		return false
	}
	e.Kind, e.Link, e.Size = layer.HardLink, first, 0
	return true
}

func (a *archiver) subfolder(fd int, name string, e layer.Entry) error {
	sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open folder %q: %w", e.Path, err)
	}
	defer unix.Close(sub)
	host := procPath(sub, ".")
	if e.Xattrs, err = readXattrs(host); err != nil {
		return fmt.Errorf("%q: %w", e.Path, err)
	}
	if err := a.write(e, nil); err != nil {
		return err
	}
	if a.changes {
		if err := a.marks(host, e.Path); err != nil {
			return err
		}
	}
	return a.folder(sub, e.Path)
}

// marks writes the opaque marker of a folder that hides one below. The kernel marks every new folder; without a folder
// below it, that says nothing.
func (a *archiver) marks(host, p string) error {
	if n, err := unix.Lgetxattr(host, overlayXattr("redirect", a.userXattr), nil); err == nil && n > 0 {
		return fmt.Errorf("folder %q was renamed by a mark of overlay (redirect_dir), which an archive can't say", p)
	}
	if !cow.IsOpaque(host, a.userXattr) {
		return nil
	}
	hides, err := a.below(p)
	if err != nil || !hides {
		return err
	}
	return a.out.Opaque(p)
}

func overlayXattr(name string, user bool) string {
	if user {
		return "user.overlay." + name
	}
	return "trusted.overlay." + name
}

func (a *archiver) file(fd int, name string, e layer.Entry) error {
	file, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %q: %w", e.Path, err)
	}
	f := os.NewFile(uintptr(file), e.Path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(file, &st); err != nil {
		return fmt.Errorf("stat %q: %w", e.Path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%q changed from a file to something else while it was read", e.Path)
	}
	e.Size = st.Size
	if e.Xattrs, err = readXattrs(procPath(fd, name)); err != nil {
		return fmt.Errorf("%q: %w", e.Path, err)
	}
	return a.write(e, io.LimitReader(f, e.Size)) // what is appended meanwhile is left for the next time
}

func readLink(fd int, name string) (string, error) {
	buf := make([]byte, maxPath)
	n, err := unix.Readlinkat(fd, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// entryOf describes the file that st is of; ok is false for what no archive holds.
func entryOf(p string, st *unix.Stat_t) (e layer.Entry, ok bool) {
	e = layer.Entry{
		Path: p, Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid), ModTime: time.Unix(st.Mtim.Unix()),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		e.Kind, e.Size = layer.File, st.Size
	case unix.S_IFDIR:
		e.Kind = layer.Dir
	case unix.S_IFLNK:
		e.Kind = layer.Symlink
		e.Mode = 0o777
	case unix.S_IFCHR:
		e.Kind, e.Major, e.Minor = layer.Char, unix.Major(st.Rdev), unix.Minor(st.Rdev)
	case unix.S_IFBLK:
		e.Kind, e.Major, e.Minor = layer.Block, unix.Major(st.Rdev), unix.Minor(st.Rdev)
	case unix.S_IFIFO:
		e.Kind = layer.Fifo
	default:
		return e, false
	}
	return e, !strings.Contains(p, "\x00")
}
