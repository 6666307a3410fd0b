package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/home"
)

// Runtime runs containers on the simulated machine. It implements driver.Runtime, driver.Leaker and driver.Clock.
type Runtime struct {
	home    *home.Home
	machine *machine
	trees   *tree.Snapshots
	options Options

	mu     sync.Mutex
	hosts  map[string]*host // by their folder: the containers that live in this process
	closed bool
	living sync.WaitGroup // their goroutines
}

func newRuntime(m *machine, trees *tree.Snapshots, o Options) *Runtime {
	return &Runtime{home: m.home, machine: m, trees: trees, options: o, hosts: map[string]*host{}}
}

// Now implements driver.Clock.
func (r *Runtime) Now() time.Time { return r.machine.now() }

// Sleep implements driver.Clock.
func (r *Runtime) Sleep(ctx context.Context, d time.Duration) error { return r.machine.sleep(ctx, d) }

// Create implements driver.Runtime. What an ended task left in spec.Dir is swept away; a living one is ErrExists.
func (r *Runtime) Create(ctx context.Context, spec driver.Spec) (driver.Task, error) {
	if spec.ID == "" || !filepath.IsAbs(spec.Dir) {
		return nil, fmt.Errorf("create task %q: it needs an id and an absolute folder, not %q", spec.ID, spec.Dir)
	}
	if len(spec.Process.Args) == 0 {
		return nil, fmt.Errorf("create task %s: no command", spec.ID)
	}
	if err := errors.Join(checkMounts(&spec), checkSecurity(&spec)); err != nil {
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

// checkMounts also refuses what this machine does not have.
func checkMounts(spec *driver.Spec) error {
	for _, m := range spec.Mounts {
		if m.Type == "socket" {
			return fmt.Errorf("mount %s: unix sockets are %w: the programs of the simulated machine have none; use the linux driver", m.Target, driver.ErrUnsupported)
		}
	}
	return driver.CheckMounts(spec)
}

// Load implements driver.Runtime for containers that live in the home's containers folder.
func (r *Runtime) Load(ctx context.Context, id string) (driver.Task, error) {
	if id == "" || filepath.Base(id) != id {
		return nil, fmt.Errorf("load task %q: %w", id, driver.ErrNotFound)
	}
	dir := filepath.Join(r.home.Containers(), id)
	for _, name := range []string{taskFile, exitFile} {
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

// Leaks implements driver.Leaker: sockets of dead supervisors outside of the home, and supervisors of containers without a record. An
// empty list is as it should be.
func (r *Runtime) Leaks(ctx context.Context) []string {
	entries, err := os.ReadDir(r.home.Containers())
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		dir := filepath.Join(r.home.Containers(), e.Name())
		rec, ok := readRecord(dir)
		if !ok || ctx.Err() != nil {
			continue
		}
		alive := lives(dir)
		if far := rec.farFolder(r.home.Root()); far != "" && !alive {
			if _, err := os.Lstat(far); err == nil {
				found = append(found, "socket of a dead supervisor: "+far)
			}
		}
		if _, err := os.Lstat(filepath.Join(dir, "config.json")); err != nil && alive {
			found = append(found, fmt.Sprintf("supervisor %d serves a container without a record: %s", rec.Supervisor, e.Name()))
		}
	}
	return found
}

// settle has a container write down how its writable layer is now, where it runs.
func (r *Runtime) settle(ctx context.Context, id string) {
	if t, err := r.Load(ctx, id); err == nil {
		t.(*task).settle(ctx)
	}
}

// keep enters a container that lives in this process.
func (r *Runtime) keep(h *host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errors.New("the machine is closed")
	}
	r.hosts[h.spec.Dir] = h
	r.living.Add(1)
	return nil
}

// drop forgets one that has ended; Close waits no longer for it.
func (r *Runtime) drop(h *host) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts[h.spec.Dir] == h {
		delete(r.hosts, h.spec.Dir)
	}
}

func (r *Runtime) local(dir string) *host {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hosts[dir]
}

func (r *Runtime) close() error {
	r.mu.Lock()
	r.closed = true
	for _, h := range r.hosts {
		h.kill()
	}
	r.mu.Unlock()
	r.living.Wait()
	return nil
}
