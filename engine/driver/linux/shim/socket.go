//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openSocket takes a unix socket of the host. One that the engine made for this, in its home, gets the owner and permissions that the
// container is to see; any other stays as it is.
func openSocket(m *Mount) (source, error) {
	fd, err := unix.Open(m.Source, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return source{}, pathError("open socket", m.Source, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return source{}, pathError("stat", m.Source, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return source{}, fmt.Errorf("%s is not a unix socket", m.Source)
	}
	if m.Mode != 0 && (st.Mode&0o777 != m.Mode || st.Uid != m.UID || st.Gid != m.GID) {
		if !m.Ours {
			return source{}, fmt.Errorf("socket %s belongs to %d:%d with mode %04o, not %d:%d with %04o; only a socket in the engine's home can be given another owner",
				m.Source, st.Uid, st.Gid, st.Mode&0o777, m.UID, m.GID, m.Mode)
		}
		err := errors.Join(unix.Fchownat(fd, "", int(m.UID), int(m.GID), unix.AT_EMPTY_PATH), os.Chmod(procFD(fd), os.FileMode(m.Mode)))
		if err != nil {
			return source{}, fmt.Errorf("give socket %s to %d:%d: %w", m.Source, m.UID, m.GID, idHintOf(err))
		}
	}
	s, err := sourceOf(fd, false, m.ReadOnly)
	s.fstype, s.from, s.options = "bind", "socket", "bind,nodev"
	return s, err
}
