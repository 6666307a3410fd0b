// Package container keeps containers: their records on disk, what state each is in, and every operation that docker has on
// one. It knows no driver: what runs is a driver.Task, what is written is a driver.Snapshots key.
//
// It is not a daemon and keeps nothing in memory between calls but the streams of what it started. Any number of processes use
// the same records at once.
//
// Invariants:
//   - A folder containers/<id> is there if and only if the container is whole: it appears and vanishes by one rename.
//   - The runtime's task is the truth about what runs. A record that says otherwise is brought up to date when somebody
//     looks, under the container's lock, so that each change of state is announced exactly once over all processes.
//   - containers/@<name> is a link to the id. It is an index, not the truth: a link whose container is gone or has another
//     name means nothing, so that no crash can keep a name taken.
package container

import (
	"crypto/rand"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/volume"
)

// Manager is the containers of one home. It needs no closing; it is safe for concurrent use.
type Manager struct {
	// CleanupCommand gives the command (argv) that removes the container id after it ended, for containers that remove
	// themselves and have no client any more. Nil: nobody cleans up.
	CleanupCommand func(id string) []string
	// AgainCommand gives the command (argv) by which a supervisor has a container started again whose restart policy may want that. Nil:
	// nobody starts anything again.
	AgainCommand func(id string) []string
	// Driver names the storage below, for inspect. A container belongs to the driver that it was made with: under another one it can
	// be listed and looked at, and nothing else.
	Driver string
	// Events is told what happens to containers; nil for nobody.
	Events *events.Log
	// Networks are what containers are connected to, if the runtime is a driver.Networker; nil: none are kept.
	Networks *ledger.Store
	// Volumes are what containers mount by name.
	Volumes *volume.Store
	// Random gives the bytes that ids and made-up names are made of: crypto/rand, unless they are to repeat.
	Random io.Reader

	home      *home.Home
	images    *image.Store
	snapshots driver.Snapshots
	trees     driver.Trees
	runtime   driver.Runtime

	mu        sync.Mutex
	connected map[string]driver.Task     // started here with streams, which only this task can drain; until Wait
	open      map[string]*home.Operation // of containers made to be run and removed, until they run
}

// New returns the containers in h over a driver.
func New(h *home.Home, images *image.Store, snapshots driver.Snapshots, trees driver.Trees, runtime driver.Runtime) *Manager {
	return &Manager{Driver: "overlay2", Random: rand.Reader, home: h, images: images, snapshots: snapshots, trees: trees, runtime: runtime,
		connected: map[string]driver.Task{}, open: map[string]*home.Operation{}}
}

// Now is the time on the machine that the containers live on.
func (m *Manager) Now() time.Time { return m.now() }

// now is the time on the machine that the containers live on.
func (m *Manager) now() time.Time { return driver.Now(m.runtime) }

func (m *Manager) dir(id string) string { return filepath.Join(m.home.Containers(), id) }

// connect remembers the task through which this process is connected to a container's streams; nil forgets it.
func (m *Manager) connect(id string, task driver.Task) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if task == nil {
		delete(m.connected, id)
		return
	}
	m.connected[id] = task
}

func (m *Manager) connection(id string) driver.Task {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connected[id]
}

func (m *Manager) keepOpen(id string, op *home.Operation) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open[id] = op
}

// launched ends the operation that made the container, if it is still open: it runs now, or it is gone.
func (m *Manager) launched(id string) error {
	m.mu.Lock()
	op := m.open[id]
	delete(m.open, id)
	m.mu.Unlock()
	if op == nil {
		return nil
	}
	return op.End()
}
