//go:build linux

package linux

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// secure fills in what the container may do and see of the machine.
func (t *task) secure(cfg *shim.Config) error {
	spec := t.spec
	cfg.Spaces = t.spaces()
	cfg.Domain, cfg.NoShm = spec.Domain, spec.Shared.IPC == driver.NamespaceNone
	if id, ok := driver.OwnerOf(spec.Network); ok {
		cfg.Names = t.runtime.dirOf(id)
	}
	cfg.Privileged, cfg.Masked, cfg.Unwritten = spec.Process.Privileged, spec.Masked, spec.Unwritten
	if !cfg.Privileged && spec.Masked == nil {
		cfg.Masked = standard.MaskedPaths()
	}
	if !cfg.Privileged && spec.Unwritten == nil {
		cfg.Unwritten = standard.ReadOnlyPaths()
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Sysctls)) {
		cfg.Sysctls = append(cfg.Sysctls, shim.Setting{Name: name, Value: spec.Sysctls[name]})
	}
	return t.devices(cfg)
}

// spaces says whose the namespaces are.
func (t *task) spaces() shim.Spaces {
	s := t.spec
	var out shim.Spaces
	for _, w := range []struct {
		word string
		to   *shim.Space
	}{{s.Network, &out.Net}, {s.Shared.PID, &out.PID}, {s.Shared.IPC, &out.IPC}, {s.Shared.UTS, &out.UTS}, {s.Shared.Cgroup, &out.Cgroup}} {
		id, of := driver.OwnerOf(w.word)
		switch {
		case of:
			w.to.Of = t.runtime.dirOf(id)
		case w.word == driver.NamespaceHost:
			w.to.Host = true
		}
	}
	return out
}

func (r *Runtime) dirOf(id string) string {
	return filepath.Join(r.home.Containers(), filepath.Base(id))
}

// powersOf are the capabilities of a process: root has what it can have, any other user has them only through programs that bring them.
func powersOf(p *driver.Process) (*shim.Powers, error) {
	if p.Privileged {
		return nil, nil
	}
	mask, unknown := standard.DefaultMask, ""
	if p.Powers != nil {
		mask, unknown = standard.CapabilityMask(p.Powers)
	}
	if unknown != "" {
		return nil, fmt.Errorf("unknown capability: %q", unknown)
	}
	out := &shim.Powers{Bounding: mask}
	if p.UID == 0 {
		out.Effective, out.Permitted = mask, mask
	}
	return out, nil
}

// filterOf is the system call filter of a process. A privileged one has none unless a profile is given.
func filterOf(p *driver.Process, powers *shim.Powers) (callFilter, error) {
	if p.Privileged && p.Seccomp == "" {
		return callFilter{}, nil
	}
	bounding := standard.NamesOf(^uint64(0))
	if powers != nil {
		bounding = standard.NamesOf(powers.Bounding)
	}
	return seccompFilter(p.Seccomp, bounding)
}
