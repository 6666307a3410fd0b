//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
)

// Runtime runs containers with the kernel's namespaces. It implements driver.Runtime. Each running container has a
// supervisor process (package shim); the runtime only speaks to it.
type Runtime struct {
	home      *home.Home
	mode      Mode
	snapshots rootMounter
}

// rootMounter is the part of Snapshots that a start needs: what to mount as the root of key, as the tree of a chain, and as a folder.
type rootMounter interface {
	RootMount(key string) (lowers []string, upper, work string, diffIDs []digest.Digest, err error)
	ChainMount(chain digest.Digest) (lowers []string, err error)
	FolderPath(name string) (string, error)
}

// NewRuntime returns the runtime of the containers in h.
func NewRuntime(h *home.Home, mode Mode, snapshots rootMounter) *Runtime {
	return &Runtime{h, mode, snapshots}
}

// Create implements driver.Runtime. What an ended task left in spec.Dir is swept away; a living one is ErrExists.
func (r *Runtime) Create(ctx context.Context, spec driver.Spec) (driver.Task, error) {
	if spec.ID == "" || !filepath.IsAbs(spec.Dir) {
		return nil, fmt.Errorf("create task %q: it needs an id and an absolute folder, not %q", spec.ID, spec.Dir)
	}
	if len(spec.Process.Args) == 0 {
		return nil, fmt.Errorf("create task %s: no command", spec.ID)
	}
	if err := driver.CheckMounts(&spec); err != nil {
		return nil, fmt.Errorf("create task %s: %w", spec.ID, err)
	}
	t := &task{runtime: r, id: spec.ID, dir: spec.Dir, spec: &spec}
	st, err := t.Status(ctx)
	if err != nil {
		return nil, err
	}
	switch st.State {
	case driver.Running, driver.Paused:
		return nil, fmt.Errorf("create task %s: %w", spec.ID, driver.ErrExists)
	case driver.Stopped, driver.Lost:
		if err := t.Delete(ctx); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// HasAppArmor implements driver.Confiner.
func (r *Runtime) HasAppArmor() bool { return shim.AppArmorActive() }

// Load implements driver.Runtime for containers that live in the home's containers folder.
func (r *Runtime) Load(ctx context.Context, id string) (driver.Task, error) {
	if id == "" || filepath.Base(id) != id {
		return nil, fmt.Errorf("load task %q: %w", id, driver.ErrNotFound)
	}
	dir := filepath.Join(r.home.Containers(), id)
	for _, name := range []string{shim.TaskFile, shim.ExitFile} {
		_, err := os.Lstat(filepath.Join(dir, name))
		if err == nil {
			return &task{runtime: r, id: id, dir: dir}, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("load task %s: %w", id, err)
		}
	}
	return nil, fmt.Errorf("load task %s: %w", id, driver.ErrNotFound)
}
