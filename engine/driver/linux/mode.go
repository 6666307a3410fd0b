//go:build linux

package linux

import (
	"bytes"
	"os"
	"strconv"
)

// Mode is what the kernel lets this process do, as far as it changes how layers and containers are made.
type Mode struct {
	// Rootless: the process is root in a user namespace only, or no root at all.
	Rootless bool
	// UserXattr: overlay keeps its marks in user.overlay.* because trusted.* is out of reach.
	UserXattr bool
	// SquashOwners: only one user id exists here, so every file belongs to it whatever the archive says.
	SquashOwners bool
	// NeedsReexec: an ordinary user outside any user namespace; Reexec has to be called first.
	NeedsReexec bool
}

// Detect finds the mode of the calling process from its user id and its id map.
func Detect() Mode {
	ids, whole := mappedIDs("/proc/self/uid_map")
	if os.Geteuid() != 0 {
		return Mode{Rootless: true, UserXattr: true, SquashOwners: ids == 1, NeedsReexec: true}
	}
	if whole {
		return Mode{}
	}
	return Mode{Rootless: true, UserXattr: true, SquashOwners: ids == 1}
}

// mappedIDs counts the ids that a map holds, and reports whether it is the map of the first namespace.
func mappedIDs(path string) (count int64, whole bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 1 << 32, true // no /proc or no user namespaces: there is only the first one
	}
	for _, line := range bytes.Split(data, []byte("\n")) {
		f := bytes.Fields(line)
		if len(f) != 3 {
			continue
		}
		n, err := strconv.ParseInt(string(f[2]), 10, 64)
		if err == nil {
			count += n
		}
	}
	return count, count >= 1<<32-1
}

// String says in a few words why containers are made the way they are.
func (m Mode) String() string {
	switch {
	case !m.Rootless:
		return "root: the kernel's namespaces and overlay file system"
	case m.NeedsReexec:
		return "an ordinary user: needs a user namespace"
	case m.SquashOwners:
		return "rootless with a single user id: every file has the same owner"
	default:
		return "rootless with a range of user ids"
	}
}
