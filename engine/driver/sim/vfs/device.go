package vfs

import (
	"crypto/rand"
	"io"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Numbers of Linux's character devices.
const (
	memMajor = 1
	ttyMajor = 5
	ptsMajor = 136
)

// StandardDevice gives null, zero, full, random and urandom; false for any other number. They need not be closed.
func StandardDevice(rdev uint64) (Stream, bool) {
	if fsys.Major(rdev) != memMajor {
		return nil, false
	}
	switch fsys.Minor(rdev) {
	case 3:
		return memDevice{read: atEnd}, true
	case 5:
		return memDevice{read: zeros}, true
	case 7:
		return memDevice{read: zeros, full: true}, true
	case 8, 9:
		return memDevice{read: rand.Read}, true
	}
	return nil, false
}

// memDevice is a device that only makes data or swallows it.
type memDevice struct {
	read func([]byte) (int, error)
	full bool
}

func (d memDevice) Read(p []byte) (int, error) { return d.read(p) }

func (d memDevice) Write(p []byte) (int, error) {
	if d.full {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

func (memDevice) Close() error { return nil }

func atEnd([]byte) (int, error) { return 0, io.EOF }

func zeros(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
