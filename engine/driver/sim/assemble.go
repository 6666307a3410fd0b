package sim

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/nameconf"
	"github.com/learn-containers/learn/engine/driver/sim/folder"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/kernel"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// builder puts a container's view of the file system together, in the order in which the kernel of a real machine is told to.
type builder struct {
	spec *driver.Spec
	log  *eventlog.Log
	now  func() time.Time
	root *tree.Union
	ns   *vfs.Namespace
	view *vfs.View
	pts  *vfs.Tmpfs
	box  *kernel.Box
	proc fsys.FS
	sys  fsys.FS
	dev  *vfs.Tmpfs // the device nodes themselves

	home    *home.Home
	trees   *tree.Snapshots
	unions  map[string]*tree.Union // writable layers that are mounted besides the root; the owner closes them
	folders map[string]*folder.FS
	volumes map[string]*watchedVolume // by their folders
	report  tree.Report               // nil where nobody records
}

func newBuilder(h *host) *builder {
	now := h.machine.clock.Now
	b := &builder{spec: h.spec, log: h.events, now: now, root: h.root, ns: vfs.New(h.root), pts: vfs.NewPts(now), home: h.machine.home, trees: h.trees,
		unions: map[string]*tree.Union{}, folders: map[string]*folder.FS{}, volumes: map[string]*watchedVolume{}, report: h.reporter()}
	b.view = b.ns.View(vfs.Cred{Privileged: true}, nobody{now})
	return b
}

// nobody is whoever mounts and makes folders before there is a process.
type nobody struct{ now func() time.Time }

func (nobody) Enter() error                                  { return nil }
func (nobody) Device(uint64, bool) (vfs.Stream, error)       { return nil, syscall.ENXIO }
func (nobody) Pipe(fsys.FS, uint64, int) (vfs.Stream, error) { return nil, syscall.ENXIO }
func (n nobody) Now() time.Time                              { return n.now() }

// build mounts everything, for the processes of box, which source tells of.
func (b *builder) build(box *kernel.Box, source vfs.ProcSource) error {
	b.box, b.proc, b.sys = box, vfs.NewTunedProc(source, b.spec.Sysctls), vfs.NewSys(source)
	steps := []func() error{b.mountRoot, b.mountProc, b.mountDev, b.mountSys, b.mountUser, b.bindNames, b.tune, b.mask, b.finish}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	b.log.Fact(vocab.PivotRoot, trace.String("container", b.spec.ID))
	return nil
}

// mountRoot tells of the root, which is mounted from the beginning, and has the mount table say what it is made of.
func (b *builder) mountRoot() error {
	b.log.Fact(vocab.MountPrivate, trace.String("container", b.spec.ID))
	lowers, upper := b.root.Where()
	options := []string{"lowerdir=" + strings.Join(lowers, ":"), "upperdir=" + upper}
	b.mounted("/", "overlay", "overlay", strings.Join(options, ","))
	if err := b.ns.Remount("/", options...); err != nil {
		return fmt.Errorf("mount overlay at /: %w", err)
	}
	return nil
}

func (b *builder) mounted(target, fstype, source, options string) {
	b.log.Fact(vocab.MountDo, trace.String("container", b.spec.ID), trace.String("target", target), trace.String("type", fstype),
		trace.String("source", source), trace.String("options", options))
}

// fixed checks that a place is not reached through a link: what is mounted there is trusted later.
func (b *builder) fixed(name string) error {
	for p := name; p != "/"; p = path.Dir(p) {
		fi, err := b.view.Lstat(p)
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
			continue // a file on the way is found further up
		}
		if err != nil {
			return err
		}
		if !fi.IsDir() {
			return fmt.Errorf("mount %s: the image has a link or a file in its place; it must be a folder", name)
		}
	}
	return nil
}

// place mounts fs where every container has m.
func (b *builder) place(m standard.Mount, fs fsys.FS, file string) error {
	if err := b.fixed(m.Target); err != nil {
		return err
	}
	if err := b.mount(m, fs, file); err != nil {
		return err
	}
	b.mounted(m.Target, m.Type, m.Type, m.Describe())
	return nil
}

func (b *builder) mount(m standard.Mount, fs fsys.FS, file string) error {
	made := mountOf(m, fs)
	made.File = file
	return b.attach(m.Target, made)
}

// mountOf is m as the mount table has it.
func mountOf(m standard.Mount, fs fsys.FS) vfs.Mount {
	options := m.Flags.Words()
	for _, o := range m.Options {
		switch {
		case o.Key == "source" || o.Key == "newinstance": // said to the file system, not shown
		case o.Value == "":
			options = append(options, o.Key)
		default:
			options = append(options, o.Key+"="+o.Value)
		}
	}
	return vfs.Mount{FS: fs, Source: m.Type, Type: m.Type, Options: access(options)}
}

// access puts in front what every mount table has in front.
func access(options []string) []string {
	if slices.Contains(options, "ro") {
		return options
	}
	return append([]string{"rw"}, options...)
}

func (b *builder) attach(target string, m vfs.Mount) error {
	if err := b.ns.Mount(target, m); err != nil {
		return fmt.Errorf("mount %s at %s: %w", m.Type, target, err)
	}
	return nil
}

func (b *builder) mountProc() error {
	if err := b.place(standard.Proc(), b.proc, ""); err != nil || b.spec.Network == driver.NetworkHost {
		return err
	}
	// They are so in every network of the machine: any user may bind low ports and send echo requests, as docker has it.
	b.log.Fact(vocab.SysctlSet, trace.String("container", b.spec.ID), trace.String("name", "net.ipv4.ip_unprivileged_port_start"), trace.String("value", "0"))
	b.log.Fact(vocab.SysctlSet, trace.String("container", b.spec.ID), trace.String("name", "net.ipv4.ping_group_range"), trace.String("value", "0 2147483647"))
	return nil
}

// mountSys also shows the container its own control group, if it has one.
func (b *builder) mountSys() error {
	if err := b.place(standard.Sys(b.spec.Process.Privileged), b.sys, ""); err != nil {
		return err
	}
	if len(settings(b.spec.Limits)) == 0 {
		return nil
	}
	return b.place(standard.Cgroup(), b.sys, "fs/cgroup")
}

// mountDev makes /dev: a tmpfs in which devices do not work, with the standard nodes mounted on top one by one.
func (b *builder) mountDev() error {
	dev, err := b.makeDev()
	if err != nil {
		return fmt.Errorf("make /dev: %w", err)
	}
	if err := b.place(standard.Dev(), dev, ""); err != nil {
		return err
	}
	for _, d := range standard.Devices() {
		err := b.attach("/dev/"+d.Name, vfs.Mount{FS: b.dev, Source: "tmpfs", Type: "tmpfs", Options: []string{"rw", "nosuid", "noexec"}, File: d.Name})
		if err != nil {
			return err
		}
		b.mounted("/dev/"+d.Name, "bind", d.Name, standard.DeviceOptions)
	}
	for _, m := range standard.UnderDev(b.spec.ShmBytes) {
		if b.withoutShm(m) {
			continue
		}
		if err := b.place(m, b.underDev(m), ""); err != nil {
			return err
		}
	}
	if b.spec.Process.Terminal {
		err := b.attach("/dev/console", vfs.Mount{FS: b.dev, Source: "devpts", Type: "devpts", Options: []string{"rw", "nosuid", "noexec"}, File: "console"})
		if err != nil {
			return err
		}
		b.mounted("/dev/console", "bind", "pts/0", "")
	}
	return b.addDevices()
}

// withoutShm tells whether m is the shared memory of a container that is to have none.
func (b *builder) withoutShm(m standard.Mount) bool {
	return m.Target == "/dev/shm" && b.spec.Shared.IPC == driver.NamespaceNone
}

// makeDev makes the folder with its links and empty files to mount on, and the nodes apart from it.
func (b *builder) makeDev() (*vfs.Tmpfs, error) {
	const size = 64 << 20
	dev := vfs.NewTmpfs(size, 0o755, b.now, b.box.Account)
	b.dev = vfs.NewTmpfs(0, 0o755, b.now, nil)
	var err error
	make := func(fs *vfs.Tmpfs, name string, n fsys.New) { err = errors.Join(err, fs.Make(name, n)) }
	node := func(name string, mode uint32, gid int, rdev uint64) {
		make(dev, name, fsys.New{Kind: fsys.File, Mode: 0o644})
		make(b.dev, name, fsys.New{Kind: fsys.CharDevice, Mode: mode, GID: gid, Rdev: rdev})
	}
	for _, d := range standard.Devices() {
		node(d.Name, 0o666, 0, fsys.MakeDev(d.Major, d.Minor))
	}
	for _, l := range standard.Links() {
		make(dev, l.Name, fsys.New{Kind: fsys.Symlink, Mode: 0o777, Target: l.Target})
	}
	for _, m := range standard.UnderDev(b.spec.ShmBytes) {
		if b.withoutShm(m) {
			continue
		}
		make(dev, path.Base(m.Target), fsys.New{Kind: fsys.Dir, Mode: 0o755})
	}
	if b.spec.Process.Terminal {
		const ptsMajor, ttyGroup = 136, 5
		node("console", 0o620, ttyGroup, fsys.MakeDev(ptsMajor, 0))
	}
	return dev, err
}

func (b *builder) underDev(m standard.Mount) fsys.FS {
	size := b.spec.ShmBytes
	if size == 0 {
		size = 64 << 20
	}
	switch m.Type {
	case "devpts":
		return b.pts
	case "mqueue":
		return vfs.NewTmpfs(0, 0o1777, b.now, b.box.Account)
	}
	return vfs.NewTmpfs(size, 0o1777, b.now, b.box.Account)
}

// bindNames puts the engine's own /etc/hosts, hostname and resolv.conf over the image's.
func (b *builder) bindNames() error {
	for _, f := range standard.NameFiles(b.spec.Hostname) {
		if slices.ContainsFunc(b.spec.Mounts, func(m driver.Mount) bool { return path.Clean(m.Target) == "/etc/"+f.Name }) {
			continue // the container's owner has something there
		}
		source := filepath.Join(b.spec.Dir, f.Name)
		fs, err := vfs.NewBind(source, false)
		if err != nil {
			return fmt.Errorf("bind %s: %w", source, err)
		}
		if _, err := b.view.Lstat("/etc/" + f.Name); errors.Is(err, syscall.ENOENT) && b.ensure("/etc/"+f.Name, false) != nil {
			continue // a volume may be read-only
		}
		if real, err := b.view.Real("/etc/" + f.Name); err != nil || strings.HasPrefix(real, "/proc/") {
			continue
		}
		if err := b.ns.Mount("/etc/"+f.Name, vfs.Mount{FS: fs, Source: source, Type: "bind", Options: []string{"rw", "nodev"}}); err != nil {
			continue // an image may have a dangling link here; it then does without
		}
		b.mounted("/etc/"+f.Name, "bind", source, standard.NameOptions)
	}
	return nil
}

// writeNames writes the files that bindNames mounts.
func writeNames(spec *driver.Spec) error {
	files := standard.NameFiles(spec.Hostname)
	if spec.Net != nil {
		files = nameconf.ConnectedFiles(spec.Hostname, spec.Net, machineResolv())
	}
	for _, f := range files {
		file := filepath.Join(spec.Dir, f.Name)
		if _, err := os.Lstat(file); err == nil && f.Keep {
			continue
		}
		if f.Name == "hosts" {
			f.Content += standard.HostLines(spec.Hosts)
		}
		if err := os.WriteFile(file, []byte(f.Content), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	return nil
}

// mask hides what tells about the machine, and protects what may be read but not set.
func (b *builder) mask() error {
	for _, p := range b.maskedPaths() {
		fi, err := b.view.Lstat(p)
		if err != nil {
			continue // not on this machine
		}
		m := vfs.Mount{FS: b.dev, Source: "tmpfs", Type: "tmpfs", Options: []string{"rw", "nosuid", "noexec"}, File: "null"}
		if fi.IsDir() {
			m = vfs.Mount{FS: vfs.NewTmpfs(0, 0o755, b.now, nil), Source: "tmpfs", Type: "tmpfs", Options: []string{"ro", "nosuid", "nodev", "noexec"}}
		}
		if err := b.attach(p, m); err != nil {
			return fmt.Errorf("mask %s: %w", p, err)
		}
		b.mounted(p, "mask", "", "")
	}
	for _, p := range b.unwrittenPaths() {
		if _, err := b.view.Lstat(p); err != nil {
			continue
		}
		if err := b.protect(p); err != nil {
			return err
		}
	}
	return nil
}

// finish makes the folder to work in, while the root can still be written, and then seals the root if asked.
func (b *builder) finish() error {
	if cwd := b.spec.Process.Cwd; cwd != "" {
		if err := b.ensureDir(path.Join("/", cwd)); err != nil {
			return fmt.Errorf("set working folder: %w", err)
		}
	}
	if !b.spec.ReadOnly {
		return nil
	}
	if err := b.ns.Remount("/", "ro"); err != nil {
		return fmt.Errorf("make root read-only: %w", err)
	}
	b.mounted("/", "remount", "", "ro")
	return nil
}

// ensureDir makes the folders of a path that are missing. Links on the way are followed, inside the container.
func (b *builder) ensureDir(name string) error {
	fi, err := b.view.Stat(name)
	switch {
	case err == nil && fi.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("make folder %s: %w", name, syscall.ENOTDIR)
	case !errors.Is(err, syscall.ENOENT):
		return err
	}
	if err := b.ensureDir(path.Dir(name)); err != nil {
		return err
	}
	return b.view.Mkdir(name, 0o755)
}
