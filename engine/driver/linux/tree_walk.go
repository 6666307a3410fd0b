//go:build linux

package linux

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
	entries, err := readEntries(fd)
	if err != nil {
		return fmt.Errorf("list %q: %w", dir, err)
	}
	for _, e := range entries {
		p := e.name
		if dir != "." {
			p = dir + "/" + e.name
		}
		if len(p) > maxPath {
			return fmt.Errorf("path %.60q... is longer than %d bytes, which no archive can hold", p, maxPath)
		}
		if e.file {
			err = a.file(fd, e.name, p)
		} else {
			err = a.entry(fd, e.name, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// folderEntry is one name of a folder, and whether the folder says that it is a regular file.
type folderEntry struct {
	name string
	file bool
}

// readEntries lists an open folder, sorted, from its beginning.
func readEntries(fd int) ([]folderEntry, error) {
	again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(again)
	var entries []folderEntry
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(again, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			break
		}
		entries = appendEntries(entries, buf[:n])
	}
	slices.SortFunc(entries, func(a, b folderEntry) int { return strings.Compare(a.name, b.name) })
	return entries, nil
}

// appendEntries takes a buffer of getdents64(2) apart: inode and offset of eight bytes each, length of two, type of one, name and zero.
func appendEntries(entries []folderEntry, buf []byte) []folderEntry {
	const head = 19
	for len(buf) > head {
		size := int(binary.NativeEndian.Uint16(buf[16:]))
		if size <= head || size > len(buf) {
			break
		}
		name, _, _ := bytes.Cut(buf[head:size], []byte{0})
		if ino := binary.NativeEndian.Uint64(buf); ino != 0 && string(name) != "." && string(name) != ".." {
			entries = append(entries, folderEntry{string(name), buf[18] == unix.DT_REG})
		}
		buf = buf[size:]
	}
	return entries
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
	slices.Sort(names)
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
	if e.Kind != layer.Dir && e.Kind != layer.File && st.Nlink > 1 && a.hardLink(&e, &st) {
		return a.write(e, nil)
	}
	switch e.Kind {
	case layer.Dir:
		return a.subfolder(fd, name, e)
	case layer.File:
		return a.file(fd, name, p)
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
	if e.Xattrs, err = readOpenXattrs(sub); err != nil {
		return fmt.Errorf("%q: %w", e.Path, err)
	}
	if err := a.write(e, nil); err != nil {
		return err
	}
	if a.changes {
		if err := a.marks(procPath(sub, "."), e.Path); err != nil {
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

// file writes a file. It is opened first: what is said of it and what is read belong together, and one look is enough.
func (a *archiver) file(fd int, name, p string) error {
	file, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil // removed since the folder was listed
	}
	if err != nil {
		return fmt.Errorf("open %q: %w", p, err)
	}
	defer unix.Close(file)
	var st unix.Stat_t
	if err := unix.Fstat(file, &st); err != nil {
		return fmt.Errorf("stat %q: %w", p, err)
	}
	e, ok := entryOf(p, &st)
	if e.Kind != layer.File {
		return fmt.Errorf("%q changed from a file to something else while it was read", p)
	}
	if !ok || st.Nlink > 1 && a.hardLink(&e, &st) {
		return a.write(e, nil)
	}
	if e.Xattrs, err = readOpenXattrs(file); err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	return a.write(e, &content{file, e.Size}) // what is appended meanwhile is left for the next time
}

// content reads the first bytes of an open file, without a further look for its end.
type content struct {
	fd   int
	left int64
}

func (c *content) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	for {
		n, err := unix.Read(c.fd, p[:min(int64(len(p)), c.left)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = io.EOF // it shrank
		}
		c.left -= int64(max(n, 0))
		return max(n, 0), err
	}
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
