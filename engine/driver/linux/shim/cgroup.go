//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// groupParent is the folder that holds all our control groups in each hierarchy.
const groupParent = "learn"

// groups are the control groups of one container.
type groups struct {
	id       string
	name     string // of the folders
	rootless bool
	log      *eventlog.Log
	members  []Hierarchy
	unified  int // descriptor of the version 2 group, or -1
}

// makeGroups makes the control groups that the container needs: the version 2 one whenever the first process is still to be born, since
// it can be born there for free, and it can freeze and kill; otherwise groups only for limits. A limit that can't be kept is an error.
func makeGroups(cfg *Config, log *eventlog.Log, unborn bool) (*groups, error) {
	g := &groups{id: cfg.ID, name: groupName(cfg.Owner, cfg.ID), rootless: cfg.Rootless, log: log, unified: -1}
	wanted := settings(cfg.Limits)
	mounted := Hierarchies(cfg.Rootless)
	for _, h := range mounted {
		if h.Version == 2 && h.Base != "" && (unborn || limits(h, wanted)) {
			g.joinUnified(h)
		}
	}
	for _, s := range wanted {
		if err := g.limit(mounted, s); err != nil {
			g.remove()
			return g, err
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

func (g *groups) joinUnified(h MountedHierarchy) {
	dir, err := g.mkdir(h, "unified")
	if err != nil {
		return // read-only or not ours: the container runs without
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err == nil {
		g.unified = fd
	}
}

func (g *groups) mkdir(h MountedHierarchy, controller string) (string, error) {
	dir := filepath.Join(h.Parent(), g.name)
	if g.member(dir) {
		return dir, nil
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
	if h.Version == 1 && h.Has("cpuset") {
		return dir, inheritCpuset(dir)
	}
	return dir, nil
}

func (g *groups) member(dir string) bool {
	for _, m := range g.members {
		if m.Dir == dir {
			return true
		}
	}
	return false
}

// inheritCpuset fills in what version 1 leaves empty in a new group, which nobody could join then.
func inheritCpuset(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		file := filepath.Join(dir, name)
		list, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if len(strings.TrimSpace(string(list))) > 0 {
			continue
		}
		above := filepath.Dir(dir)
		if list, err = os.ReadFile(filepath.Join(above, name)); err == nil && len(strings.TrimSpace(string(list))) == 0 {
			if err = inheritCpuset(above); err == nil {
				list, err = os.ReadFile(filepath.Join(above, name))
			}
		}
		if err == nil {
			err = writeGroup(file, string(list))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// limit writes one limit to the hierarchy that governs it. To take one away where there is no group is nothing to do.
func (g *groups) limit(mounted []MountedHierarchy, s setting) error {
	for _, h := range mounted {
		if !h.Has(controllerIn(h.Version, s.controller)) {
			continue
		}
		writes := s.writes(h.Version)
		if !s.set && !g.member(filepath.Join(h.Parent(), g.name)) {
			return nil
		}
		if len(writes) == 0 {
			if !s.set {
				return nil
			}
			return fmt.Errorf("limit %s: version %d of control groups, which this machine has for it, can't do that; run without the limit", s.controller, h.Version)
		}
		err := g.set(h, s.controller, writes)
		if h.Version == 2 && errors.Is(err, os.ErrNotExist) && settle(h.Parent(), s.controller) == nil {
			err = g.set(h, s.controller, writes)
		}
		if err != nil {
			return fmt.Errorf("limit %s: %w%s", s.controller, err, g.hint(h, err))
		}
		return nil
	}
	return g.ungoverned(mounted, s.controller)
}

// set writes to the container's group in h, which it makes if there is none.
func (g *groups) set(h MountedHierarchy, controller string, writes []write) error {
	dir, err := g.governed(h, controller)
	for _, w := range writes {
		if err == nil {
			err = g.write(dir, w)
		}
	}
	return err
}

// governed gives the container's group in h, which the controller governs.
func (g *groups) governed(h MountedHierarchy, controller string) (string, error) {
	if h.Version == 2 {
		_ = os.Mkdir(h.Parent(), 0o755)
		for _, dir := range []string{h.Base, h.Parent()} {
			if err := share(dir, controller); err != nil {
				return "", err
			}
		}
	}
	return g.mkdir(h, h.name())
}

func (g *groups) write(dir string, w write) error {
	file := filepath.Join(dir, w.file)
	err := writeGroup(file, w.value)
	if errors.Is(err, os.ErrNotExist) && w.otherwise != nil {
		return g.write(dir, *w.otherwise)
	}
	if errors.Is(err, os.ErrNotExist) && w.none {
		return nil
	}
	if err != nil {
		return err
	}
	g.log.Fact(vocab.CgroupWrite, trace.String("container", g.id), trace.String("file", file), trace.String("value", strings.TrimSpace(w.value)))
	return nil
}

// writeGroup writes to a file of a control group that is there: to make one is refused with another error than that it is missing.
func writeGroup(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// hint says what to do about a group that can't be written.
func (g *groups) hint(h MountedHierarchy, err error) string {
	switch {
	case errors.Is(err, unix.EBUSY):
		return ": the container uses more than that already"
	case !errors.Is(err, os.ErrPermission) && !errors.Is(err, unix.EROFS):
		return ""
	case h.Version == 1:
		return ": with version 1 of control groups only root can limit; run as root, or without the limit"
	}
	return ": the control group cannot be used by this user; run as root, or without the limit"
}

// ungoverned says why no hierarchy can keep a limit.
func (g *groups) ungoverned(mounted []MountedHierarchy, controller string) error {
	for _, h := range mounted {
		if h.Version != 2 || !g.rootless || !has(controllersIn(h.Dir), controller) {
			continue
		}
		start := "start the command in a group of your own, with: systemd-run --user --scope -p Delegate=yes learn ...; or run as root, or without the limit"
		if h.Base == "" {
			return fmt.Errorf("limit %s: the control group of this session (%s) is not delegated to its user: %s", controller, OwnGroup(), start)
		}
		return fmt.Errorf("limit %s: the control group %s is delegated to this user without that controller (it has: %s): %s", controller, h.Base,
			strings.Join(h.Controllers, " "), "let the machine's owner add Delegate=cpu cpuset io memory pids to user@.service; or run as root, or without the limit")
	}
	return fmt.Errorf("limit %s: this kernel has no control group for it mounted under /sys/fs/cgroup", controller)
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
		killGroup(dir)
		time.Sleep(wait)
	}
	return fmt.Errorf("remove control group %s: %w", dir, err)
}
