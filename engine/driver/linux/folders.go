//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
)

var _ driver.Folders = (*Snapshots)(nil)

// The folders that outlive containers are plain folders in snapshots/folders. Nobody but the engine gets into that one.
func (s *Snapshots) folders() string { return filepath.Join(s.home.Snapshots(), "folders") }

// FolderPath is where the folder name lies; driver.ErrNotFound if it isn't there.
func (s *Snapshots) FolderPath(name string) (string, error) {
	if err := driver.CheckFolderName(name); err != nil {
		return "", err
	}
	path := filepath.Join(s.folders(), name)
	if _, err := os.Lstat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = driver.ErrNotFound
		}
		return "", fmt.Errorf("folder %s: %w", name, err)
	}
	return path, nil
}

// MakeFolder implements driver.Folders. A crash leaves the whole folder or nothing.
func (s *Snapshots) MakeFolder(ctx context.Context, name string, uid, gid, mode uint32) error {
	if err := s.makeFolder(name, uid, gid, mode); err != nil {
		return fmt.Errorf("make folder %s: %w", name, err)
	}
	return nil
}

func (s *Snapshots) makeFolder(name string, uid, gid, mode uint32) (err error) {
	if err := errors.Join(driver.CheckFolderName(name), driver.CheckOwner(uid, gid, mode)); err != nil {
		return err
	}
	if _, err := s.FolderPath(name); err == nil {
		return driver.ErrExists
	}
	op, err := s.home.Begin("folder.make")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	made := filepath.Join(op.Dir(), "folder")
	if err := home.MakeFolders(made); err != nil {
		return err
	}
	if err := s.dressFolder(made, uid, gid, mode); err != nil {
		return err
	}
	failpoint.Hit("folder.make.before-rename")
	if err := os.MkdirAll(s.folders(), 0o700); err != nil {
		return err
	}
	err = unix.Renameat2(unix.AT_FDCWD, made, unix.AT_FDCWD, filepath.Join(s.folders(), name), unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) {
		return driver.ErrExists
	}
	if err != nil {
		return err
	}
	return home.SyncDir(s.folders())
}

// dressFolder gives the folder its owner, where there are several, and its mode.
func (s *Snapshots) dressFolder(path string, uid, gid, mode uint32) error {
	if !s.mode.SquashOwners {
		if err := os.Lchown(path, int(uid), int(gid)); err != nil {
			return fmt.Errorf("%w; is the id in this user's range of /etc/subuid and /etc/subgid?", err)
		}
	}
	return unix.Chmod(path, mode)
}

// FolderSize implements driver.Folders. What has several names counts once.
func (s *Snapshots) FolderSize(ctx context.Context, name string) (int64, error) {
	path, err := s.FolderPath(name)
	if err != nil {
		return 0, fmt.Errorf("measure: %w", err)
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("measure folder %s: %w", name, err)
	}
	defer unix.Close(fd)
	m := sizer{ctx: ctx, seen: map[inode]bool{}}
	if err := m.folder(fd); err != nil {
		return 0, fmt.Errorf("measure folder %s: %w", name, err)
	}
	return m.bytes, nil
}

// sizer adds up the files of a folder that containers may be changing. It follows no link.
type sizer struct {
	ctx   context.Context
	seen  map[inode]bool
	bytes int64
}

func (m *sizer) folder(fd int) error {
	if err := m.ctx.Err(); err != nil {
		return err
	}
	names, err := readNames(fd)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := m.entry(fd, name); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

func (m *sizer) entry(fd int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch id := (inode{st.Dev, st.Ino}); st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		if st.Nlink == 1 || !m.seen[id] {
			m.bytes += st.Size
		}
		if st.Nlink > 1 {
			m.seen[id] = true
		}
	case unix.S_IFDIR:
		sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(sub)
		return m.folder(sub)
	}
	return nil
}

// RemoveFolder implements driver.Folders.
func (s *Snapshots) RemoveFolder(ctx context.Context, name string) error {
	if err := driver.CheckFolderName(name); err != nil {
		return fmt.Errorf("remove folder: %w", err)
	}
	_ = os.Remove(shim.WatchLock(filepath.Join(s.folders(), name)))
	if _, err := s.home.Discard("folder.remove", "folder.remove", filepath.Join(s.folders(), name)); err != nil {
		return fmt.Errorf("remove folder %s: %w", name, err)
	}
	return nil
}

// ListFolders implements driver.Folders.
func (s *Snapshots) ListFolders(ctx context.Context) ([]string, error) {
	names, err := home.Names(s.folders())
	if err != nil {
		return nil, fmt.Errorf("list folders: %w", err)
	}
	return names, nil
}
