//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// deadAfter is how old an empty control group must be before it is taken for dead: a younger one may be about to get its process.
const deadAfter = 10 * time.Second

// groupName names the control group of a container so that its home knows it again.
func groupName(owner, id string) string {
	if owner == "" {
		return id
	}
	return owner + "-" + id
}

// GroupPath is where a container's control groups are in each hierarchy.
func GroupPath(owner, id string) string { return "/" + groupParent + "/" + groupName(owner, id) }

// DeadGroups lists the control groups of a home that hold no process and that nobody will fill any more: a supervisor was
// killed together with its record.
func DeadGroups(owner string, rootless bool) []string {
	if owner == "" {
		return nil
	}
	var dead []string
	for _, h := range Hierarchies(rootless) {
		parent := h.Parent()
		entries, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, e := range entries {
			dir := filepath.Join(parent, e.Name())
			if strings.HasPrefix(e.Name(), owner+"-") && isDead(dir) {
				dead = append(dead, dir)
			}
		}
	}
	return dead
}

func isDead(dir string) bool {
	st, err := os.Stat(dir)
	if err != nil || time.Since(st.ModTime()) < deadAfter {
		return false
	}
	procs, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	return err == nil && len(procs) == 0
}

// SweepGroups removes the dead control groups of a home. The kernel refuses where a process has come after all.
func SweepGroups(owner string, rootless bool) {
	for _, dir := range DeadGroups(owner, rootless) {
		_ = unix.Rmdir(dir)
	}
}
