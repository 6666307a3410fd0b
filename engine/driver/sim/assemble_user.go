package sim

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// userMount is what is mounted for the container's owner.
type userMount struct {
	vfs.Mount
	folder        bool
	from, options string // as its event has them
}

// mountUser mounts what the container's owner asked for.
func (b *builder) mountUser() error {
	for _, m := range b.spec.Mounts {
		if err := b.mountOne(&m); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}

func (b *builder) mountOne(m *driver.Mount) error {
	u, err := b.open(m)
	if err != nil {
		return err
	}
	target := path.Join("/", m.Target)
	if err := b.ensure(target, u.folder); err != nil {
		return err
	}
	switch real, err := b.view.Real(target); {
	case err != nil:
		return err
	case real == "/":
		return standard.CoversRoot
	case real == "/proc" || strings.HasPrefix(real, "/proc/"):
		return standard.InsideProc
	}
	if err := b.attach(target, u.Mount); err != nil {
		return err
	}
	b.mounted(m.Target, u.Type, u.from, u.options)
	return nil
}

// open makes the file system that is to be mounted.
func (b *builder) open(m *driver.Mount) (userMount, error) {
	switch m.Type {
	case "tmpfs":
		return b.openTmpfs(m)
	case "tree":
		return b.openTree(m)
	case "folder":
		return b.openFolder(m)
	case "file":
		return b.openFile(m)
	}
	return b.openBind(m)
}

// ensure makes sure that there is a folder or a file to mount on. What the root lacks is provided and no change of it; what is missing in
// another file system is made there.
func (b *builder) ensure(target string, folder bool) error {
	in, name, missing, err := b.ns.Missing(target)
	if err != nil {
		return &os.PathError{Op: "stat", Path: target, Err: err}
	}
	if missing && in == fsys.FS(b.root) {
		b.root.Provide(name, folder)
	}
	if folder {
		return b.ensureDir(target)
	}
	return b.ensureFile(target)
}

// ensureFile makes an empty file to mount on, if there is nothing.
func (b *builder) ensureFile(name string) error {
	if _, err := b.view.Stat(name); !errors.Is(err, syscall.ENOENT) {
		return err
	}
	if err := b.ensureDir(path.Dir(name)); err != nil {
		return err
	}
	f, err := b.view.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func (b *builder) openBind(m *driver.Mount) (userMount, error) {
	if strings.HasSuffix(m.Propagation, "shared") || strings.HasSuffix(m.Propagation, "slave") {
		return userMount{}, fmt.Errorf("bind %s: propagation %s: a simulated machine exchanges no mounts with the host; leave it out, or use the linux driver", m.Source, m.Propagation)
	}
	st, err := os.Stat(m.Source)
	if err != nil {
		return userMount{}, fmt.Errorf("bind source path does not exist: %s", m.Source)
	}
	fs, err := vfs.NewBind(m.Source, m.ReadOnly)
	if err != nil {
		return userMount{}, fmt.Errorf("bind %s: %w", m.Source, err)
	}
	return userMount{vfs.Mount{FS: fs, Source: m.Source, Type: "bind", Options: writing(m.ReadOnly)}, st.IsDir(), m.Source, standard.BindOptionsOf(m.ReadOnly, m.Flat, m.Propagation)}, nil
}

// writing are the options of a mount in which devices do not work.
func writing(readOnly bool) []string {
	if readOnly {
		return []string{"ro", "nodev"}
	}
	return []string{"rw", "nodev"}
}

func (b *builder) openTmpfs(m *driver.Mount) (userMount, error) {
	s := standard.Tmpfs(m.Target, m.ReadOnly, m.Options)
	o, err := parseTmpfs(s.Options)
	if err != nil {
		return userMount{}, err
	}
	fs := vfs.NewTmpfs(o.size, o.mode, b.now, b.box.Account)
	if err := fs.Set(".", fsys.Change{UID: &o.uid, GID: &o.gid}); err != nil {
		return userMount{}, err
	}
	return userMount{mountOf(s, fs), true, "tmpfs", s.Describe()}, nil
}

// tmpfsOptions are the options of tmpfs(5) that this machine can keep.
type tmpfsOptions struct {
	size     int64
	mode     uint32
	uid, gid int
}

func parseTmpfs(options []standard.Option) (tmpfsOptions, error) {
	o := tmpfsOptions{size: machineMemory / 2, mode: 0o1777}
	for _, opt := range options {
		var err error
		switch opt.Key {
		case "size":
			o.size, err = parseSize(opt.Value)
		case "mode":
			var n uint64
			n, err = strconv.ParseUint(opt.Value, 8, 12)
			o.mode = uint32(n)
		case "uid":
			o.uid, err = parseID(opt.Value)
		case "gid":
			o.gid, err = parseID(opt.Value)
		case "nr_inodes", "nr_blocks", "huge", "mpol": // nothing is kept back by them here
		default:
			err = syscall.EINVAL
		}
		if err != nil {
			return o, fmt.Errorf("mount tmpfs: option %s=%s: %w", opt.Key, opt.Value, syscall.EINVAL)
		}
	}
	return o, nil
}

func parseID(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err
}

// parseSize reads a size as tmpfs(5) has it: bytes, with a unit of k, m or g, or a percentage of the machine's memory. 0 is no limit.
func parseSize(s string) (int64, error) {
	unit := int64(1)
	if n := len(s); n > 0 {
		switch s[n-1] {
		case 'k', 'K':
			unit = 1 << 10
		case 'm', 'M':
			unit = 1 << 20
		case 'g', 'G':
			unit = 1 << 30
		case '%':
			unit = machineMemory / 100
		}
		if unit != 1 {
			s = s[:n-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, syscall.EINVAL
	}
	return n * unit, nil
}
