//go:build !windows

package blob

import (
	"errors"
	"syscall"
)

// isFull reports that the disk, or what the user may use of it, is full.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
