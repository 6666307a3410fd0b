package pack

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// Descriptor is an open file by its number. It is read and written by plain system calls: what package os does for an open file (asking how
// it is open, offering it to the poller, which takes no files) is five more of them, as many as a small file needs in all.
type Descriptor int

// Read implements io.Reader.
func (d Descriptor) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(d), p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// Write implements io.Writer.
func (d Descriptor) Write(p []byte) (int, error) {
	for at := 0; at < len(p); {
		n, err := unix.Write(int(d), p[at:])
		if err != nil && !errors.Is(err, unix.EINTR) {
			return at, err
		}
		at += max(n, 0)
	}
	return len(p), nil
}

// Close implements io.Closer.
func (d Descriptor) Close() error { return unix.Close(int(d)) }
