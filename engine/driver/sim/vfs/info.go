package vfs

import (
	"io/fs"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

// Stat is what the Sys method of a fs.FileInfo gives, as a pointer: the inode and the number of the file system that it lies in.
type Stat struct {
	fsys.Attr
	Dev uint64
}

// info is an fs.FileInfo and fs.DirEntry's facts.
type info struct {
	name string
	stat Stat
}

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return i.stat.Size }
func (i *info) Mode() fs.FileMode  { return fileMode(i.stat.Kind, i.stat.Mode) }
func (i *info) ModTime() time.Time { return i.stat.Mtime }
func (i *info) IsDir() bool        { return i.stat.Kind == fsys.Dir }
func (i *info) Sys() any           { return &i.stat }

// kindBits are the type bits of fs.FileMode.
func kindBits(k fsys.Kind) fs.FileMode {
	switch k {
	case fsys.Dir:
		return fs.ModeDir
	case fsys.Symlink:
		return fs.ModeSymlink
	case fsys.CharDevice:
		return fs.ModeDevice | fs.ModeCharDevice
	case fsys.BlockDevice:
		return fs.ModeDevice
	case fsys.Pipe:
		return fs.ModeNamedPipe
	case fsys.Socket:
		return fs.ModeSocket
	}
	return 0
}

// kindOf is the opposite of kindBits; false for what is no kind of ours.
func kindOf(m fs.FileMode) (fsys.Kind, bool) {
	for _, k := range []fsys.Kind{fsys.File, fsys.Dir, fsys.Symlink, fsys.CharDevice, fsys.BlockDevice, fsys.Pipe, fsys.Socket} {
		if m.Type() == kindBits(k) {
			return k, true
		}
	}
	return 0, false
}

func fileMode(k fsys.Kind, mode uint32) fs.FileMode {
	m := fs.FileMode(mode&0o777) | kindBits(k)
	if mode&setuid != 0 {
		m |= fs.ModeSetuid
	}
	if mode&setgid != 0 {
		m |= fs.ModeSetgid
	}
	if mode&sticky != 0 {
		m |= fs.ModeSticky
	}
	return m
}

// modeBits are the twelve bits that the kernel keeps.
func modeBits(m fs.FileMode) uint32 {
	b := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		b |= setuid
	}
	if m&fs.ModeSetgid != 0 {
		b |= setgid
	}
	if m&fs.ModeSticky != 0 {
		b |= sticky
	}
	return b
}

// Attr gives what an fs.FileInfo of a View does not tell itself. A file takes whole pages on the disk and a folder one.
func (v *View) Attr(fi fs.FileInfo) userland.Attr {
	s, ok := fi.Sys().(*Stat)
	if !ok {
		return userland.Attr{Links: 1, Atime: fi.ModTime(), Ctime: fi.ModTime()}
	}
	const sector, page = 512, 4096
	blocks := (s.Size + page - 1) / page * (page / sector)
	if s.Kind != fsys.File && s.Kind != fsys.Dir {
		blocks = 0
	}
	return userland.Attr{UID: s.UID, GID: s.GID, Links: uint64(s.Links), Inode: s.Inode, Dev: s.Dev, Rdev: s.Rdev, Blocks: blocks,
		Atime: s.Atime, Ctime: s.Ctime}
}

// entry is one name of a folder.
type entry struct {
	view *View
	dir  string
	fsys.Dirent
}

func (e entry) Name() string               { return e.Dirent.Name }
func (e entry) IsDir() bool                { return e.Kind == fsys.Dir }
func (e entry) Type() fs.FileMode          { return kindBits(e.Kind) }
func (e entry) Info() (fs.FileInfo, error) { return e.view.Lstat(e.dir + "/" + e.Dirent.Name) }
