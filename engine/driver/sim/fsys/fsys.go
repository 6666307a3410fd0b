// Package fsys is what the simulated machine's kernel asks of a file system: the union of layers, a tmpfs, a bind mount,
// /proc. It is only the contract between them; the walk along a path, permissions, open file descriptions and mounts are
// package vfs, which is the one caller.
//
// A name is a slash-separated path from the file system's own root, which is "."; it is clean, and every folder on the way
// is a real folder: symbolic links are followed by the walk before a file system is asked. A call looks at and changes
// exactly the name it is given; the last part is never followed. File systems check no permissions and know no users.
//
// Errors are of type syscall.Errno, bare: ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EXDEV, EROFS, ENOSPC, EINVAL, ENODATA.
// Every method may be called from many goroutines at once.
package fsys

import "time"

// Kind is what a name is.
type Kind uint8

// The kinds, with ls's letters.
const (
	File        Kind = '-'
	Dir         Kind = 'd'
	Symlink     Kind = 'l'
	CharDevice  Kind = 'c'
	BlockDevice Kind = 'b'
	Pipe        Kind = 'p'
	Socket      Kind = 's'
)

// Attr describes one inode, as inode(7) does.
type Attr struct {
	Kind     Kind
	Mode     uint32 // the twelve permission bits: 0o7777
	UID, GID int
	Size     int64
	Links    int
	Inode    uint64 // unique in its file system while it is in use
	Rdev     uint64 // of a device: MakeDev(major, minor)
	Mtime    time.Time
	Ctime    time.Time
	Atime    time.Time
}

// MakeDev is a device number as glibc's makedev builds it.
func MakeDev(major, minor uint32) uint64 {
	return uint64(minor&0xff) | uint64(major&0xfff)<<8 | uint64(minor&^0xff)<<12 | uint64(major&^0xfff)<<32
}

// Major and Minor take a device number apart.
func Major(dev uint64) uint32 { return uint32(dev>>8)&0xfff | uint32(dev>>32)&^0xfff }

// Minor is the other half of a device number.
func Minor(dev uint64) uint32 { return uint32(dev)&0xff | uint32(dev>>12)&^0xff }

// Dirent is one name of a folder.
type Dirent struct {
	Name string
	Kind Kind
}

// FS is a file system that can be read.
type FS interface {
	Lstat(name string) (Attr, error)
	// ReadDir lists a folder without . and .., sorted by name.
	ReadDir(name string) ([]Dirent, error)
	Readlink(name string) (string, error)
	// Open opens a regular file. EROFS for writing where nothing can be written.
	Open(name string, how How) (Handle, error)
}

// How says what a file is opened for. Truncate empties it and asks for Write.
type How struct{ Write, Truncate bool }

// Handle is an open regular file. It stays usable when its name is removed or renamed. Writing sets the times.
type Handle interface {
	// ReadAt and WriteAt are as in package io; a write at -1 appends.
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Attr() (Attr, error)
	Close() error
}

// New describes an inode that is to be made. Its times are the file system's now.
type New struct {
	Kind     Kind
	Mode     uint32
	UID, GID int
	Target   string // of a symbolic link
	Rdev     uint64 // of a device
}

// Maker gives names. The parent folder exists. EEXIST if the name is taken.
type Maker interface {
	Make(name string, n New) error
	// Link makes name a further name of existing, which is no folder.
	Link(existing, name string) error
}

// Remover takes names away.
type Remover interface {
	// Remove is unlink(2): EISDIR for a folder.
	Remove(name string) error
	// RemoveDir is rmdir(2): ENOTDIR for anything but a folder, ENOTEMPTY for one with names.
	RemoveDir(name string) error
	// Rename is rename(2): what has the name to is replaced if rename(2) would.
	Rename(from, to string) error
}

// Change says what of an inode is to be changed; nil parts stay.
type Change struct {
	Mode         *uint32
	UID, GID     *int
	Mtime, Atime *time.Time
}

// Setter changes inodes.
type Setter interface {
	Set(name string, c Change) error
}

// Xattrs reads and changes extended attributes (xattr(7)). ENODATA for a name that is not set.
type Xattrs interface {
	// Xattr gives all of them; the map is the caller's.
	Xattr(name string) (map[string]string, error)
	SetXattr(name, attr, value string) error
	RemoveXattr(name, attr string) error
}

// Spacer tells how large a file system is, in bytes and inodes.
type Spacer interface {
	Space() (total, free, files, filesFree int64)
}
