//go:build linux

package bundle

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// namespaceFlag gives the clone(2) flag of a namespace type.
func namespaceFlag(t specs.LinuxNamespaceType) (int, bool) {
	switch t {
	case specs.PIDNamespace:
		return unix.CLONE_NEWPID, true
	case specs.NetworkNamespace:
		return unix.CLONE_NEWNET, true
	case specs.MountNamespace:
		return unix.CLONE_NEWNS, true
	case specs.IPCNamespace:
		return unix.CLONE_NEWIPC, true
	case specs.UTSNamespace:
		return unix.CLONE_NEWUTS, true
	case specs.UserNamespace:
		return unix.CLONE_NEWUSER, true
	case specs.CgroupNamespace:
		return unix.CLONE_NEWCGROUP, true
	case specs.TimeNamespace:
		return unix.CLONE_NEWTIME, true
	}
	return 0, false
}

// spaces are the namespaces of a container: flags of those to make, and those to join.
type spaces struct {
	fresh int
	joins []join
	mount int // the mount namespace to join, -1 for none: the stage enters it by itself, when its binary and its loader have been found
}

// join is an open namespace and its flag.
type join struct {
	fd   int
	flag int
}

func (s *spaces) close() {
	for _, j := range s.joins {
		unix.Close(j.fd)
	}
	if s.mount >= 0 {
		unix.Close(s.mount)
	}
	s.joins, s.mount = nil, -1
}

// openSpaces opens the namespaces of a config. Those by path are checked for their type; user comes first, since entering the others may
// need its powers.
func openSpaces(list []specs.LinuxNamespace) (*spaces, error) {
	s := &spaces{mount: -1}
	for _, users := range []bool{true, false} {
		for _, ns := range list {
			flag, _ := namespaceFlag(ns.Type)
			if users != (flag == unix.CLONE_NEWUSER) {
				continue
			}
			if ns.Path == "" {
				s.fresh |= flag
				continue
			}
			fd, err := openSpace(ns.Path, flag)
			if err != nil {
				s.close()
				return nil, fmt.Errorf("join %s namespace: %w", ns.Type, err)
			}
			if flag == unix.CLONE_NEWNS {
				s.mount = fd
				continue
			}
			if fd >= 0 {
				s.joins = append(s.joins, join{fd, flag})
			}
		}
	}
	return s, nil
}

// openSpace opens a namespace of the wanted type; -1 for a user namespace that this process is in already, which can't be entered again.
func openSpace(name string, flag int) (int, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", name, err)
	}
	if kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE); err != nil || kind != flag {
		unix.Close(fd)
		return -1, fmt.Errorf("open %s: it is not a namespace of that type", name)
	}
	if flag == unix.CLONE_NEWUSER && sameFile(fd, "/proc/self/ns/user") {
		unix.Close(fd)
		return -1, nil
	}
	return fd, nil
}

func sameFile(fd int, name string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(name, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// enterMounts puts the calling thread into a mount namespace. It must share its root and working folder with no other.
func enterMounts(fd int) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("part from the file system state: %w", err)
	}
	if err := unix.Setns(fd, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	return unix.Close(fd)
}

// foreign tells which kinds of namespaces a process has that are not this process's.
func foreign(pid int) (flags int, user bool) {
	for name, flag := range map[string]int{"mnt": unix.CLONE_NEWNS, "uts": unix.CLONE_NEWUTS, "ipc": unix.CLONE_NEWIPC, "net": unix.CLONE_NEWNET,
		"pid": unix.CLONE_NEWPID, "cgroup": unix.CLONE_NEWCGROUP, "user": unix.CLONE_NEWUSER, "time": unix.CLONE_NEWTIME} {
		var a, b unix.Stat_t
		at := "/proc/" + strconv.Itoa(pid) + "/ns/" + name
		if unix.Stat(at, &a) != nil || unix.Stat("/proc/self/ns/"+name, &b) != nil || a.Ino == b.Ino && a.Dev == b.Dev {
			continue
		}
		flags |= flag
	}
	return flags, flags&unix.CLONE_NEWUSER != 0
}

// timeOffsets is what /proc/PID/timens_offsets takes (time_namespaces(7)).
func timeOffsets(offsets map[string]specs.LinuxTimeOffset) ([]byte, error) {
	var out []byte
	for clock, o := range offsets {
		if clock != "monotonic" && clock != "boottime" {
			return nil, fmt.Errorf("linux.timeOffsets: no such clock: %q", clock)
		}
		if o.Nanosecs >= 1e9 {
			return nil, fmt.Errorf("linux.timeOffsets: %s: %d ns are more than a second", clock, o.Nanosecs)
		}
		out = fmt.Appendf(out, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
	}
	return out, nil
}
