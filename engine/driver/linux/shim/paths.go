//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// tree is the container's root as a descriptor. Every path inside is resolved by the kernel with this directory as the
// root, so no link in an image, and nobody who swaps one meanwhile, can lead outside.
type tree struct{ fd int }

// open opens name inside the tree.
func (t tree) open(name string, flags int, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | resolve}
	if flags&unix.O_CREAT != 0 {
		how.Mode = 0o644
	}
	for {
		fd, err := unix.Openat2(t.fd, name, &how)
		// EAGAIN: something was renamed during the walk; the kernel asks for another try.
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// ensureDir opens the folder name inside the tree and makes what is missing on the way.
func (t tree) ensureDir(name string, resolve uint64) (int, error) {
	name = path.Clean("/" + name)
	fd, err := t.open(name, unix.O_PATH|unix.O_DIRECTORY, resolve)
	if !errors.Is(err, unix.ENOENT) {
		return fd, pathError("open", name, err)
	}
	parent, err := t.open("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, pathError("open", "/", err)
	}
	at := ""
	for _, elem := range strings.Split(strings.Trim(name, "/"), "/") {
		at += "/" + elem
		next, err := t.step(parent, at, elem, resolve)
		unix.Close(parent)
		if err != nil {
			return -1, pathError("make folder", at, err)
		}
		parent = next
	}
	return parent, nil
}

// step opens the folder at, whose parent is open, and makes it if it is not there.
func (t tree) step(parent int, at, elem string, resolve uint64) (int, error) {
	fd, err := t.open(at, unix.O_PATH|unix.O_DIRECTORY, resolve)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	if err := unix.Mkdirat(parent, elem, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return unix.Openat(parent, elem, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// ensureFile opens the file name inside the tree and makes an empty one if there is none.
func (t tree) ensureFile(name string) (int, error) {
	name = path.Clean("/" + name)
	fd, err := t.open(name, unix.O_PATH, 0)
	if !errors.Is(err, unix.ENOENT) {
		return fd, pathError("open", name, err)
	}
	dir, err := t.ensureDir(path.Dir(name), 0)
	if err != nil {
		return -1, err
	}
	unix.Close(dir)
	made, err := t.open(name, unix.O_CREAT|unix.O_WRONLY, 0)
	if err != nil {
		return -1, pathError("create", name, err)
	}
	unix.Close(made)
	fd, err = t.open(name, unix.O_PATH, 0)
	return fd, pathError("open", name, err)
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}

// dupHigh moves a descriptor out of the range that a child's standard streams are put in.
func dupHigh(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 64)
	if err != nil {
		return -1, fmt.Errorf("duplicate descriptor: %w", err)
	}
	return n, unix.Close(fd)
}
