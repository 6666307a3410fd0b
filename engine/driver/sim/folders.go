package sim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/folder"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
)

// Folders are the folders that outlive containers, in snapshots/sim/folders. It implements driver.Folders.
type Folders struct {
	home  *home.Home
	now   func() time.Time
	trees *tree.Snapshots
}

var _ driver.Folders = (*Folders)(nil)

func foldersRoot(h *home.Home) string { return filepath.Join(h.Snapshots(), "sim", "folders") }

// hostName writes the name of a folder so that no host takes two of them for one, or one for something of its own.
func hostName(name string) string {
	var b strings.Builder
	b.WriteByte('=')
	for _, c := range []byte(name) {
		switch {
		case c >= 'A' && c <= 'Z':
			b.WriteByte('+')
			b.WriteByte(c - 'A' + 'a')
		case c == '.':
			b.WriteString("++")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// folderName is the opposite of hostName; empty for what is no folder's.
func folderName(host string) string {
	host, ok := strings.CutPrefix(host, "=")
	if !ok {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(host); i++ {
		switch {
		case host[i] != '+':
			b.WriteByte(host[i])
		case i+1 == len(host):
			return ""
		default:
			if i++; host[i] == '+' {
				b.WriteByte('.')
			} else {
				b.WriteByte(host[i] - 'a' + 'A')
			}
		}
	}
	return b.String()
}

// folderPath is where the folder name lies; driver.ErrNotFound if it isn't there.
func folderPath(h *home.Home, name string) (string, error) {
	if err := driver.CheckFolderName(name); err != nil {
		return "", err
	}
	dir := filepath.Join(foldersRoot(h), hostName(name))
	if _, err := os.Lstat(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = driver.ErrNotFound
		}
		return "", fmt.Errorf("folder %s: %w", name, err)
	}
	return dir, nil
}

// MakeFolder implements driver.Folders. A crash leaves the whole folder or nothing.
func (f *Folders) MakeFolder(ctx context.Context, name string, uid, gid, mode uint32) error {
	if err := f.makeFolder(name, uid, gid, mode); err != nil {
		return fmt.Errorf("make folder %s: %w", name, err)
	}
	return nil
}

func (f *Folders) makeFolder(name string, uid, gid, mode uint32) (err error) {
	if err := errors.Join(driver.CheckFolderName(name), driver.CheckOwner(uid, gid, mode)); err != nil {
		return err
	}
	if _, err := folderPath(f.home, name); err == nil {
		return driver.ErrExists
	}
	op, err := f.home.Begin("folder.make")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	made := filepath.Join(op.Dir(), "folder")
	if err := home.MakeFolders(made); err != nil {
		return err
	}
	if err := folder.Make(made, int(uid), int(gid), mode, f.now()); err != nil {
		return err
	}
	failpoint.Hit("sim.folder.make.before-rename")
	if err := os.MkdirAll(foldersRoot(f.home), 0o700); err != nil {
		return err
	}
	if err := os.Rename(made, filepath.Join(foldersRoot(f.home), hostName(name))); err != nil {
		if _, there := folderPath(f.home, name); there == nil {
			return driver.ErrExists
		}
		return err
	}
	return home.SyncDir(foldersRoot(f.home))
}

// FolderSize implements driver.Folders.
func (f *Folders) FolderSize(ctx context.Context, name string) (int64, error) {
	dir, err := folderPath(f.home, name)
	if err != nil {
		return 0, fmt.Errorf("measure: %w", err)
	}
	size, err := folder.Size(ctx, dir)
	if err != nil {
		return 0, fmt.Errorf("measure folder %s: %w", name, err)
	}
	return size, nil
}

// RemoveFolder implements driver.Folders.
func (f *Folders) RemoveFolder(ctx context.Context, name string) error {
	if err := driver.CheckFolderName(name); err != nil {
		return fmt.Errorf("remove folder: %w", err)
	}
	if _, err := f.home.Discard("folder.remove", "sim.folder.remove", filepath.Join(foldersRoot(f.home), hostName(name))); err != nil {
		return fmt.Errorf("remove folder %s: %w", name, err)
	}
	return nil
}

// ListFolders implements driver.Folders.
func (f *Folders) ListFolders(ctx context.Context) ([]string, error) {
	hosts, err := home.Names(foldersRoot(f.home))
	if err != nil {
		return nil, fmt.Errorf("list folders: %w", err)
	}
	var names []string
	for _, h := range hosts {
		if name := folderName(h); driver.CheckFolderName(name) == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
