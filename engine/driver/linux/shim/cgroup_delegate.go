//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// leafGroup is where the processes of a delegated group go: a group that shares its controllers out may have no process of its own
// (cgroup-v2.rst, "No Internal Process Constraint").
const leafGroup = "learn.leaf"

// delegated finds, below the version 2 mount, the innermost group around this process that its user may divide; empty if there is none.
func delegated(mount string) string {
	own := OwnGroup()
	if own == "" || !filepath.IsLocal(strings.TrimPrefix(own, "/")) && own != "/" {
		return "" // it lies outside of what this cgroup namespace shows
	}
	dir := filepath.Join(mount, own)
	if filepath.Base(dir) == leafGroup {
		dir = filepath.Dir(dir)
	}
	for ; strings.HasPrefix(dir, mount); dir = filepath.Dir(dir) {
		if divisible(dir) {
			return dir
		}
	}
	return ""
}

// OwnGroup is the version 2 group of this process, from proc_pid_cgroup(5); empty if the kernel does not say.
func OwnGroup() string {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path
		}
	}
	return ""
}

func divisible(dir string) bool {
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if unix.Faccessat(unix.AT_FDCWD, filepath.Join(dir, name), unix.W_OK, unix.AT_EACCESS) != nil {
			return false
		}
	}
	return true
}

// share lets the groups below dir govern a controller. Processes that stand in the way move to a leaf.
func share(dir, controller string) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	if on, err := os.ReadFile(file); err == nil && has(strings.Fields(string(on)), controller) {
		return nil
	}
	err := writeGroup(file, "+"+controller)
	for range 10 { // a process may be born in dir meanwhile
		if !errors.Is(err, unix.EBUSY) {
			break
		}
		if err := vacate(dir); err != nil {
			return err
		}
		err = writeGroup(file, "+"+controller)
	}
	return err
}

// settle returns when the groups below dir have the files of a controller that dir shares out. The kernel says that it does a moment before
// it has made the files, which matters if another supervisor is the one that asked; asking again waits for that one.
func settle(dir, controller string) error {
	return writeGroup(filepath.Join(dir, "cgroup.subtree_control"), "+"+controller)
}

// vacate moves the processes of a group to its leaf.
func vacate(dir string) error {
	leaf := filepath.Join(dir, leafGroup)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(data)) {
		err := writeGroup(filepath.Join(leaf, "cgroup.procs"), pid)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("move process %s out of %s: %w", pid, dir, err)
		}
	}
	return nil
}

func has(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}
