//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"strings"
)

// MountedHierarchy is one mounted control group hierarchy of the machine.
type MountedHierarchy struct {
	Dir         string   // where it is mounted
	Version     int      // 1 or 2
	Controllers []string // version 1: what it was mounted with; version 2: what cgroup.controllers lists
	// Base is the group below which ours are made: Dir, or in version 2 a group that is delegated to an ordinary user; empty if there is none.
	Base string
}

// Hierarchies finds what is mounted. A machine may have both versions; each controller is in one of them. rootless says that version 2 can be
// used only where it is delegated.
func Hierarchies(rootless bool) []MountedHierarchy {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var found []MountedHierarchy
	for line := range strings.Lines(string(data)) {
		h, ok := parseHierarchy(line)
		if !ok {
			continue
		}
		if rootless && h.Version == 2 {
			h.Base = delegated(h.Dir)
			h.Controllers = controllersIn(h.Base)
		}
		found = append(found, h)
	}
	return found
}

// parseHierarchy reads one line of proc_pid_mountinfo(5).
func parseHierarchy(line string) (MountedHierarchy, bool) {
	before, after, ok := strings.Cut(line, " - ")
	if !ok {
		return MountedHierarchy{}, false
	}
	front, back := strings.Fields(before), strings.Fields(after)
	if len(front) < 5 || len(back) < 3 || !strings.HasPrefix(front[4], "/sys/fs/cgroup") {
		return MountedHierarchy{}, false
	}
	switch back[0] {
	case "cgroup":
		return MountedHierarchy{Dir: front[4], Base: front[4], Version: 1, Controllers: controllersOf(back[2])}, true
	case "cgroup2":
		return MountedHierarchy{Dir: front[4], Base: front[4], Version: 2, Controllers: controllersIn(front[4])}, true
	}
	return MountedHierarchy{}, false
}

// controllersOf picks the controllers out of the mount options of a version 1 hierarchy.
func controllersOf(options string) []string {
	var names []string
	for _, o := range strings.Split(options, ",") {
		if o == "rw" || o == "ro" || o == "xattr" || o == "clone_children" || strings.Contains(o, "=") {
			continue
		}
		names = append(names, o)
	}
	return names
}

// controllersIn lists what a version 2 group may govern.
func controllersIn(dir string) []string {
	if dir == "" {
		return nil
	}
	list, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	return strings.Fields(string(list))
}

// Parent is the folder of all our groups in the hierarchy.
func (h MountedHierarchy) Parent() string { return filepath.Join(h.Base, groupParent) }

// Has reports whether the hierarchy governs a controller.
func (h MountedHierarchy) Has(controller string) bool {
	for _, c := range h.Controllers {
		if c == controller {
			return true
		}
	}
	return false
}

// name is what the hierarchy is called in a container's view: unified, or its controllers.
func (h MountedHierarchy) name() string {
	if h.Version == 2 {
		return "unified"
	}
	return strings.Join(h.Controllers, ",")
}
