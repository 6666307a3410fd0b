//go:build linux

package bundle

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sendListener gives the descriptor through which a filter's questions come to whoever is to answer them (runtime-spec, config-linux.md,
// "The Container Process State").
func sendListener(s *specs.LinuxSeccomp, state specs.State, pid, fd int) error {
	if s == nil || s.ListenerPath == "" {
		return errors.New("linux.seccomp: an action notifies, but listenerPath is empty")
	}
	data, err := json.Marshal(specs.ContainerProcessState{Version: state.Version, Fds: []string{specs.SeccompFdName}, Pid: pid, Metadata: s.ListenerMetadata, State: state})
	if err != nil {
		return err
	}
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("send filter's descriptor: %w", err)
	}
	defer unix.Close(sock)
	if err = unix.Connect(sock, &unix.SockaddrUnix{Name: s.ListenerPath}); err == nil {
		err = unix.Sendmsg(sock, data, unix.UnixRights(fd), nil, 0)
	}
	if err != nil {
		return fmt.Errorf("send filter's descriptor to %s: %w", s.ListenerPath, err)
	}
	return nil
}
