//go:build linux

package shim

import (
	"errors"

	"golang.org/x/sys/unix"
)

// carrier carries output to a descriptor of a client, who may be slow, stopped or gone. The descriptor is shared with the client's terminal
// or file, so it must not be made non-blocking; poll(2) tells when a small write will not block.
type carrier int

// Carry implements relay.Carrier. It writes p as far as the client takes it, looking up now and then whether it left.
func (c carrier) Carry(p []byte, left func() bool) bool {
	for len(p) > 0 {
		fds := []unix.PollFd{{Fd: int32(c), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, 200)
		if left() {
			return false
		}
		if n == 0 || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || fds[0].Revents&(unix.POLLERR|unix.POLLNVAL) != 0 {
			return false
		}
		w, err := unix.Write(int(c), p[:min(len(p), 4096)])
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return false
		}
		p = p[max(w, 0):]
	}
	return true
}

// Close implements relay.Carrier.
func (c carrier) Close() { unix.Close(int(c)) }
