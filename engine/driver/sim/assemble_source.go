package sim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/folder"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// openTree finds a path in a tree of layers. Links in it lead to places in the tree, whatever they say.
func (b *builder) openTree(m *driver.Mount) (userMount, error) {
	u, name, err := b.treeOf(m)
	if err != nil {
		return userMount{}, err
	}
	view := vfs.New(u).View(vfs.Cred{Privileged: true}, nobody{b.now})
	source := path.Join("/", m.Source)
	fi, err := view.Stat(source)
	var real string
	if err == nil {
		real, err = view.Real(source)
	}
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
		return userMount{}, standard.NotInTree(source, name)
	}
	if err != nil {
		return userMount{}, err
	}
	lowers, upper := u.Where()
	options := []string{"lowerdir=" + strings.Join(lowers, ":")}
	if m.Key != "" {
		options = append(options, "upperdir="+upper)
	}
	options = append(writing(m.ReadOnly || m.Key == ""), options...)
	return userMount{vfs.Mount{FS: u, Source: "overlay", Type: "overlay", Options: options, File: strings.TrimPrefix(real, "/")}, fi.IsDir(),
		name, strings.Join(options, ",")}, nil
}

// treeOf opens the layers of a tree, and tells how it is called.
func (b *builder) treeOf(m *driver.Mount) (*tree.Union, string, error) {
	switch {
	case m.Key != "":
		u, err := b.union(m.Key)
		return u, m.Key, err
	case m.Chain == "":
		u, err := b.trees.OpenLayers("")
		return u, "the empty tree", err
	}
	u, err := b.trees.OpenLayers(m.Chain)
	return u, m.Chain.String(), err
}

// union opens a writable layer, once.
func (b *builder) union(key string) (*tree.Union, error) {
	if u := b.unions[key]; u != nil {
		return u, nil
	}
	u, err := b.trees.Open(context.Background(), key, nil)
	if err == nil {
		b.unions[key] = u
	}
	return u, err
}

// openFolder finds a path in a folder that other containers may be changing: what they make of it then is in the folder all the same.
func (b *builder) openFolder(m *driver.Mount) (userMount, error) {
	fs := b.folders[m.Source]
	if fs == nil {
		dir, err := folderPath(b.home, m.Source)
		if err != nil {
			return userMount{}, err
		}
		if fs, err = folder.Open(b.home, dir, b.now); err != nil {
			return userMount{}, fmt.Errorf("folder %s: %w", m.Source, err)
		}
		b.folders[m.Source] = fs
	}
	dir, real := true, "/"
	if sub := path.Join("/", m.Subpath); sub != "/" {
		inside := &builder{view: vfs.New(fs).View(vfs.Cred{Privileged: true}, nobody{b.now})}
		var err error
		if dir, real, err = inside.subpath(sub, m.Strict); err != nil {
			return userMount{}, fmt.Errorf("subpath of folder %s: %w", m.Source, err)
		}
	}
	source := "folder " + m.Source
	return userMount{vfs.Mount{FS: b.watched(fs, m), Source: source, Type: "bind", Options: writing(m.ReadOnly), File: strings.TrimPrefix(real, "/")}, dir,
		source, standard.FolderOptions(m.ReadOnly)}, nil
}

// watched is a folder that tells of its changes if it is a volume.
func (b *builder) watched(fs *folder.FS, m *driver.Mount) fsys.FS {
	if m.Volume == "" {
		return fs
	}
	v := b.volumes[m.Source]
	if v == nil {
		v = watchVolume(fs, m.Volume, b.report)
		b.volumes[m.Source] = v
	}
	return v
}

// subpath finds a path in the folder that b sees, and makes it if it may be missing.
func (b *builder) subpath(sub string, strict bool) (dir bool, real string, err error) {
	if !strict {
		err = b.ensureDir(sub)
	}
	var fi fs.FileInfo
	if err == nil {
		fi, err = b.view.Stat(sub)
	}
	if err == nil {
		real, err = b.view.Real(sub)
	}
	if err != nil {
		return false, "", &fs.PathError{Op: "open", Path: sub, Err: err}
	}
	return fi.IsDir(), real, nil
}

// openFile makes a file that is in memory only.
func (b *builder) openFile(m *driver.Mount) (userMount, error) {
	const name, room = "file", 1 << 20 // for what the container adds
	fs := vfs.NewTmpfs(int64(len(m.Data)+room), 0o700, b.now, b.box.Account)
	if err := fs.Make(name, fsys.New{Kind: fsys.File, Mode: m.Mode, UID: int(m.UID), GID: int(m.GID)}); err != nil {
		return userMount{}, fmt.Errorf("make file: %w", err)
	}
	h, err := fs.Open(name, fsys.How{Write: true})
	if err == nil {
		_, err = h.WriteAt(m.Data, 0)
		err = errors.Join(err, h.Close())
	}
	if err != nil {
		return userMount{}, fmt.Errorf("write file: %w", err)
	}
	s := standard.File(m.ReadOnly, m.Mode, m.UID, m.GID)
	made := mountOf(s, fs)
	made.File = name
	return userMount{made, false, "tmpfs", s.Describe()}, nil
}
