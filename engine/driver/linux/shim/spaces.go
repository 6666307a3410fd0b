//go:build linux

package shim

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Space says whose a namespace is. The zero Space is one of the container's own.
type Space struct {
	Host bool   `json:"host,omitempty"` // the supervisor's
	Of   string `json:"of,omitempty"`   // that of the container with this folder
	Path string `json:"path,omitempty"` // the one that this file is (/proc/PID/ns/..., or a mount of one)
}

// Own reports whether the container gets one of its own.
func (s Space) Own() bool { return s == Space{} }

// joined reports whether it is somebody else's but the supervisor's.
func (s Space) joined() bool { return s.Of != "" || s.Path != "" }

// Spaces are the namespaces that need not be the container's own.
type Spaces struct {
	PID    Space `json:"pid"`
	IPC    Space `json:"ipc"`
	UTS    Space `json:"uts"`
	Net    Space `json:"net"`
	Cgroup Space `json:"cgroup"`
}

// kindOfSpace is one kind of namespace: its name under /proc/PID/ns, and clone(2)'s flag.
type kindOfSpace struct {
	name string
	flag int
	of   func(*Spaces) Space
}

func kindsOfSpace() [5]kindOfSpace {
	return [5]kindOfSpace{
		{"pid", unix.CLONE_NEWPID, func(s *Spaces) Space { return s.PID }},
		{"uts", unix.CLONE_NEWUTS, func(s *Spaces) Space { return s.UTS }},
		{"ipc", unix.CLONE_NEWIPC, func(s *Spaces) Space { return s.IPC }},
		{"net", unix.CLONE_NEWNET, func(s *Spaces) Space { return s.Net }},
		{"cgroup", unix.CLONE_NEWCGROUP, func(s *Spaces) Space { return s.Cgroup }},
	}
}

// cloneFlags are those of the namespaces that a first stage is born in. It makes its cgroup namespace by itself, once it is in its groups.
func (s *Spaces) cloneFlags() uintptr {
	flags := uintptr(unix.CLONE_NEWNS)
	for _, k := range kindsOfSpace() {
		if k.flag != unix.CLONE_NEWCGROUP && k.of(s).Own() {
			flags |= uintptr(k.flag)
		}
	}
	return flags
}

// ownNames are the names of the namespaces that are the container's own.
func (s *Spaces) ownNames() []string {
	names := []string{"mnt"}
	for _, k := range kindsOfSpace() {
		if k.of(s).Own() {
			names = append(names, k.name)
		}
	}
	return names
}

// enterFlags are those that a further process enters by setns(2): all that the supervisor is not in itself. In a user namespace it could not
// enter its own again.
func (s *Spaces) enterFlags() int {
	flags := unix.CLONE_NEWNS
	for _, k := range kindsOfSpace() {
		if k.flag != unix.CLONE_NEWPID && !k.of(s).Host {
			flags |= k.flag
		}
	}
	return flags
}

// space is an open namespace to enter.
type space struct {
	Name string `json:"name"`
	Flag int    `json:"flag"`
	Of   string `json:"of"` // for its event: a container's id, or a path
	fd   int
}

// open opens the namespaces that are somebody else's. A container that does not run has none.
func (s *Spaces) open() (found []space, err error) {
	defer func() {
		if err != nil {
			closeSpaces(found)
			found = nil
		}
	}()
	for _, k := range kindsOfSpace() {
		sp := k.of(s)
		if !sp.joined() {
			continue
		}
		fd, err := sp.open(k)
		if err != nil {
			return found, err
		}
		of := sp.Path
		if sp.Of != "" {
			of = filepath.Base(sp.Of)
		}
		found = append(found, space{k.name, k.flag, of, fd})
	}
	if s.IPC.Of != "" { // its /dev/shm is there
		fd, err := spaceOf(s.IPC.Of, "mnt")
		if err != nil {
			return found, err
		}
		found = append(found, space{"mnt", unix.CLONE_NEWNS, filepath.Base(s.IPC.Of), fd})
	}
	return found, nil
}

// mountsAmong finds the mount namespace that is not to be entered, only looked into; -1 if there is none.
func mountsAmong(all []space) int {
	for _, s := range all {
		if s.Flag == unix.CLONE_NEWNS {
			return s.fd
		}
	}
	return -1
}

func closeSpaces(all []space) {
	for _, s := range all {
		unix.Close(s.fd)
	}
}

// open gives a descriptor of the namespace, and makes sure that it is one of that kind: setns would enter any other.
func (s Space) open(k kindOfSpace) (int, error) {
	if s.Of != "" {
		return spaceOf(s.Of, k.name)
	}
	fd, err := unix.Open(s.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, pathError("open namespace", s.Path, err)
	}
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil || kind != k.flag {
		unix.Close(fd)
		return -1, fmt.Errorf("open namespace %s: it is no %s namespace", s.Path, k.name)
	}
	return fd, nil
}

// spaceOf opens a namespace of the running container in dir. Its first process is held by a descriptor meanwhile, so that the number can't
// become another's.
func spaceOf(dir, name string) (int, error) {
	rec, ok := ReadRecord(dir)
	id := filepath.Base(dir)
	if !ok {
		return -1, fmt.Errorf("container %s is not running", id)
	}
	pidfd, err := unix.PidfdOpen(rec.Pid, 0)
	if err != nil || !rec.Running(BootID()) {
		if err == nil {
			unix.Close(pidfd)
		}
		return -1, fmt.Errorf("container %s is not running", id)
	}
	defer unix.Close(pidfd)
	fd, err := unix.Open("/proc/"+strconv.Itoa(rec.Pid)+"/ns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("join %s namespace of container %s: %w", name, id, joinHint(err))
	}
	if err := unix.PidfdSendSignal(pidfd, 0, nil, 0); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("container %s is not running", id)
	}
	return fd, nil
}

// joinHint says why a rootless engine can't join what an earlier command made.
func joinHint(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: each command of a rootless engine has a user namespace of its own, and that one's powers end there; run the engine as root", err)
	}
	return err
}

// enter puts the calling thread, which must be locked, into the namespaces.
func enterSpaces(all []space) error {
	for _, s := range all {
		if s.Flag == unix.CLONE_NEWPID || s.Flag == unix.CLONE_NEWNS {
			continue // a process is born in the one, and the other is only looked into
		}
		if err := unix.Setns(s.fd, s.Flag); err != nil {
			return fmt.Errorf("join %s namespace of %s: %w", s.Name, s.Of, joinHint(err))
		}
	}
	return nil
}

// inPidNamespace runs fork on a thread whose children are born in the process namespace that fd is or, if it is a pidfd, that the process is in.
func inPidNamespace(fd int, fork func() (*Conn, int, error)) (*Conn, int, error) {
	own, err := ownPidNamespace()
	if err != nil {
		return nil, 0, pathError("open", "own namespace", err)
	}
	defer unix.Close(own)
	runtime.LockOSThread()
	if err := unix.Setns(fd, unix.CLONE_NEWPID); err != nil {
		runtime.UnlockOSThread()
		return nil, 0, fmt.Errorf("enter process namespace: %w", joinHint(err))
	}
	conn, pid, err := fork()
	if unix.Setns(own, unix.CLONE_NEWPID) != nil {
		// In a user namespace there is no way back into the machine's own process namespace. The thread stays locked to this
		// goroutine, which waits for the process, and ends with it.
		return conn, pid, err
	}
	runtime.UnlockOSThread()
	return conn, pid, err
}
