//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// killGroup ends every process in a group, also in one that is frozen: a supervisor that died thaws nothing any more.
func killGroup(dir string) {
	ThawGroup(dir)
	if tell(dir, "cgroup.kill", "1") == nil {
		return
	}
	for _, pid := range groupProcesses(dir) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if slices.Contains(groupProcesses(dir), pid) { // else its number may be somebody else's by now
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
		unix.Close(fd)
	}
}

// ThawGroup lets the processes in a group go on, if they are frozen.
func ThawGroup(dir string) {
	if tell(dir, "freezer.state", "THAWED") != nil {
		_ = tell(dir, "cgroup.freeze", "0")
	}
}

// tell writes to a file of a group, which must be there.
func tell(dir, file, value string) error {
	fd, err := unix.Open(filepath.Join(dir, file), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}

func groupProcesses(dir string) []int {
	data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var pids []int
	for _, word := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
