//go:build linux

package linux

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/layer"
)

// dirMeta is the metadata of a folder, kept until everything in the folder is made.
type dirMeta struct {
	path     string // without links in it
	mode     uint32
	uid, gid int
	mtime    unix.Timespec
	xattrs   map[string]string
}

func metaOf(e *layer.Entry) dirMeta {
	return dirMeta{e.Path, e.Mode, e.UID, e.GID, timespec(e.ModTime), e.Xattrs}
}

// impliedMeta is for a folder that neither the archive nor a lower layer describes. It takes the time of the entry that
// needs it, so that unpacking gives the same tree on every day.
func impliedMeta(p string, e *layer.Entry) dirMeta {
	m := dirMeta{path: p, mode: 0o755}
	if e != nil && !e.ModTime.IsZero() {
		m.mtime = timespec(e.ModTime)
	}
	return m
}

// metaOfFolder reads the metadata of the folder at a host path.
func metaOfFolder(p, host string) (dirMeta, error) {
	var st unix.Stat_t
	if err := unix.Lstat(host, &st); err != nil {
		return dirMeta{}, fmt.Errorf("stat %s: %w", host, err)
	}
	xattrs, err := readXattrs(host)
	if err != nil {
		return dirMeta{}, err
	}
	return dirMeta{p, st.Mode & 0o7777, int(st.Uid), int(st.Gid), st.Mtim, xattrs}, nil
}

// rootMeta gives the tree's root the metadata it has below, or that of a folder nobody described. A root entry in the
// archive comes later and wins.
func (a *applier) rootMeta(first *layer.Entry) {
	meta := impliedMeta(".", first)
	if len(a.lowers) > 0 {
		if m, err := metaOfFolder(".", a.lowers[0]); err == nil {
			meta = m
		}
	}
	a.pending = append(a.pending, meta)
}

// finish sets the metadata of all folders, children first: a folder that may not be searched must not be in the way.
func (a *applier) finish() error {
	done := make(map[string]bool, len(a.pending))
	for i := len(a.pending) - 1; i >= 0; i-- {
		m := a.pending[i]
		if done[m.path] {
			continue // said again later in the archive: the last word counts
		}
		done[m.path] = true
		if err := a.finishDir(m); err != nil {
			return fmt.Errorf("set metadata of folder %q: %w", m.path, err)
		}
	}
	return nil
}

func (a *applier) finishDir(m dirMeta) error {
	fd, err := openReal(a.root, m.path, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // replaced by a later entry
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return setOpenMeta(fd, m, a.mode)
}

// setOpenMeta gives an open folder the metadata m.
func setOpenMeta(fd int, m dirMeta, mode Mode) error {
	if !mode.SquashOwners {
		if err := unix.Fchown(fd, m.uid, m.gid); err != nil {
			return ownerError(m.uid, m.gid, err)
		}
	}
	for _, name := range sortedKeys(m.xattrs) {
		if err := ignoreXattr(unix.Fsetxattr(fd, name, []byte(m.xattrs[name]), 0), name); err != nil {
			return err
		}
	}
	if err := unix.UtimesNanoAt(fd, ".", []unix.Timespec{m.mtime, m.mtime}, 0); err != nil {
		return err
	}
	return unix.Fchmod(fd, m.mode)
}

// setFileMeta gives the open new file what e says. The owner comes first: changing it takes setuid and capabilities away.
func (a *applier) setFileMeta(file, fd int, name string, e *layer.Entry) error {
	if !a.mode.SquashOwners && (e.UID != a.uid || e.GID != a.gid) {
		if err := unix.Fchown(file, e.UID, e.GID); err != nil {
			return ownerError(e.UID, e.GID, err)
		}
	}
	if err := unix.Fchmod(file, e.Mode); err != nil {
		return err
	}
	for _, key := range sortedKeys(e.Xattrs) {
		if err := ignoreXattr(unix.Fsetxattr(file, key, []byte(e.Xattrs[key]), 0), key); err != nil {
			return err
		}
	}
	return setTime(fd, name, timespec(e.ModTime))
}

// setMeta gives a new symbolic link, device or pipe what e says.
func (a *applier) setMeta(fd int, name string, e *layer.Entry) error {
	if !a.mode.SquashOwners && (e.UID != a.uid || e.GID != a.gid) {
		if err := unix.Fchownat(fd, name, e.UID, e.GID, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return ownerError(e.UID, e.GID, err)
		}
	}
	if e.Kind != layer.Symlink {
		if err := unix.Fchmodat(fd, name, e.Mode, 0); err != nil {
			return err
		}
	}
	for _, key := range sortedKeys(e.Xattrs) {
		if err := ignoreXattr(unix.Lsetxattr(procPath(fd, name), key, []byte(e.Xattrs[key]), 0), key); err != nil {
			return err
		}
	}
	return setTime(fd, name, timespec(e.ModTime))
}

func setTime(fd int, name string, t unix.Timespec) error {
	return unix.UtimesNanoAt(fd, name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
}

func timespec(t time.Time) unix.Timespec {
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

func ownerError(uid, gid int, err error) error {
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("give to owner %d:%d, which is not among the user ids that this user may use "+
			"(see /etc/subuid and /etc/subgid): %w", uid, gid, err)
	}
	return fmt.Errorf("give to owner %d:%d: %w", uid, gid, err)
}

// ignoreXattr lets attributes go that this file system or user can't keep, as docker does.
func ignoreXattr(err error, name string) error {
	if err == nil || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		return nil
	}
	return fmt.Errorf("set extended attribute %s: %w", name, err)
}

// isOverlayXattr names overlay's own marks. An archive can't bring them in, and they never go out.
func isOverlayXattr(name string) bool {
	return strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.")
}

// sortedKeys lists the names to set: without overlay's own.
func sortedKeys(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		if !isOverlayXattr(k) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	return keys
}

// readXattrs reads the extended attributes at a host path, without following a link and without overlay's own.
func readXattrs(host string) (map[string]string, error) {
	return xattrs(func(buf []byte) (int, error) { return unix.Llistxattr(host, buf) },
		func(name string, buf []byte) (int, error) { return unix.Lgetxattr(host, name, buf) })
}

// readOpenXattrs is readXattrs of an open file.
func readOpenXattrs(fd int) (map[string]string, error) {
	return xattrs(func(buf []byte) (int, error) { return unix.Flistxattr(fd, buf) },
		func(name string, buf []byte) (int, error) { return unix.Fgetxattr(fd, name, buf) })
}

func xattrs(list func([]byte) (int, error), get func(name string, buf []byte) (int, error)) (map[string]string, error) {
	var small [512]byte
	names, err := sized(small[:], list)
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list extended attributes: %w", err)
	}
	var m map[string]string
	for _, name := range strings.Split(strings.TrimRight(string(names), "\x00"), "\x00") {
		if name == "" || isOverlayXattr(name) || name == "security.selinux" {
			continue
		}
		value, err := sized(small[:], func(buf []byte) (int, error) { return get(name, buf) })
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EPERM) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read extended attribute %s: %w", name, err)
		}
		if m == nil {
			m = map[string]string{}
		}
		m[name] = string(value)
	}
	return m, nil
}

// sized calls get with a buffer that is large enough; 64 KiB is the most an attribute or their list may have.
func sized(buf []byte, get func([]byte) (int, error)) ([]byte, error) {
	n, err := get(buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, 64<<10)
		n, err = get(buf)
	}
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
