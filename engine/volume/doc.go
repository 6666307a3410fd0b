// Package volume keeps the named volumes of a home: a record each, and the driver's folder or host folder that it stands for. Docker has the
// same by its driver called local, which is the only one here.
//
// It mounts nothing and knows no containers: who uses which volume it is told by Store.Uses. A container that is being made holds Store.Hold,
// so that no volume goes away before the container's record names it.
//
// Invariants:
//   - volumes/NAME.json is there if and only if the volume is whole: its folder is made before and removed after. A folder that no record
//     names is garbage, which Sweep removes.
//   - One broken record never stops the others: it is listed with a Problem and can be removed.
//   - A volume belongs to the storage that it was made with. Under another driver it is listed, and nothing else.
package volume

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/home"
)

// Store is the volumes of one home. It needs no closing; it is safe for concurrent use, also by several processes.
type Store struct {
	// Storage names the driver's storage: a volume can be used only where it was made.
	Storage string
	// Uses tells by volume which containers have it, running or not. It asks no runtime.
	Uses func(context.Context) (map[string][]string, error)
	// Events is told what happens to volumes; nil for nobody.
	Events *events.Log
	// Now is the time that new volumes get.
	Now func() time.Time
	// Random gives the bytes that names of anonymous volumes are made of.
	Random io.Reader

	home    *home.Home
	folders driver.Folders
}

// New returns the volumes in h over the folders of a driver.
func New(h *home.Home, folders driver.Folders, storage string) *Store {
	nobody := func(context.Context) (map[string][]string, error) { return nil, nil }
	return &Store{Storage: storage, Uses: nobody, Now: time.Now, Random: rand.Reader, home: h, folders: folders}
}

const (
	// Local is the only driver that volumes have.
	Local = "local"
	// AnonymousLabel marks volumes that were made for a container without a name.
	AnonymousLabel = "com.docker.volume.anonymous"
)

// The locks. What exists changes under namesLock, which is held shortly; what goes away under usesLock alone.
const (
	namesLock = "volume-names"
	usesLock  = "volumes"
)

// Hold keeps every volume from being removed until release is called.
func (s *Store) Hold(ctx context.Context) (release func(), err error) {
	return s.home.Lock(ctx, usesLock, false)
}
