package main

import (
	"os"
	"syscall"
)

func makeFifo(path string) error {
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		return err
	}
	return os.Chmod(path, 0o644)
}

func setXattr(path, name, value string) error { return syscall.Setxattr(path, name, []byte(value), 0) }
