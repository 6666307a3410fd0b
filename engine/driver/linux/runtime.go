package linux

import (
	"context"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
)

// Runtime runs containers with the kernel's namespaces. It implements driver.Runtime.
type Runtime struct {
	home      *home.Home
	mode      Mode
	snapshots rootMounter
}

// rootMounter is the part of Snapshots that a start needs: what to mount as the root of key.
type rootMounter interface {
	RootMount(key string) (lowers []string, upper, work string, diffIDs []string, err error)
}

// NewRuntime returns the runtime of the containers in h.
func NewRuntime(h *home.Home, mode Mode, snapshots rootMounter) *Runtime {
	return &Runtime{h, mode, snapshots}
}

// Create implements driver.Runtime.
func (r *Runtime) Create(ctx context.Context, spec driver.Spec) (driver.Task, error) { return nil, nil }

// Load implements driver.Runtime.
func (r *Runtime) Load(ctx context.Context, id string) (driver.Task, error) { return nil, nil }

// Finding is one thing that Doctor looked at.
type Finding struct {
	Name           string
	OK             bool
	Detail, Remedy string
}

// Doctor tells what this machine can do for containers.
func Doctor(h *home.Home) []Finding { return nil }

// Reexec puts an ordinary user's command into a user namespace; see rootless.go.
func Reexec() error { return nil }
