//go:build unix

package fetch

import (
	"io/fs"
	"syscall"
)

func nlink(fi fs.FileInfo) uint64 { return uint64(fi.Sys().(*syscall.Stat_t).Nlink) }
