//go:build linux

package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// Names in a container's state folder.
const (
	stateFile = "state.json"
	startSock = "start.sock" // the stage waits at it; gone once the program runs
	lockFile  = "lock"
)

// Sentinels for callers that branch.
var (
	ErrNotFound = errors.New("container does not exist")
	ErrExists   = errors.New("container with this id exists already")
)

// The status of a paused container, besides those of the specification.
const statePaused specs.ContainerState = "paused"

// Runtime keeps its containers' state in one folder below Root per container.
type Runtime struct {
	Root string
	Warn func(error) // told what the specification lets go on with a warning; never nil
}

// Container is a container of a runtime as its state folder has it.
type Container struct {
	dir  string
	rec  record
	warn func(error)
}

// record is state.json.
type record struct {
	Version     string            `json:"ociVersion"`
	ID          string            `json:"id"`
	Pid         int               `json:"pid"`
	Ready       bool              `json:"ready"`     // create is done with it
	StartTime   uint64            `json:"startTime"` // of pid, in clock ticks since boot
	BootID      string            `json:"bootId"`
	Bundle      string            `json:"bundle"`
	Rootfs      string            `json:"rootfs"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Created     time.Time         `json:"created"`
	Owner       int               `json:"owner"`
	Groups      []group           `json:"cgroups,omitempty"`
}

// checkID keeps ids to what is safe as a file name.
func checkID(id string) error {
	if id == "" || id == "." || id == ".." || len(id) > 255 {
		return fmt.Errorf("container id %q: it must have 1 to 255 characters", id)
	}
	for _, c := range []byte(id) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '+' || c == '-' || c == '.' {
			continue
		}
		return fmt.Errorf("container id %q: only letters, digits, '_', '+', '-' and '.' are allowed", id)
	}
	return nil
}

// Load finds a container; ErrNotFound if there is none.
func (r *Runtime) Load(id string) (*Container, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	c := &Container{dir: filepath.Join(r.Root, id), warn: r.Warn}
	data, err := os.ReadFile(filepath.Join(c.dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("load container %s: %w", id, ErrNotFound)
	}
	if err == nil {
		err = json.Unmarshal(data, &c.rec)
	}
	if err != nil {
		return nil, fmt.Errorf("load container %s: %w", id, err)
	}
	return c, nil
}

// List finds all containers, sorted by id.
func (r *Runtime) List() ([]*Container, error) {
	entries, err := os.ReadDir(r.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var all []*Container
	for _, e := range entries {
		c, err := r.Load(e.Name())
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			r.Warn(err)
		default:
			all = append(all, c)
		}
	}
	return all, nil
}

func (c *Container) save() error {
	data, err := json.Marshal(c.rec)
	if err != nil {
		return err
	}
	tmp := filepath.Join(c.dir, stateFile+".tmp")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("keep state: %w", err)
	}
	return os.Rename(tmp, filepath.Join(c.dir, stateFile))
}

// lock keeps other commands from changing the container meanwhile.
func (c *Container) lock() (unlock func(), err error) {
	fd, err := unix.Open(filepath.Join(c.dir, lockFile), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("container %s: %w", c.rec.ID, ErrNotFound)
	}
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		return nil, fmt.Errorf("lock container %s: %w", c.rec.ID, err)
	}
	return func() { unix.Close(fd) }, nil
}

// Status is what the container is doing now.
func (c *Container) Status() specs.ContainerState {
	if c.rec.Pid == 0 {
		return specs.StateCreating
	}
	if c.rec.BootID != shim.BootID() || !shim.Alive(c.rec.Pid, c.rec.StartTime) {
		return specs.StateStopped
	}
	if !c.rec.Ready {
		return specs.StateCreating
	}
	if groups(c.rec.Groups).frozen() {
		return statePaused
	}
	if _, err := os.Lstat(filepath.Join(c.dir, startSock)); err == nil {
		return specs.StateCreated
	}
	return specs.StateRunning
}

// State is the state in the specification's form, with a few words more that runc's has.
type State struct {
	specs.State
	Rootfs  string    `json:"rootfs"`
	Created time.Time `json:"created"`
	Owner   int       `json:"-"`
}

// State describes the container.
func (c *Container) State() State {
	s := State{State: c.state(c.Status()), Rootfs: c.rec.Rootfs, Created: c.rec.Created, Owner: c.rec.Owner}
	return s
}

// state is what hooks get on standard input.
func (c *Container) state(status specs.ContainerState) specs.State {
	s := specs.State{Version: c.rec.Version, ID: c.rec.ID, Status: status, Pid: c.rec.Pid, Bundle: c.rec.Bundle, Annotations: c.rec.Annotations}
	if status == specs.StateStopped {
		s.Pid = 0
	}
	return s
}

// config is the container's config.json as it was when it was created.
func (c *Container) config() (*specs.Spec, error) { return loadConfig(c.dir) }
