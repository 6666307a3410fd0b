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

// mountUser mounts what the container's owner asked for.
func (b *builder) mountUser() error {
	for _, m := range b.spec.Mounts {
		mount := b.mountBind
		if m.Type == "tmpfs" {
			mount = b.mountTmpfs
		}
		if err := mount(m); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}

func (b *builder) mountBind(m driver.Mount) error {
	st, err := os.Stat(m.Source)
	if err != nil {
		return fmt.Errorf("bind source path does not exist: %s", m.Source)
	}
	target := path.Join("/", m.Target)
	ensure := b.ensureFile
	if st.IsDir() {
		ensure = b.ensureDir
	}
	if err := ensure(target); err != nil {
		return err
	}
	if real, err := b.view.Real(target); err == nil && (real == "/proc" || strings.HasPrefix(real, "/proc/")) {
		return errors.New("cannot be mounted because it is inside /proc")
	}
	fs, err := vfs.NewBind(m.Source, m.ReadOnly)
	if err != nil {
		return fmt.Errorf("bind %s: %w", m.Source, err)
	}
	options := []string{"rw", "nodev"}
	if m.ReadOnly {
		options[0] = "ro"
	}
	if err := b.attach(target, vfs.Mount{FS: fs, Source: m.Source, Type: "bind", Options: options}); err != nil {
		return err
	}
	b.mounted(m.Target, "bind", m.Source, standard.BindOptions(m.ReadOnly))
	return nil
}

func (b *builder) mountTmpfs(m driver.Mount) error {
	s := standard.Tmpfs(m.Target, m.ReadOnly, m.Options)
	o, err := parseTmpfs(s.Options)
	if err != nil {
		return err
	}
	target := path.Join("/", m.Target)
	if err := b.ensureDir(target); err != nil {
		return err
	}
	fs := vfs.NewTmpfs(o.size, o.mode, b.now, b.box.Account)
	if err := fs.Set(".", fsys.Change{UID: &o.uid, GID: &o.gid}); err != nil {
		return err
	}
	s.Target = target
	if err := b.mount(s, fs, ""); err != nil {
		return err
	}
	b.mounted(m.Target, "tmpfs", "tmpfs", s.Describe())
	return nil
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
