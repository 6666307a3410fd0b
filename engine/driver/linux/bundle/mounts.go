//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// mount carries out one entry of mounts.
func (b *builder) mount(i int, m *specs.Mount) error {
	o, err := parseOptions(m.Options)
	if err != nil {
		return err
	}
	switch {
	case o.remount:
		return b.remount(m, o)
	case m.Type == "cgroup" || m.Type == "cgroup2":
		return b.mountCgroup(m, o)
	case o.bind || m.Type == "bind":
		return b.mountBind(i, m, o)
	}
	return b.mountNew(m, o)
}

// mountBind mounts what is elsewhere. Its source was opened by the command if only that one may.
func (b *builder) mountBind(i int, m *specs.Mount, o mountOptions) error {
	mnt, ok := b.sources[i]
	if !ok {
		var err error
		if mnt, err = openSource(b.bundle, m, o); err != nil {
			return err
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(mnt, &st); err != nil {
		return errors.Join(err, unix.Close(mnt))
	}
	return b.put(mnt, st.Mode&unix.S_IFMT == unix.S_IFDIR, m.Destination, o)
}

// openSource makes a further mount of a bind's source, attached nowhere. A relative path begins in the bundle.
func openSource(bundle string, m *specs.Mount, o mountOptions) (int, error) {
	name := m.Source
	if !filepath.IsAbs(name) {
		name = filepath.Join(bundle, name)
	}
	mnt, err := shim.Clone(unix.AT_FDCWD, name, o.rbind || !o.bind)
	if err != nil {
		return -1, &os.PathError{Op: "bind", Path: name, Err: err}
	}
	return mnt, nil
}

// put attaches a mount at a path inside, which is made if it is missing, and gives it its attributes.
func (b *builder) put(mnt int, dir bool, at string, o mountOptions) error {
	defer unix.Close(mnt)
	target, err := b.target(at, dir)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if err := setAttributes(mnt, o); err != nil {
		return err
	}
	if err := unix.MoveMount(mnt, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	return propagate(mnt, o.propagation)
}

func setAttributes(mnt int, o mountOptions) error {
	if o.set|o.clear != 0 {
		if err := unix.MountSetattr(mnt, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: o.set, Attr_clr: o.clear}); err != nil {
			return fmt.Errorf("set attributes: %w", err)
		}
	}
	if o.rset|o.rclear != 0 {
		if err := unix.MountSetattr(mnt, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: o.rset, Attr_clr: o.rclear}); err != nil {
			return fmt.Errorf("set attributes of all mounts below: %w", err)
		}
	}
	return nil
}

func propagate(mnt int, ways []uint64) error {
	for _, w := range ways {
		flags := uint(unix.AT_EMPTY_PATH)
		if w&unix.MS_REC != 0 {
			flags |= unix.AT_RECURSIVE
		}
		if err := unix.MountSetattr(mnt, "", flags, &unix.MountAttr{Propagation: w &^ unix.MS_REC}); err != nil {
			return fmt.Errorf("set propagation: %w", err)
		}
	}
	return nil
}

// target opens the place of a mount. A place on procfs must be meant: a link of the image's must not lead there.
func (b *builder) target(at string, dir bool) (int, error) {
	open := func(resolve uint64) (int, error) {
		if dir {
			return b.root.EnsureDir(at, resolve)
		}
		return b.root.EnsureFile(at)
	}
	fd, err := open(0)
	if err != nil {
		return -1, err
	}
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) == nil && int64(fs.Type) == unix.PROC_SUPER_MAGIC {
		strict, err := b.root.Open(at, unix.O_PATH, unix.RESOLVE_NO_SYMLINKS)
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("%s leads into /proc by a link", at)
		}
		unix.Close(strict)
	}
	return fd, nil
}

// mountNew mounts a file system of its own.
func (b *builder) mountNew(m *specs.Mount, o mountOptions) error {
	if m.Type == "" {
		return errors.New("the type is missing")
	}
	if m.Type == "proc" || m.Type == "sysfs" { // what is written to through them is trusted to be them
		fd, err := b.root.EnsureDir(m.Destination, unix.RESOLVE_NO_SYMLINKS)
		if err != nil {
			return fmt.Errorf("%s must be a folder, not a link: %w", m.Destination, err)
		}
		unix.Close(fd)
	}
	mnt, err := newFileSystem(m, o, b.spec.Linux.MountLabel)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		if host, ok := hostMount(m.Type); ok && !initialUsers() {
			return b.mountHost(host, m, o)
		}
	}
	if err != nil {
		return err
	}
	if o.copyUp && m.Type == "tmpfs" {
		if err := b.copyUp(mnt, m.Destination); err != nil {
			return errors.Join(fmt.Errorf("copy %s up: %w", m.Destination, err), unix.Close(mnt))
		}
	}
	o.clear, o.set = 0, 0 // it was made with its attributes
	if o.copyUp && o.readOnly {
		o.set = unix.MOUNT_ATTR_RDONLY
	}
	return b.put(mnt, true, m.Destination, o)
}

func newFileSystem(m *specs.Mount, o mountOptions, label string) (int, error) {
	source := m.Source
	if source == "" {
		source = m.Type
	}
	options := []shim.Option{shim.KeyValue("source", source)}
	if label != "" && m.Type != "proc" && m.Type != "sysfs" {
		options = append(options, shim.KeyValue("context", strings.Trim(label, `"`)))
	}
	for _, w := range append(append([]string(nil), o.superblockOnly...), o.data...) {
		key, value, _ := strings.Cut(w, "=")
		if m.Type == "devpts" && key == "gid" && !mappedGroup(value) {
			continue
		}
		options = append(options, shim.KeyValue(key, value))
	}
	attrs := int(o.set)
	if o.copyUp {
		attrs &^= unix.MOUNT_ATTR_RDONLY
	}
	return shim.NewMount(m.Type, attrs, options...)
}

func mappedGroup(value string) bool {
	var gid int64
	_, err := fmt.Sscan(value, &gid)
	return err != nil || shim.GroupMapped(gid)
}

// hostMount is what stands in for a file system that a user namespace may not mount anew.
func hostMount(fstype string) (string, bool) {
	switch fstype {
	case "sysfs":
		return "/sys", true
	case "proc":
		return "/proc", true
	case "mqueue":
		return "/dev/mqueue", true
	}
	return "", false
}

func (b *builder) mountHost(host string, m *specs.Mount, o mountOptions) error {
	mnt, err := shim.Clone(unix.AT_FDCWD, host, true)
	if err != nil {
		return &os.PathError{Op: "bind", Path: host, Err: err}
	}
	o.rset, o.set, o.clear = o.rset|o.set, 0, 0
	if m.Type == "sysfs" {
		o.rset |= unix.MOUNT_ATTR_RDONLY
	}
	return b.put(mnt, true, m.Destination, o)
}

// remount changes the attributes of what is mounted at the destination.
func (b *builder) remount(m *specs.Mount, o mountOptions) error {
	fd, err := b.root.Open(m.Destination, unix.O_PATH, 0)
	if err != nil {
		return &os.PathError{Op: "remount", Path: m.Destination, Err: err}
	}
	defer unix.Close(fd)
	if len(o.data) > 0 {
		return fmt.Errorf("remount with options of the file system (%s) is not supported", strings.Join(o.data, ","))
	}
	if err := setAttributes(fd, o); err != nil {
		return err
	}
	return propagate(fd, o.propagation)
}

// mountCgroup shows the container its own groups.
func (b *builder) mountCgroup(m *specs.Mount, o mountOptions) error {
	gs := b.groups
	if len(gs) == 0 { // without powers: what the host shows, to be read only
		o.rset |= unix.MOUNT_ATTR_RDONLY
		o.bind, o.rbind = true, true
		return b.mountHost("/sys/fs/cgroup", m, o)
	}
	if len(gs) == 1 && gs[0].Version == 2 {
		return b.mountGroup(gs[0], m.Destination, o)
	}
	if m.Type == "cgroup2" {
		return b.mountUnifiedAlone(m, o)
	}
	frame := specs.Mount{Destination: m.Destination, Type: "tmpfs", Source: "tmpfs"}
	fo := o
	fo.set, fo.propagation = o.set&^unix.MOUNT_ATTR_RDONLY, nil
	fo.data = []string{"mode=755", "size=64k"}
	if err := b.mountNew(&frame, fo); err != nil {
		return err
	}
	for _, g := range gs {
		at := filepath.Join(m.Destination, filepath.Base(g.name()))
		if err := b.mountGroup(g, at, mountOptions{set: o.set}); err != nil {
			return fmt.Errorf("%s: %w", g.name(), err)
		}
	}
	fd, err := b.root.Open(m.Destination, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return errors.Join(setAttributes(fd, mountOptions{set: o.set & unix.MOUNT_ATTR_RDONLY}), propagate(fd, o.propagation))
}

func (b *builder) mountUnifiedAlone(m *specs.Mount, o mountOptions) error {
	for _, g := range b.groups {
		if g.Version == 2 {
			return b.mountGroup(g, m.Destination, o)
		}
	}
	mnt, err := shim.NewMount("cgroup2", int(o.set))
	if err != nil {
		return err
	}
	return b.put(mnt, true, m.Destination, mountOptions{propagation: o.propagation})
}

// mountGroup mounts a hierarchy afresh where a namespace keeps the view to the container's own group, and else only that group.
func (b *builder) mountGroup(g group, at string, o mountOptions) error {
	o.data = nil
	if !b.hasSpace(specs.CgroupNamespace) {
		mnt, err := shim.Clone(unix.AT_FDCWD, g.dir(), false)
		if err != nil {
			return &os.PathError{Op: "bind", Path: g.dir(), Err: err}
		}
		return b.put(mnt, true, at, o)
	}
	fstype, options := "cgroup2", []shim.Option(nil)
	if g.Version == 1 {
		fstype = "cgroup"
		for _, c := range g.Controllers {
			options = append(options, shim.KeyValue(c, ""))
		}
	}
	mnt, err := shim.NewMount(fstype, int(o.set), options...)
	if err != nil {
		return err
	}
	o.set, o.clear = 0, 0
	return b.put(mnt, true, at, o)
}
