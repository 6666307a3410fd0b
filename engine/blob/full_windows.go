package blob

import (
	"errors"
	"syscall"
)

const errorDiskFull = syscall.Errno(112) // ERROR_DISK_FULL

// isFull reports that the disk is full.
func isFull(err error) bool { return errors.Is(err, errorDiskFull) }
