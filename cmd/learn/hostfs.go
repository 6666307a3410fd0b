package main

import (
	"io/fs"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/userland"
)

// hostFiles is what the small programs can do with the files of the host.
type hostFiles interface {
	userland.FS
	userland.Tree
	userland.Links
	userland.Meta
	userland.Attrs
}

// driveFS shows the files of a Windows host to programs for which a path begins with a slash: C:\Users is /C:/Users. Since programs put the
// working folder before a name that begins with no slash, a drive in the middle of a path begins it anew.
type driveFS struct{ host hostFiles }

// onDrive makes a path of the host from one of a program, which may hold names that the host gave, with its own separators.
func onDrive(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	for i := len(name) - 3; i >= 0; i-- {
		if name[i] == '/' && letter(name[i+1]) && name[i+2] == ':' && (i+3 == len(name) || name[i+3] == '/') {
			if name = name[i+1:]; len(name) == 2 {
				name += "/"
			}
			return name
		}
	}
	return name
}

// offDrive makes a path that programs take for absolute.
func offDrive(name string) string {
	name = strings.ReplaceAll(name, `\`, "/")
	if len(name) >= 2 && letter(name[0]) && name[1] == ':' {
		return "/" + name
	}
	return name
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// OpenFile implements userland.FS.
func (d driveFS) OpenFile(name string, flag int, perm fs.FileMode) (userland.File, error) {
	return d.host.OpenFile(onDrive(name), flag, perm)
}

// Stat implements userland.FS.
func (d driveFS) Stat(name string) (fs.FileInfo, error) { return d.host.Stat(onDrive(name)) }

// Lstat implements userland.FS.
func (d driveFS) Lstat(name string) (fs.FileInfo, error) { return d.host.Lstat(onDrive(name)) }

// ReadDir implements userland.FS.
func (d driveFS) ReadDir(name string) ([]fs.DirEntry, error) { return d.host.ReadDir(onDrive(name)) }

// Mkdir implements userland.Tree.
func (d driveFS) Mkdir(name string, perm fs.FileMode) error { return d.host.Mkdir(onDrive(name), perm) }

// Remove implements userland.Tree.
func (d driveFS) Remove(name string) error { return d.host.Remove(onDrive(name)) }

// Rename implements userland.Tree.
func (d driveFS) Rename(from, to string) error { return d.host.Rename(onDrive(from), onDrive(to)) }

// Symlink implements userland.Links.
func (d driveFS) Symlink(target, name string) error {
	return d.host.Symlink(onDrive(target), onDrive(name))
}

// Link implements userland.Links.
func (d driveFS) Link(existing, name string) error {
	return d.host.Link(onDrive(existing), onDrive(name))
}

// Readlink implements userland.Links.
func (d driveFS) Readlink(name string) (string, error) {
	target, err := d.host.Readlink(onDrive(name))
	return offDrive(target), err
}

// Chmod implements userland.Meta.
func (d driveFS) Chmod(name string, mode fs.FileMode) error { return d.host.Chmod(onDrive(name), mode) }

// Lchown implements userland.Meta.
func (d driveFS) Lchown(name string, uid, gid int) error {
	return d.host.Lchown(onDrive(name), uid, gid)
}

// Chtimes implements userland.Meta.
func (d driveFS) Chtimes(name string, atime, mtime time.Time) error {
	return d.host.Chtimes(onDrive(name), atime, mtime)
}

// Attr implements userland.Attrs.
func (d driveFS) Attr(info fs.FileInfo) userland.Attr { return d.host.Attr(info) }
