package userland

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

func osAttr(info fs.FileInfo) Attr {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Attr{Links: 1, Atime: info.ModTime(), Ctime: info.ModTime()}
	}
	return Attr{UID: int(st.Uid), GID: int(st.Gid), Links: uint64(st.Nlink), Inode: st.Ino, Dev: st.Dev, Rdev: st.Rdev,
		Blocks: st.Blocks, Atime: time.Unix(st.Atim.Unix()), Ctime: time.Unix(st.Ctim.Unix())}
}

// osRename is rename(2); os.Rename would not let a folder take the place of an empty one.
func osRename(from, to string) error {
	err := syscall.Rename(from, to)
	for err == syscall.EINTR {
		err = syscall.Rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func osMknod(name string, mode fs.FileMode, dev uint64) error {
	bits := uint32(mode.Perm())
	switch {
	case mode&fs.ModeNamedPipe != 0:
		bits |= syscall.S_IFIFO
	case mode&fs.ModeCharDevice != 0:
		bits |= syscall.S_IFCHR
	case mode&fs.ModeDevice != 0:
		bits |= syscall.S_IFBLK
	}
	return syscall.Mknod(name, bits, int(dev))
}
