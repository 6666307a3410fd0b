//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// builder puts a container's file system together, from inside its namespaces.
type builder struct {
	spec    *specs.Spec
	bundle  string
	rootfs  string
	groups  groups
	sources map[int]int // mounts that the command opened, by their place in spec.Mounts; rootSource is the root
	root    shim.Tree
}

const rootSource = -1

func (b *builder) hasSpace(t specs.LinuxNamespaceType) bool {
	for _, ns := range b.spec.Linux.Namespaces {
		if ns.Type == t {
			return true
		}
	}
	return false
}

// build mounts everything. The root is attached, but nobody is in it yet.
func (b *builder) build() error {
	unix.Umask(0)
	if err := b.openRoot(); err != nil {
		return fmt.Errorf("mount root %s: %w", b.rootfs, err)
	}
	for i := range b.spec.Mounts {
		m := &b.spec.Mounts[i]
		if err := b.mount(i, m); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Type, m.Destination, err)
		}
	}
	return b.fillDev()
}

// shared reports whether mounts of the container may show on the host.
func (b *builder) shared() bool { return strings.HasSuffix(b.spec.Linux.RootfsPropagation, "shared") }

// openRoot separates this mount namespace from the host's and mounts the root onto itself, so that it can be turned to.
func (b *builder) openRoot() error {
	if err := b.separate(); err != nil {
		return err
	}
	mnt, ok := b.sources[rootSource]
	if !ok {
		var err error
		if mnt, err = shim.Clone(unix.AT_FDCWD, b.rootfs, true); err != nil {
			return err
		}
	}
	if err := propagate(mnt, []uint64{unix.MS_PRIVATE}); err != nil {
		return err
	}
	b.root = shim.TreeOf(mnt)
	var err error
	for _, place := range []string{b.rootfs, "/mnt", "/media", "/srv", "/tmp"} { // in a user namespace the first may be out of reach
		at, oerr := unix.Open(place, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if oerr != nil {
			err = oerr
			continue
		}
		err = unix.MoveMount(mnt, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
		unix.Close(at)
		if err == nil || !ok {
			break
		}
	}
	return err
}

// separate keeps mounts made here from showing on the host; those of the host show here if the config says so.
func (b *builder) separate() error {
	if !b.hasSpace(specs.MountNamespace) {
		return nil
	}
	if !b.shared() {
		way := uintptr(unix.MS_REC | unix.MS_PRIVATE)
		if strings.HasSuffix(b.spec.Linux.RootfsPropagation, "slave") {
			way = unix.MS_REC | unix.MS_SLAVE
		}
		if err := unix.Mount("", "/", "", way, ""); err != nil {
			return fmt.Errorf("separate mounts: %w", err)
		}
		return nil
	}
	for p := filepath.Clean(b.rootfs); ; p = filepath.Dir(p) { // the mount that the root lies in
		err := unix.Mount("", p, "", unix.MS_PRIVATE, "")
		if !errors.Is(err, unix.EINVAL) || p == "/" {
			return err
		}
	}
}

// finish hides and seals what the config names.
func (b *builder) finish() error {
	l := b.spec.Linux
	if p := b.spec.Process; p != nil && p.Cwd != "/" {
		if fd, err := b.root.EnsureDir(p.Cwd, 0); err == nil {
			unix.Close(fd)
		}
	}
	for _, p := range l.ReadonlyPaths {
		if err := b.seal(p); err != nil {
			return fmt.Errorf("make %s read-only: %w", p, err)
		}
	}
	for _, p := range l.MaskedPaths {
		if err := b.mask(p); err != nil {
			return fmt.Errorf("mask %s: %w", p, err)
		}
	}
	if b.spec.Root.Readonly {
		if err := setAttributes(b.root.FD(), mountOptions{set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make root read-only: %w", err)
		}
	}
	return nil
}

// enter makes the tree the root. Without a mount namespace of the container's own there is nothing to turn around.
func (b *builder) enter() error {
	if err := unix.Fchdir(b.root.FD()); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if !b.hasSpace(specs.MountNamespace) {
		if err := unix.Chroot("."); err != nil {
			return fmt.Errorf("change root: %w", err)
		}
		return unix.Chdir("/")
	}
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open old root: %w", err)
	}
	defer unix.Close(old)
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Fchdir(old); err != nil {
		return fmt.Errorf("leave old root: %w", err)
	}
	if err := unix.Mount("", ".", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil { // its end here is not the host's
		return fmt.Errorf("leave old root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave old root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	way, _ := propagation(b.spec.Linux.RootfsPropagation)
	if way == 0 {
		return nil
	}
	if err := unix.Mount("", "/", "", uintptr(way), ""); err != nil {
		return fmt.Errorf("set propagation of the root: %w", err)
	}
	return nil
}

// setSysctls writes the settings through the host's procfs, which shows whoever opens a file his own namespaces.
func setSysctls(settings map[string]string) error {
	if len(settings) == 0 {
		return nil
	}
	dir, err := unix.Open("/proc/sys", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /proc/sys: %w", err)
	}
	defer unix.Close(dir)
	var fs unix.Statfs_t
	if err := unix.Fstatfs(dir, &fs); err != nil || int64(fs.Type) != unix.PROC_SUPER_MAGIC {
		return errors.New("set kernel settings: /proc is not procfs")
	}
	for name, value := range settings {
		p := strings.ReplaceAll(name, ".", "/")
		if strings.Contains(name, "/") { // sysctl(8): with slashes, dots are part of a name
			p = name
		}
		fd, err := unix.Openat2(dir, p, &unix.OpenHow{Flags: unix.O_WRONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
		if err == nil {
			_, err = unix.Write(fd, []byte(value))
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("set kernel setting %s: %w", name, err)
		}
	}
	return nil
}
