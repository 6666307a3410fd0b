//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const maxDepth = 256

// copyUp fills a new tmpfs with what the root has at its place (tmpcopyup).
func (b *builder) copyUp(mnt int, at string) error {
	from, err := b.root.Open(at, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	to, err := unix.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(to)
	return copyFolder(from, to, 0)
}

// copyFolder copies what is in from, and how from itself looks. Nothing is followed: names are opened one at a time below open folders.
func copyFolder(from, to, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("folders are more than %d deep", maxDepth)
	}
	fd, err := unix.Openat(from, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), "folder")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyEntry(from, to, name, depth); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return err
	}
	return errors.Join(unix.Fchown(to, int(st.Uid), int(st.Gid)), unix.Fchmod(to, st.Mode&0o7777))
}

func copyEntry(from, to int, name string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return copySubfolder(from, to, name, depth)
	case unix.S_IFREG:
		return copyFile(from, to, name, &st)
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(from, name, buf)
		if err == nil {
			err = unix.Symlinkat(string(buf[:n]), to, name)
		}
		if err != nil {
			return err
		}
		return unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	if err := unix.Mknodat(to, name, st.Mode, int(st.Rdev)); err != nil {
		return err
	}
	return errors.Join(unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW), unix.Fchmodat(to, name, st.Mode&0o7777, 0))
}

func copySubfolder(from, to int, name string, depth int) error {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	if err := unix.Mkdirat(to, name, 0o700); err != nil {
		return err
	}
	src, err := unix.Openat(from, name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	dst, err := unix.Openat(to, name, flags, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	return copyFolder(src, dst, depth+1)
}

func copyFile(from, to int, name string, st *unix.Stat_t) error {
	src, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(src), name)
	defer in.Close()
	dst, err := unix.Openat(to, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(dst), name)
	_, err = io.Copy(out, in)
	err = errors.Join(err, unix.Fchown(dst, int(st.Uid), int(st.Gid)), unix.Fchmod(dst, st.Mode&0o7777))
	return errors.Join(err, out.Close())
}
