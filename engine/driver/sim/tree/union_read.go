package tree

import (
	"maps"
	"os"
	"path/filepath"
	"sort"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

const folderBytes = 4096 // as ext4

// Lstat implements fsys.FS.
func (u *Union) Lstat(name string) (fsys.Attr, error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	at, _, err := u.find(name)
	if err != nil {
		return fsys.Attr{}, err
	}
	return u.attr(at), nil
}

func (u *Union) attr(at *place) fsys.Attr {
	if at.up != nil {
		a := u.upperAttr(at.up.ino)
		if at.isDir() {
			a.Size, a.Links = folderBytes, folderLinks(at)
		}
		return a
	}
	a := attrOf(at.low.ino)
	a.Inode += at.low.layer.base
	if at.isDir() {
		a.Size, a.Links = folderBytes, folderLinks(at)
	}
	return a
}

// folderLinks is 1 where overlayfs does not count: in a folder of several layers. Elsewhere it is what the one layer's file system says.
func folderLinks(at *place) int {
	switch {
	case at.up != nil && at.low != nil, at.up == nil && at.low.stack, at.path == ".":
		return 1
	case at.up != nil:
		return 2 + at.up.dirs
	}
	return 2 + at.low.dirs
}

func (u *Union) upperAttr(i *inode) fsys.Attr {
	a := attrOf(i)
	if a.Inode = i.origin; a.Inode == 0 {
		a.Inode = u.below.inodes + i.number
	}
	return a
}

func attrOf(i *inode) fsys.Attr {
	return fsys.Attr{Kind: i.kind, Mode: i.mode, UID: i.uid, GID: i.gid, Size: i.size, Links: i.links, Inode: i.number, Rdev: i.rdev,
		Mtime: i.mtime, Ctime: i.ctime, Atime: i.atime}
}

// ReadDir implements fsys.FS.
func (u *Union) ReadDir(name string) ([]fsys.Dirent, error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	at, _, err := u.find(name)
	if err != nil {
		return nil, err
	}
	if !at.isDir() {
		return nil, syscall.ENOTDIR
	}
	return u.list(at), nil
}

func (u *Union) list(at *place) []fsys.Dirent {
	var names []fsys.Dirent
	if at.up != nil {
		for name, n := range at.up.kids {
			if n.ino != nil {
				names = append(names, fsys.Dirent{Name: name, Kind: n.ino.kind})
			}
		}
	}
	if at.low != nil {
		for name, n := range at.low.kids {
			if at.up.kid(name) == nil {
				names = append(names, fsys.Dirent{Name: name, Kind: n.ino.kind})
			}
		}
	}
	sort.Slice(names, func(i, j int) bool { return names[i].Name < names[j].Name })
	return names
}

// empty reports whether a folder shows no name.
func (u *Union) empty(at *place) bool {
	if at.up != nil {
		for _, n := range at.up.kids {
			if n.ino != nil {
				return false
			}
		}
	}
	if at.low != nil {
		for name := range at.low.kids {
			if at.up.kid(name) == nil {
				return false
			}
		}
	}
	return true
}

// Readlink implements fsys.FS.
func (u *Union) Readlink(name string) (string, error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	at, _, err := u.find(name)
	if err != nil {
		return "", err
	}
	if at.inode().kind != fsys.Symlink {
		return "", syscall.EINVAL
	}
	return at.inode().target, nil
}

// Xattr implements fsys.Xattrs.
func (u *Union) Xattr(name string) (map[string]string, error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	at, _, err := u.find(name)
	if err != nil {
		return nil, err
	}
	m := maps.Clone(at.inode().xattrs)
	if m == nil {
		m = map[string]string{}
	}
	return m, nil
}

// openLower opens the content of a lower file.
func openLower(n *node) (*os.File, error) { return openContent(n.layer.files, n.ino) }

// openContent opens what an inode of the layer with the host folder files has stored.
func openContent(files string, i *inode) (*os.File, error) {
	return os.OpenInRoot(files, filepath.FromSlash(i.stored))
}
