package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/health"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	plan "github.com/learn-containers/learn/engine/network"
)

var errUnsupported = driver.ErrUnsupported

// Container is one container's record and its state when it was looked at. Config and HostConfig must not be changed.
type Container struct {
	ID         string
	Name       string // without docker's leading slash
	Created    time.Time
	Image      digest.Digest // the image's id
	ImageName  string        // the image's name as it was given
	Path       string        // the program
	Args       []string
	Config     *container.Config                    // of the command line and the image together
	HostConfig *container.HostConfig                // as it was given
	Layers     []image.Layer                        // the read-only layers below the writable one, lowest first
	Mounts     []MountPoint                         `json:",omitempty"` // besides those of --tmpfs, in the order in which they are mounted
	Networks   map[string]*network.EndpointSettings // by name: what was asked of each; nil: as NetworkMode says, without interfaces
	LogPath    string
	Driver     string

	State State `json:"-"`
	// Net is what a container that runs is connected to, with the ports of the host that it got; nil: nothing.
	Net *plan.Plan `json:"-"`
	// Warnings say, after Create, what of the options was left out because the machine can't do it.
	Warnings []string `json:"-"`

	probes *health.Record // what its supervisor found out about its health; nil: it is not checked
	// Problem says why the record cannot be used; nil for a good one. A broken container can only be removed.
	Problem error `json:"-"`
}

// State is a container's state in docker's field names, as state.json holds it.
type State struct {
	container.State
	OOM      *driver.OOM `json:",omitempty"` // what was counted when memory ran out, with OOMKilled
	Starting bool        `json:",omitempty"` // a start is under way; its process may have died in the middle
	Removing bool        `json:",omitempty"` // a removal is under way; its process may have died in the middle

	RestartCount           int           `json:",omitempty"` // how often the policy started it again since somebody last did
	Rested                 time.Duration `json:",omitempty"` // how long it rested before its present run, or rests now
	HasBeenManuallyStopped bool          `json:",omitempty"` // somebody sent it a signal or stopped it since it was last started
	StaysDown              bool          `json:",omitempty"` // its present run is the last one, whatever the policy says
	HealthTold             int           `json:",omitempty"` // how many probes of its health have been told to the event log
}

// Live reports that there is a first process. While a container is restarting there is none, although docker says that it is running.
func (s State) Live() bool { return (s.Running || s.Paused) && !s.Restarting }

// Active is docker's word for a container that must be stopped before it can be removed: it is live, or will be again.
func (s State) Active() bool { return s.Running || s.Paused || s.Restarting }

// Chain is the identity of the read-only layers together; empty for none.
func (c *Container) Chain() digest.Digest {
	if len(c.Layers) == 0 {
		return ""
	}
	return c.Layers[len(c.Layers)-1].ChainID
}

const zeroTime = "0001-01-01T00:00:00Z"

// Exit codes that nobody's process gave.
const (
	codeLost      = 255 // the supervisor died and took the exit code with it
	codeNoStart   = 128 // the runtime refused
	lostMessage   = "the process that watched over the container died, its exit code is not known"
	brokenMessage = "the container's state was lost when the machine stopped"
)

func createdState() State {
	return State{State: container.State{Status: container.StateCreated, StartedAt: zeroTime, FinishedAt: zeroTime}}
}

func brokenState() State {
	s := createdState()
	s.Status, s.ExitCode, s.Error = container.StateExited, codeLost, brokenMessage
	return s
}

func (m *Manager) ephemeral(c *Container) bool { return c.HostConfig != nil && c.HostConfig.AutoRemove }

// read reads the record of id as it stands, without asking the runtime. A record that cannot be read gives a Container with
// a Problem; NotFoundError means that there is no such container.
func (m *Manager) read(id string) (*Container, error) {
	path := filepath.Join(m.dir(id), "config.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := os.Stat(m.dir(id)); gone != nil {
			return nil, &NotFoundError{id}
		}
	}
	c := &Container{}
	if err == nil {
		err = json.Unmarshal(data, c)
	}
	if err == nil && (c.ID != id || c.Config == nil || c.HostConfig == nil) {
		err = errors.New("it is not the record of this container")
	}
	if err != nil {
		return m.broken(id, path, err), nil
	}
	c.State = m.readState(id)
	m.readHealth(c)
	return c, nil
}

func (m *Manager) broken(id, path string, err error) *Container {
	s := brokenState()
	s.Status, s.Dead = container.StateDead, true
	s.Error = fmt.Sprintf("read %s: %v; remove the container with: docker rm %.12s", path, err, id)
	return &Container{ID: id, Config: &container.Config{}, HostConfig: &container.HostConfig{}, State: s, Problem: errors.New(s.Error)}
}

func (m *Manager) stateFile(id string) string { return filepath.Join(m.dir(id), "state.json") }

func (m *Manager) readState(id string) State {
	data, err := os.ReadFile(m.stateFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return createdState()
	}
	var s State
	if err != nil || json.Unmarshal(data, &s) != nil || s.Status == "" {
		return brokenState()
	}
	return s
}

// writeState replaces the state. The container's lock must be held. Only an end has to outlive a power cut: what runs does
// not run afterwards, whatever the file says.
func (m *Manager) writeState(c *Container, s State) error {
	s.Health = nil // which is in a file of its supervisor's
	defer m.readHealth(c)
	if s.Status == container.StateExited && !s.Starting && !m.ephemeral(c) {
		if err := home.WriteJSON(m.stateFile(c.ID), s, 0o600); err != nil {
			return err
		}
		c.State = s
		return nil
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state of %s: %w", c.ID, err)
	}
	if err := home.WriteVolatile(m.stateFile(c.ID), append(data, '\n'), 0o600); err != nil {
		return err
	}
	c.State = s
	return nil
}

// lock takes the exclusive lock on the record of id. It lies in the container's folder, so that it goes when that goes.
func (m *Manager) lock(ctx context.Context, id string) (func(), error) {
	unlock, err := m.home.LockFolder(ctx, m.dir(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotFoundError{id}
	}
	if err != nil {
		return nil, fmt.Errorf("lock container: %w", err)
	}
	return unlock, nil
}

// busy reports that another process is changing the record of id right now.
func (m *Manager) busy(id string) bool { return m.home.FolderLocked(m.dir(id)) }

// locked runs change on the record of id as it stands now, under its lock.
func (m *Manager) locked(ctx context.Context, id string, change func(c *Container) error) error {
	unlock, err := m.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	c, err := m.read(id)
	if err != nil {
		return err
	}
	return change(c)
}
