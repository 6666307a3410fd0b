//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/thread"
)

// OpenChain implements driver.Trees.
func (s *Snapshots) OpenChain(ctx context.Context, chain digest.Digest) (driver.Tree, error) {
	dirs, _, err := s.layers.lowers(chain)
	if err != nil {
		return nil, fmt.Errorf("open tree: %w", err)
	}
	name := "layers up to " + chain.String()
	if len(dirs) == 0 {
		empty, err := s.emptyDir()
		if err != nil {
			return nil, fmt.Errorf("open tree: %w", err)
		}
		dirs, name = []string{empty}, "the empty tree"
	}
	return s.open(name, dirs)
}

// OpenKey implements driver.Trees. The upper folder takes part as one more read-only folder, which is allowed while a
// container has it mounted, and shows what the container does.
func (s *Snapshots) OpenKey(ctx context.Context, key string) (driver.Tree, error) {
	rec, err := s.read(key)
	if err != nil {
		return nil, fmt.Errorf("open tree: %w", err)
	}
	dirs, _, err := s.layers.lowers(rec.Chain)
	if err != nil {
		return nil, fmt.Errorf("open tree of %s: %w", key, err)
	}
	return s.open(key, append([]string{s.upper(key)}, dirs...))
}

func (s *Snapshots) open(name string, dirs []string) (driver.Tree, error) {
	var fd int
	var err error
	if len(dirs) == 1 {
		fd, err = unix.Open(dirs[0], unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	} else {
		fd, err = s.mountTree(dirs)
	}
	if err != nil {
		return nil, fmt.Errorf("open tree of %s: %w", name, err)
	}
	return &tree{fd, name}, nil
}

// mountTree mounts dirs in this process's mount namespace. Where that belongs to another user namespace (unshare -r makes one of
// users alone), or where the kernel can't do it layer by layer, a thread takes a namespace of its own for it and ends with it: the tree hangs
// on its descriptor only.
func (s *Snapshots) mountTree(dirs []string) (fd int, err error) {
	fd, err = mountDetached(dirs, s.mode.UserXattr)
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EINVAL) {
		return fd, err
	}
	inOwnMounts(func() {
		if errors.Is(err, unix.EPERM) {
			fd, err = mountDetached(dirs, s.mode.UserXattr)
		}
		if errors.Is(err, unix.EINVAL) {
			fd, err = mountClassic(dirs, s.mode.UserXattr, err)
		}
	})
	return fd, err
}

// inOwnMounts calls do on a thread that has a mount namespace and a working folder of its own and ends with it, if there may be such a one.
func inOwnMounts(do func()) {
	thread.Apart(func() {
		if unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS) == nil {
			do()
		}
	})
}

// mountDetached mounts dirs, top first, as one read-only tree that is in no mount namespace and goes with its descriptor.
func mountDetached(dirs []string, userXattr bool) (int, error) {
	fsfd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if errors.Is(err, unix.EPERM) {
		return -1, fmt.Errorf("mount overlay: %w: it takes root, or a user and mount namespace of one's own", err)
	}
	if err != nil {
		return -1, fmt.Errorf("open overlay file system: %w", err)
	}
	defer unix.Close(fsfd)
	if err := configureLowers(fsfd, dirs); err != nil {
		return -1, explain(fsfd, err)
	}
	if userXattr {
		if err := unix.FsconfigSetFlag(fsfd, "userxattr"); err != nil {
			return -1, explain(fsfd, err)
		}
	}
	if err := unix.FsconfigCreate(fsfd); err != nil {
		return -1, explain(fsfd, err)
	}
	fd, err := unix.Fsmount(fsfd, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID)
	if err != nil {
		return -1, explain(fsfd, err)
	}
	return fd, nil
}

// mountClassic does the same where "lowerdir+" is unknown (before Linux 6.5, which says so at the first or at the last call). The thread has a
// mount namespace and a working folder of its own. The options have to fit into a page, so the folders are named by their descriptors' numbers.
func mountClassic(dirs []string, userXattr bool, why error) (int, error) {
	fds, closeAll, err := openFolders(dirs)
	if err != nil {
		return -1, err
	}
	defer closeAll()
	names := make([]string, len(fds))
	for i, fd := range fds {
		names[i] = strconv.Itoa(fd)
	}
	data := "lowerdir=" + strings.Join(names, ":")
	if userXattr {
		data += ",userxattr"
	}
	if len(data) >= os.Getpagesize() {
		return -1, fmt.Errorf("mount overlay of %d layers: this kernel takes fewer at once; Linux 6.5 or later takes 500: %w", len(dirs), why)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return -1, fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Chdir("/proc/thread-self/fd"); err != nil {
		return -1, fmt.Errorf("enter /proc/thread-self/fd: %w", err)
	}
	place := dirs[0] // it is covered for this thread alone
	if err := unix.Mount("overlay", place, "overlay", unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID, data); err != nil {
		return -1, fmt.Errorf("mount overlay: %w (before: %w)", err, why)
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, place, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open mounted overlay: %w", err)
	}
	return fd, nil
}

// configureLowers names the folders through descriptors: a string may have 255 bytes only.
func configureLowers(fsfd int, dirs []string) error {
	fds, closeAll, err := openFolders(dirs)
	if err != nil {
		return err
	}
	defer closeAll() // all stay open until the last is named
	for i, fd := range fds {
		if err := unix.FsconfigSetString(fsfd, "lowerdir+", "/proc/self/fd/"+strconv.Itoa(fd)); err != nil {
			return fmt.Errorf("add lower folder %s: %w", dirs[i], err)
		}
	}
	return nil
}

// openFolders opens folders as names. The caller closes them all.
func openFolders(dirs []string) (fds []int, closeAll func(), err error) {
	closeAll = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	for _, dir := range dirs {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("open %s: %w", dir, err)
		}
		fds = append(fds, fd)
	}
	return fds, closeAll, nil
}

// explain adds what the kernel wrote about a failed mount: its own words say more than an error number.
func explain(fsfd int, err error) error {
	buf := make([]byte, 1024)
	n, readErr := unix.Read(fsfd, buf)
	if readErr != nil || n <= 0 {
		return fmt.Errorf("mount overlay: %w", err)
	}
	return fmt.Errorf("mount overlay: %w (%s)", err, strings.TrimSpace(string(buf[:n])))
}
