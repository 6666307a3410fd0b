package sim

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
)

// maxAddress is how long a socket's name may be everywhere (sys/un.h of darwin: 104 bytes with the final zero).
const maxAddress = 103

// farPrefix begins the names of folders for sockets outside of homes.
const farPrefix = "learn-sim-"

// listen makes the socket of the container in dir. Who may reach it is up to the folder it lies in, which belongs to the user alone.
// remove takes away what was made.
func listen(root, dir string) (l net.Listener, remove func(), err error) {
	address, remove, err := socketAddress(root, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for clients: %w", err)
	}
	if err := os.Remove(address); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("listen for clients: %w", err)
	}
	l, err = net.Listen("unix", address)
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("listen for clients: %w", err)
	}
	return l, remove, nil
}

// socketAddress finds a name that is short enough: in the container's folder, in the home's run folder, or in a folder of its own.
func socketAddress(root, dir string) (string, func(), error) {
	near := filepath.Join(dir, socketName)
	if len(near) <= maxAddress {
		return near, func() { _ = os.Remove(near) }, nil
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(dir))
	run := filepath.Join(root, "run")
	short := filepath.Join(run, fmt.Sprintf("%016x", h.Sum64()))
	if len(short) <= maxAddress {
		err := os.MkdirAll(run, 0o700)
		return short, func() { _ = os.Remove(short) }, err
	}
	own, err := os.MkdirTemp("", farPrefix)
	if err != nil {
		return "", nil, err
	}
	far := filepath.Join(own, "s")
	if len(far) > maxAddress {
		_ = os.RemoveAll(own)
		return "", nil, fmt.Errorf("%s: a socket's name has at most %d bytes", far, maxAddress)
	}
	return far, func() { _ = os.RemoveAll(own) }, nil
}
