//go:build unix

package pack

import (
	"archive/tar"
	"io/fs"
	"syscall"
)

// owner puts the numbers of a file's owner into h.
func owner(h *tar.Header, fi fs.FileInfo) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		h.Uid, h.Gid = int(st.Uid), int(st.Gid)
	}
}

// inode tells which file this is, and whether it has further names.
func inode(fi fs.FileInfo) (Inode, bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return Inode{}, false
	}
	return Inode{Dev: uint64(st.Dev), Ino: st.Ino}, st.Nlink > 1
}
