//go:build linux

package linux

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// mounts looks up what the supervisor needs to make the container's mounts.
func (t *task) mounts() ([]shim.Mount, error) {
	var all []shim.Mount
	for _, m := range t.spec.Mounts {
		s, err := t.mount(&m)
		if err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.Target, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (t *task) mount(m *driver.Mount) (shim.Mount, error) {
	s := shim.Mount{Type: m.Type, Source: m.Source, Subpath: m.Subpath, Target: m.Target, ReadOnly: m.ReadOnly, Options: m.Options,
		Data: m.Data, Mode: m.Mode, UID: m.UID, GID: m.GID, Strict: m.Strict, Volume: m.Volume, Propagation: m.Propagation, Flat: m.Flat, FlatRO: m.FlatRO}
	var err error
	switch m.Type {
	case "tree":
		s.Name = treeName(m)
		s.Tree, err = t.tree(m)
		s.ReadOnly = m.ReadOnly || m.Key == ""
	case "folder":
		s.Name = m.Source
		s.Source, err = t.runtime.snapshots.FolderPath(m.Source)
	case "socket":
		s.Ours = inside(t.runtime.home.Root(), m.Source)
	}
	return s, err
}

// treeName says in an event and in errors which tree it is.
func treeName(m *driver.Mount) string {
	switch {
	case m.Key != "":
		return m.Key
	case m.Chain != "":
		return m.Chain.String()
	}
	return "the empty tree"
}

// tree says how a tree is mounted.
func (t *task) tree(m *driver.Mount) (*shim.Root, error) {
	r := &shim.Root{UserXattr: t.runtime.mode.UserXattr}
	var err error
	if m.Key != "" {
		r.Volatile = t.spec.Ephemeral
		r.Lowers, r.Upper, r.Work, _, err = t.runtime.snapshots.RootMount(m.Key)
	} else {
		r.Lowers, err = t.runtime.snapshots.ChainMount(m.Chain)
	}
	return r, err
}

// inside reports whether a path lies in dir, links or not: only the engine makes any there.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel) && !strings.HasPrefix(rel, "..")
}
