//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// groupParent is the folder that holds all our control groups in each hierarchy.
const groupParent = "learn"

// MountedHierarchy is one mounted control group hierarchy of the machine.
type MountedHierarchy struct {
	Dir         string   // where it is mounted
	Version     int      // 1 or 2
	Controllers []string // version 1: what it was mounted with; version 2: what cgroup.controllers lists
}

// Hierarchies finds what is mounted. A machine may have both versions; each controller is in one of them.
func Hierarchies() []MountedHierarchy {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var found []MountedHierarchy
	for line := range strings.Lines(string(data)) {
		if h, ok := parseHierarchy(line); ok {
			found = append(found, h)
		}
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
		return MountedHierarchy{Dir: front[4], Version: 1, Controllers: controllersOf(back[2])}, true
	case "cgroup2":
		list, _ := os.ReadFile(filepath.Join(front[4], "cgroup.controllers"))
		return MountedHierarchy{Dir: front[4], Version: 2, Controllers: strings.Fields(string(list))}, true
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

// groups are the control groups of one container.
type groups struct {
	id      string
	name    string // of the folders
	log     *eventlog.Log
	members []Hierarchy
	unified int // descriptor of the version 2 group, or -1
}

// setting is one limit: the controller, and the file and value in either version.
type setting struct {
	controller string
	v1, v2     [2]string
}

func settings(l Limits) []setting {
	var s []setting
	if n := l.MemoryBytes; n > 0 {
		v := strconv.FormatInt(n, 10)
		s = append(s, setting{"memory", [2]string{"memory.limit_in_bytes", v}, [2]string{"memory.max", v}})
	}
	if l.Pids > 0 {
		v := strconv.FormatInt(l.Pids, 10)
		s = append(s, setting{"pids", [2]string{"pids.max", v}, [2]string{"pids.max", v}})
	}
	if l.CPUQuota > 0 {
		period := l.CPUPeriod
		if period == 0 {
			period = 100 * time.Millisecond
		}
		q, p := strconv.FormatInt(l.CPUQuota.Microseconds(), 10), strconv.FormatInt(period.Microseconds(), 10)
		s = append(s, setting{"cpu", [2]string{"cpu.cfs_period_us", p}, [2]string{"cpu.max", q + " " + p}},
			setting{"cpu", [2]string{"cpu.cfs_quota_us", q}, [2]string{}})
	}
	return s
}

// makeGroups makes the control groups that the container needs: the version 2 one whenever the first process is still to be born, since
// it can be born there for free, and it can freeze and kill; otherwise groups only for limits. A limit that can't be kept is an error.
func makeGroups(id, owner string, l Limits, log *eventlog.Log, unborn bool) (*groups, error) {
	g := &groups{id: id, name: groupName(owner, id), log: log, unified: -1}
	mounted := Hierarchies()
	wanted := settings(l)
	for _, h := range mounted {
		if h.Version == 2 && (unborn || limits(h, wanted)) {
			g.joinUnified(h, wanted)
		}
	}
	for _, s := range wanted {
		if err := g.limit(mounted, s); err != nil {
			g.remove()
			return nil, err
		}
	}
	return g, nil
}

// limits reports whether one of the settings belongs to the hierarchy.
func limits(h MountedHierarchy, wanted []setting) bool {
	for _, s := range wanted {
		if h.Has(s.controller) {
			return true
		}
	}
	return false
}

func (g *groups) joinUnified(h MountedHierarchy, wanted []setting) {
	for _, s := range wanted {
		if h.Has(s.controller) {
			enable(h.Dir, s.controller)
			_ = os.Mkdir(filepath.Join(h.Dir, groupParent), 0o755)
			enable(filepath.Join(h.Dir, groupParent), s.controller)
		}
	}
	dir, err := g.mkdir(h, "unified")
	if err != nil {
		return // read-only or not ours: the container runs without
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		g.unified = fd
	}
}

func enable(dir, controller string) {
	_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0)
}

func (g *groups) mkdir(h MountedHierarchy, controller string) (string, error) {
	dir := filepath.Join(h.Dir, groupParent, g.name)
	for _, m := range g.members {
		if m.Dir == dir {
			return dir, nil
		}
	}
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrNotExist) {
		_ = os.Mkdir(filepath.Dir(dir), 0o755)
		err = os.Mkdir(dir, 0o755)
	}
	if errors.Is(err, os.ErrExist) && unix.Rmdir(dir) == nil {
		err = os.Mkdir(dir, 0o755) // a fresh one, which no sweep takes for dead
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	g.members = append(g.members, Hierarchy{controller, dir, h.Version})
	g.log.Fact(vocab.CgroupCreate, trace.String("container", g.id), trace.String("controller", controller), trace.String("path", dir))
	return dir, nil
}

func (g *groups) limit(mounted []MountedHierarchy, s setting) error {
	for _, h := range mounted {
		if !h.Has(s.controller) {
			continue
		}
		file := s.v1
		if h.Version == 2 {
			file = s.v2
		}
		if file[0] == "" {
			return nil
		}
		dir, err := g.mkdir(h, h.name())
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file[0]), []byte(file[1]), 0)
		}
		if err != nil {
			return fmt.Errorf("limit %s: %w: the control group cannot be used by this user; run as root, or without the limit", s.controller, err)
		}
		g.log.Fact(vocab.CgroupWrite, trace.String("container", g.id), trace.String("file", filepath.Join(dir, file[0])), trace.String("value", file[1]))
		return nil
	}
	return fmt.Errorf("limit %s: this kernel has no control group for it mounted under /sys/fs/cgroup", s.controller)
}

// names are the hierarchies as the container is to see them.
func (g *groups) names() []string {
	var names []string
	for _, m := range g.members {
		names = append(names, m.Controller)
	}
	return names
}

// tasks are the version 1 files through which a thread joins.
func (g *groups) tasks() []string {
	var files []string
	for _, m := range g.members {
		if m.Version == 1 {
			files = append(files, filepath.Join(m.Dir, "tasks"))
		}
	}
	return files
}

func (g *groups) dirs() []string {
	var dirs []string
	for _, m := range g.members {
		dirs = append(dirs, m.Dir)
	}
	return dirs
}

// remove removes all groups. The kernel lets go of the last process a moment after it has been waited for.
func (g *groups) remove() {
	if g.unified >= 0 {
		unix.Close(g.unified)
		g.unified = -1
	}
	for _, m := range g.members {
		if RemoveGroup(m.Dir) == nil {
			g.log.Fact(vocab.CgroupRemove, trace.String("container", g.id), trace.String("path", m.Dir))
		}
	}
	g.members = nil
}

// RemoveGroup removes one control group and kills what is left in it. One that is not there is no error.
func RemoveGroup(dir string) error {
	var err error
	for wait := time.Millisecond; wait < time.Second; wait *= 2 {
		err = unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			break
		}
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
		time.Sleep(wait)
	}
	return fmt.Errorf("remove control group %s: %w", dir, err)
}
