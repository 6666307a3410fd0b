//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// group is the container's control group in one hierarchy of the machine.
type group struct {
	Mount       string   `json:"mount"` // where the hierarchy is mounted
	Path        string   `json:"path"`  // the group's, below it
	Version     int      `json:"version"`
	Controllers []string `json:"controllers"`
	Joined      bool     `json:"joined,omitempty"` // it was there already, so it is not ours to remove
}

func (g group) dir() string { return filepath.Join(g.Mount, g.Path) }

func (g group) has(controller string) bool { return slices.Contains(g.Controllers, controller) }

// name is what the hierarchy is called in a container's view.
func (g group) name() string {
	if g.Version == 2 {
		return "unified"
	}
	return strings.Join(g.Controllers, ",")
}

// groups are those of one container.
type groups []group

// groupPath is where the container's groups are below each mounted hierarchy. What is relative is left to the runtime, which takes the root
// for it, too; a user without powers can only go below the group that he is in.
func groupPath(spec *specs.Spec, id string) string {
	p := spec.Linux.CgroupsPath
	if p == "" {
		p = "/learn-runtime/" + id
	}
	return path.Clean("/" + p)
}

// makeGroups makes the container's groups, and writes its limits into them. Without powers it does without, unless limits were asked for.
func makeGroups(spec *specs.Spec, id string) (groups, error) {
	var all groups
	hybrid := false
	mounted := shim.Hierarchies(false)
	for _, h := range mounted {
		hybrid = hybrid || h.Version == 1 && h.Has("freezer")
	}
	for _, h := range mounted {
		if len(h.Controllers) == 0 && h.Version == 1 || h.Version == 2 && hybrid && !needsUnified(spec, h) {
			continue
		}
		g := group{Mount: h.Dir, Path: groupPath(spec, id), Version: h.Version, Controllers: h.Controllers}
		if h.Version == 2 && !hybrid {
			g.Path = belowOwn(g)
		}
		if err := g.make(); err != nil {
			if powerless(err) && !hasLimits(spec.Linux.Resources) {
				continue
			}
			all.remove()
			return nil, fmt.Errorf("make control group %s: %w", g.dir(), err)
		}
		all = append(all, g)
	}
	if err := all.apply(spec.Linux.Resources, true); err != nil {
		all.remove()
		return nil, err
	}
	return all, nil
}

// needsUnified: beside version 1 the unified hierarchy is joined only for what it alone governs.
func needsUnified(spec *specs.Spec, h shim.MountedHierarchy) bool {
	r := spec.Linux.Resources
	return r != nil && (len(r.Unified) > 0 || len(r.HugepageLimits) > 0 && h.Has("hugetlb"))
}

// belowOwn puts a group below the one that this process is in when the root of the hierarchy can't be written, as in a session that was
// given a part of it (systemd's Delegate).
func belowOwn(g group) string {
	if unix.Access(g.Mount, unix.W_OK) == nil {
		return g.Path
	}
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return g.Path
	}
	for line := range strings.Lines(string(data)) {
		if own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return path.Join(path.Dir(own), g.Path)
		}
	}
	return g.Path
}

func powerless(err error) bool {
	return (errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS)) && (os.Geteuid() != 0 || !initialUsers())
}

// initialUsers reports whether this is the first user namespace, in which root is the machine's.
func initialUsers() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	f := strings.Fields(string(data))
	return err != nil || len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295"
}

func hasLimits(r *specs.LinuxResources) bool {
	return r != nil && (r.Memory != nil || r.CPU != nil || r.Pids != nil && r.Pids.Limit != nil && *r.Pids.Limit > 0 || r.BlockIO != nil || len(r.HugepageLimits) > 0 || len(r.Unified) > 0)
}

// make makes the folder and those above it.
func (g *group) make() error {
	if _, err := os.Stat(g.dir()); err == nil {
		g.Joined = true
		if procs, err := os.ReadFile(filepath.Join(g.dir(), "cgroup.procs")); err == nil && len(procs) == 0 {
			g.Joined = g.Path == "/"
		}
	}
	parts := strings.Split(strings.Trim(g.Path, "/"), "/")
	at := g.Mount
	for i, part := range parts {
		if g.Version == 2 {
			g.enable(at)
		}
		at = filepath.Join(at, part)
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if g.has("cpuset") && g.Version == 1 {
			if err := inheritCpuset(at); err != nil && i == len(parts)-1 {
				return err
			}
		}
	}
	return nil
}

// enable hands the controllers down one at a time, as one that can't be must not keep the others.
func (g *group) enable(dir string) {
	for _, c := range g.Controllers {
		_ = writeTo(filepath.Join(dir, "cgroup.subtree_control"), "+"+c)
	}
}

// inheritCpuset gives a new version 1 group what no task can join it without.
func inheritCpuset(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		have, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.TrimSpace(string(have)) != "" {
			continue
		}
		up, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			continue
		}
		if err := writeTo(filepath.Join(dir, name), string(up)); err != nil {
			return err
		}
	}
	return nil
}

// tasks opens the version 1 files through which a thread joins.
func (gs groups) tasks() ([]int, error) {
	var fds []int
	for _, g := range gs {
		if g.Version != 1 {
			continue
		}
		name := filepath.Join(g.dir(), "tasks")
		fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			closeAll(fds)
			return nil, &os.PathError{Op: "open", Path: name, Err: err}
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// unified opens the version 2 group; -1 if there is none.
func (gs groups) unified() (int, error) {
	for _, g := range gs {
		if g.Version == 2 {
			return unix.Open(g.dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		}
	}
	return -1, nil
}

// find gives the group that governs a controller.
func (gs groups) find(controller string) (group, bool) {
	for _, g := range gs {
		if g.has(controller) {
			return g, true
		}
	}
	return group{}, false
}

// procs lists the processes in the container's groups, sorted. Groups below them count.
func (gs groups) procs() []int {
	best := -1
	for i, g := range gs {
		if best < 0 || g.has("pids") || g.Version == 2 {
			best = i
		}
	}
	if best < 0 || gs[best].Path == "/" {
		return nil
	}
	var pids []int
	_ = filepath.WalkDir(gs[best].dir(), func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		data, _ := os.ReadFile(filepath.Join(p, "cgroup.procs"))
		for _, f := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	slices.Sort(pids)
	return slices.Compact(pids)
}

// killAll ends everything in the groups. Those that were there before the container are not only its.
func (gs groups) signalAll(sig unix.Signal) {
	for _, pid := range gs.procs() {
		_ = unix.Kill(pid, sig)
	}
}

// ours reports whether the groups were made for the container.
func (gs groups) ours() bool {
	return len(gs) > 0 && !slices.ContainsFunc(gs, func(g group) bool { return g.Joined })
}

// remove removes what was made for the container, groups below them first.
func (gs groups) remove() {
	for _, g := range gs {
		if g.Joined || g.Path == "/" {
			continue
		}
		var dirs []string
		_ = filepath.WalkDir(g.dir(), func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, p)
			}
			return nil
		})
		for _, d := range slices.Backward(dirs) {
			removeGroup(d)
		}
		if up := path.Dir(g.Path); up != "/" && up != "." {
			_ = unix.Rmdir(filepath.Join(g.Mount, up)) // what others use is not empty
		}
	}
}

// removeGroup waits a little: the kernel lets go of the last process a moment after it was waited for.
func removeGroup(dir string) {
	for wait := time.Millisecond; wait < time.Second; wait *= 2 {
		if err := unix.Rmdir(dir); !errors.Is(err, unix.EBUSY) {
			return
		}
		time.Sleep(wait)
	}
}

// freeze stops or resumes everything in the container.
func (gs groups) freeze(on bool) error {
	for _, g := range gs {
		switch {
		case g.Version == 2:
			return freezeWith(filepath.Join(g.dir(), "cgroup.freeze"), filepath.Join(g.dir(), "cgroup.events"), map[bool]string{false: "0", true: "1"}[on],
				map[bool]string{false: "frozen 0", true: "frozen 1"}[on])
		case g.has("freezer"):
			state := map[bool]string{false: "THAWED", true: "FROZEN"}[on]
			file := filepath.Join(g.dir(), "freezer.state")
			return freezeWith(file, file, state, state)
		}
	}
	return errors.New("the container has no control group that can freeze it")
}

func freezeWith(file, look, write, want string) error {
	for range 500 {
		if err := writeTo(file, write); err != nil {
			return err
		}
		data, err := os.ReadFile(look)
		if err != nil || strings.Contains(string(data), want) {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return errors.New("the kernel did not finish within a second")
}

// frozen reports whether the container is paused.
func (gs groups) frozen() bool {
	for _, g := range gs {
		switch {
		case g.Version == 2:
			data, _ := os.ReadFile(filepath.Join(g.dir(), "cgroup.freeze"))
			return strings.TrimSpace(string(data)) == "1"
		case g.has("freezer"):
			data, _ := os.ReadFile(filepath.Join(g.dir(), "freezer.self_freezing"))
			return strings.TrimSpace(string(data)) == "1"
		}
	}
	return false
}
