//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// builder puts a container's view of the file system together, from inside its new mount namespace.
type builder struct {
	cfg      *Config
	log      *eventlog.Log
	root     tree
	proc     int // the procfs mount
	null     int // our own /dev/null, for masking
	pts      int // the devpts mount
	console  *terminal
	groups   []string       // names of the hierarchies to show
	shm      int            // somebody else's /dev/shm as a mount, or -1
	mountsOf int            // mount namespace of the container whose /dev/shm it is, or -1
	sources  []source       // of cfg.Mounts, in their order
	peers    map[int]source // those that were opened before all others
}

// build mounts everything and leaves the process in the new root.
func (b *builder) build() error {
	if err := b.openPeers(); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	b.log.Fact(vocab.MountPrivate, trace.String("container", b.cfg.ID))
	if err := b.openSources(); err != nil {
		return err
	}
	var err error
	if b.shm, err = b.borrowShm(); err != nil {
		return err
	}
	lowers, err := b.withStubs()
	if err != nil {
		return err
	}
	layers := b.cfg.Root
	layers.Lowers = lowers
	if b.root, err = mountOverlay(layers, layers.Upper); err != nil {
		return err
	}
	b.mounted("/", "overlay", "overlay", overlayOptions(b.cfg.Root))
	steps := []func() error{b.mountProc, b.mountDev, b.mountSys, b.mountCgroups, b.mountUser, b.bindNames, b.applySysctls, b.mask, b.finish}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return b.pivot()
}

func (b *builder) mounted(target, fstype, source, options string) {
	if b.log == nil {
		return
	}
	b.log.Fact(vocab.MountDo, trace.String("container", b.cfg.ID), trace.String("target", target), trace.String("type", fstype),
		trace.String("source", source), trace.String("options", options))
}

func overlayOptions(r Root) string {
	lowers := "lowerdir=" + strings.Join(r.Lowers, ":")
	if r.Upper == "" {
		return lowers
	}
	return lowers + ",upperdir=" + r.Upper + ",workdir=" + r.Work
}

// fixed opens a folder that must not be reached through a link: what is mounted there is trusted later.
func (b *builder) fixed(name string) (int, error) {
	fd, err := b.root.ensureDir(name, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return -1, fmt.Errorf("mount %s: the image has a link or a file in its place; it must be a folder", name)
	}
	return fd, err
}

// place makes a mount and puts it at a fixed folder, keeping a descriptor of the mount.
func (b *builder) place(name, fstype string, attrs int, options ...option) (int, error) {
	m := standard.Mount{Target: name, Type: fstype, Flags: flagsOf(attrs)}
	for _, o := range options {
		m.Options = append(m.Options, standard.Option{Key: o.key, Value: o.value})
	}
	return b.placeStandard(m)
}

// placeStandard is place for what every container has.
func (b *builder) placeStandard(m standard.Mount) (int, error) {
	mnt, err := newStandard(m)
	if err != nil {
		return -1, err
	}
	target, err := b.fixed(m.Target)
	if err != nil {
		unix.Close(mnt)
		return -1, err
	}
	defer unix.Close(target)
	err = unix.MoveMount(mnt, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
	if err != nil {
		unix.Close(mnt)
		return -1, fmt.Errorf("mount %s at %s: %w", m.Type, m.Target, err)
	}
	b.mounted(m.Target, m.Type, m.Type, m.Describe())
	return mnt, nil
}

// newStandard makes a mount that is not attached anywhere yet.
func newStandard(m standard.Mount) (int, error) {
	options := make([]option, len(m.Options))
	for i, o := range m.Options {
		options[i] = option{o.Key, o.Value}
	}
	attrs := 0
	for _, p := range flagPairs() {
		if m.Flags&p.flag != 0 {
			attrs |= p.attr
		}
	}
	return newMount(m.Type, attrs, options...)
}

// flagPair is one attribute in both languages.
type flagPair struct {
	flag standard.Flags
	attr int
}

func flagPairs() [5]flagPair {
	return [5]flagPair{{standard.ReadOnly, unix.MOUNT_ATTR_RDONLY}, {standard.NoSuid, unix.MOUNT_ATTR_NOSUID}, {standard.NoDev, unix.MOUNT_ATTR_NODEV},
		{standard.NoExec, unix.MOUNT_ATTR_NOEXEC}, {standard.StrictAtime, unix.MOUNT_ATTR_STRICTATIME}}
}

func flagsOf(attrs int) standard.Flags {
	var f standard.Flags
	for _, p := range flagPairs() {
		if attrs&p.attr != 0 {
			f |= p.flag
		}
	}
	return f
}

func (b *builder) mountProc() error {
	fd, err := b.placeStandard(standard.Proc())
	if errors.Is(err, unix.EPERM) && b.cfg.Rootless && b.cfg.Spaces.PID.Host {
		fd, err = b.bindProc()
	}
	if err != nil {
		return err
	}
	b.proc = fd
	if !b.cfg.Spaces.Net.Own() {
		return nil // its settings are somebody else's
	}
	// As docker does: any user may bind low ports and send echo requests, which end in this network namespace.
	_ = b.sysctl("net/ipv4/ip_unprivileged_port_start", "0")
	_ = b.sysctl("net/ipv4/ping_group_range", "0 2147483647")
	return nil
}

// bindProc serves a user namespace that shows the processes of an outer one: the kernel makes no fresh /proc for it.
func (b *builder) bindProc() (int, error) {
	target, err := b.fixed("/proc")
	if err != nil {
		return -1, err
	}
	mnt, err := clone(unix.AT_FDCWD, "/proc", true)
	if err != nil {
		return -1, pathError("bind", "/proc", err)
	}
	keep, err := dupHigh(mnt)
	if err != nil {
		return -1, err
	}
	if err := attach(keep, target); err != nil {
		return -1, pathError("bind", "/proc", err)
	}
	b.mounted("/proc", "bind", "/proc", standard.BindOptions(false))
	return b.root.open("/proc", unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
}

// sysctl writes a file below /proc/sys of the mount that was made here, whatever lies over it meanwhile.
func (b *builder) sysctl(name, value string) error {
	sys, err := (tree{b.proc}).open("sys", unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return pathError("open", "/proc/sys", err)
	}
	defer unix.Close(sys)
	fd, err := (tree{sys}).open(name, unix.O_WRONLY, unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV)
	if err != nil {
		return pathError("open", "/proc/sys/"+name, err)
	}
	defer unix.Close(fd)
	if !magic(fd, unix.PROC_SUPER_MAGIC) {
		return fmt.Errorf("open /proc/sys/%s: it is not a file of the kernel", name)
	}
	if _, err = unix.Write(fd, []byte(value)); err != nil {
		return pathError("write", "/proc/sys/"+name, err)
	}
	if b.log != nil {
		b.log.Fact(vocab.SysctlSet, trace.String("container", b.cfg.ID), trace.String("name", strings.ReplaceAll(name, "/", ".")), trace.String("value", value))
	}
	return nil
}

// applySysctls writes the settings that the container's owner asked for.
func (b *builder) applySysctls() error {
	for _, s := range b.cfg.Sysctls {
		if err := b.sysctl(strings.ReplaceAll(s.Name, ".", "/"), s.Value); err != nil {
			return fmt.Errorf("set %s: %w", s.Name, err)
		}
	}
	return nil
}

func (b *builder) mountSys() error {
	fd, err := b.placeStandard(standard.Sys(b.cfg.Privileged))
	if errors.Is(err, unix.EPERM) && b.cfg.Rootless {
		return b.bindSys()
	}
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// bindSys serves namespaces whose outer /sys is partly hidden: the kernel then refuses a fresh one.
func (b *builder) bindSys() error {
	target, err := b.fixed("/sys")
	if err != nil {
		return err
	}
	return bind("/sys", target, true)
}

// bindNames puts the engine's own /etc/hosts, hostname and resolv.conf over the image's.
func (b *builder) bindNames() error {
	for _, f := range standard.NameFiles(b.cfg.Hostname) {
		name := f.Name
		if b.asked("/etc/" + name) {
			continue
		}
		source := filepath.Join(b.cfg.namesDir(), name)
		if _, err := os.Lstat(source); err != nil {
			continue
		}
		target, err := b.root.ensureFile("/etc/" + name)
		if err != nil {
			continue // an image may have a dangling link here, or a volume may be read-only; it then does without
		}
		if b.mayCover(target) != nil {
			unix.Close(target)
			continue
		}
		if err := bind(source, target, false); err != nil {
			return err
		}
		b.mounted("/etc/"+name, "bind", source, standard.NameOptions)
	}
	return nil
}

// namesDir is the folder with the files of names: those of the container whose network it is.
func (c *Config) namesDir() string {
	if c.Names != "" {
		return c.Names
	}
	return c.Dir
}

// asked reports whether the container's owner has something mounted exactly there.
func (b *builder) asked(target string) bool {
	return slices.ContainsFunc(b.cfg.Mounts, func(m Mount) bool { return path.Clean(m.Target) == target })
}

func (b *builder) mask() error {
	for _, p := range b.cfg.Masked {
		if err := b.maskOne(p); err != nil {
			return fmt.Errorf("mask %s: %w", p, err)
		}
	}
	for _, p := range b.cfg.Unwritten {
		if err := b.lockOne(p); err != nil {
			return fmt.Errorf("make %s read-only: %w", p, err)
		}
	}
	return nil
}

func (b *builder) maskOne(p string) error {
	target, err := b.root.open(p, unix.O_PATH, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(target, &st); err != nil {
		return err
	}
	var mnt int
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		mnt, err = newMount("tmpfs", plainAttrs|unix.MOUNT_ATTR_RDONLY, option{"size", "0k"})
	} else {
		mnt, err = clone(b.null, "", false)
	}
	if err != nil {
		unix.Close(target)
		return err
	}
	b.mounted(p, "mask", "", "")
	return attach(mnt, target)
}

func (b *builder) lockOne(p string) error {
	target, err := b.root.open(p, unix.O_PATH, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	mnt, err := clone(target, "", true)
	if err != nil {
		unix.Close(target)
		return err
	}
	if err := setAttrs(mnt, unix.MOUNT_ATTR_RDONLY|plainAttrs, true); err != nil {
		unix.Close(target)
		return err
	}
	b.mounted(p, "bind", p, "ro")
	return attach(mnt, target)
}

// finish makes the folder to work in, while the root can still be written, and then seals the root if asked.
func (b *builder) finish() error {
	if cwd := b.cfg.Process.Cwd; cwd != "" && cwd != "/" {
		fd, err := b.root.ensureDir(cwd, 0)
		if err != nil {
			return fmt.Errorf("set working folder: %w", err)
		}
		unix.Close(fd)
	}
	if !b.cfg.ReadOnly {
		return nil
	}
	if err := setAttrs(b.root.fd, unix.MOUNT_ATTR_RDONLY, false); err != nil {
		return fmt.Errorf("make root read-only: %w", err)
	}
	b.mounted("/", "remount", "", "ro")
	return nil
}

// pivot makes the tree the root and lets go of the host's.
func (b *builder) pivot() error {
	if err := unix.Fchdir(b.root.fd); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave old root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if b.log != nil {
		b.log.Fact(vocab.PivotRoot, trace.String("container", b.cfg.ID))
	}
	return nil
}
