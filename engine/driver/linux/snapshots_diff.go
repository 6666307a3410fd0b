//go:build linux

package linux

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/engine/layer"
)

// Diff implements driver.Snapshots. It reads the upper folder only, and asks what lies below just to leave out opaque marks
// that hide nothing. The root has an entry only if its mode or owner changed.
func (s *Snapshots) Diff(ctx context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	stats, err := s.diff(ctx, key, w)
	if err != nil {
		return stats, fmt.Errorf("write changes of %s: %w", key, err)
	}
	return stats, nil
}

func (s *Snapshots) diff(ctx context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	rec, err := s.read(key)
	if err != nil {
		return driver.DiffStats{}, err
	}
	lowers, _, err := s.layers.lowers(rec.Chain)
	if err != nil {
		return driver.DiffStats{}, err
	}
	stack := cow.NewStack(lowers, s.mode.UserXattr)
	fd, err := unix.Open(s.upper(key), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return driver.DiffStats{}, fmt.Errorf("open %s: %w", s.upper(key), err)
	}
	defer unix.Close(fd)
	buffered := newBehind(w)
	defer buffered.Close()
	a := archiver{ctx: ctx, out: layer.NewWriter(buffered), links: map[inode]string{}, changes: true, userXattr: s.mode.UserXattr}
	a.below = func(p string) (bool, error) {
		f, ok, err := stack.Lookup(p)
		return ok && f.Stat.Mode&unix.S_IFMT == unix.S_IFDIR, err
	}
	if err := a.rootEntry(fd, stack); err != nil {
		return a.stats, err
	}
	if err := a.folder(fd, "."); err != nil {
		return a.stats, err
	}
	if err := a.out.Close(); err != nil {
		return a.stats, err
	}
	return a.stats, buffered.Close()
}

func (a *archiver) rootEntry(fd int, stack *cow.Stack) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	mode, uid, gid := uint32(0o755), uint32(0), uint32(0)
	below, ok, err := stack.Lookup(".")
	if err != nil {
		return err
	}
	if ok {
		mode, uid, gid = below.Stat.Mode&0o7777, below.Stat.Uid, below.Stat.Gid
	}
	if st.Mode&0o7777 == mode && st.Uid == uid && st.Gid == gid {
		return nil
	}
	e, _ := entryOf(".", &st)
	if e.Xattrs, err = readXattrs(procPath(fd, ".")); err != nil {
		return err
	}
	return a.write(e, nil)
}
