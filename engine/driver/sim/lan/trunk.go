package lan

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// folderLock is held by whoever changes leases.
const folderLock = "trunk.lock"

// maxSocketPath is how long the path of a socket may be on every system, in bytes.
const maxSocketPath = 100

// tempPrefix begins the name of the folder of a socket whose place in the trunk's folder has too long a path.
const tempPrefix = "learn-lan-"

// trunk joins a switch with those of other processes. In the shared folder each has a lease: a file with its addresses,
// NAME.json, which counts as long as its owner holds NAME.lock. Whatever way a process ends, its lease is then free.
type trunk struct {
	sw     *Switch
	dir    string
	name   string       // of the lease
	lock   *flock.Flock // held until close
	socket string
	server net.Listener
	ctx    context.Context // of what is served
	cancel context.CancelFunc
	wg     sync.WaitGroup
	slots  chan struct{} // callers whose wish is not known yet
}

// Trunk joins the switch with those of all processes that share the folder dir, which is made if need be: hosts reach each
// other's addresses. Those that are plugged already are claimed; EADDRINUSE if another process has one. A switch has one trunk, until Close.
func (s *Switch) Trunk(dir string) error {
	t, err := s.join(dir)
	if err != nil {
		return fmt.Errorf("join trunk %s: %w", dir, err)
	}
	s.mu.Lock()
	taken := s.closed || s.trunk != nil
	if !taken {
		s.trunk = t
	}
	s.mu.Unlock()
	if taken {
		err = errors.Join(errors.New("the switch is closed or has a trunk"), t.close())
	} else if err = t.exclusive(t.publish); err != nil {
		s.mu.Lock()
		s.trunk = nil
		s.mu.Unlock()
		err = errors.Join(err, t.close())
	}
	if err != nil {
		return fmt.Errorf("join trunk %s: %w", dir, err)
	}
	return nil
}

// join takes a name, its lock and a socket in the folder.
func (s *Switch) join(dir string) (*trunk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	name, err := randomName()
	if err != nil {
		return nil, err
	}
	t := &trunk{sw: s, dir: dir, name: name, slots: make(chan struct{}, maxCallers)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.lock = flock.New(t.path(".lock"), flock.SetPermissions(0o600))
	if err := t.exclusive(t.hold); err != nil {
		t.cancel()
		return nil, err
	}
	if err := t.listen(); err != nil {
		return nil, errors.Join(err, t.remove())
	}
	t.wg.Go(t.serve)
	return t, nil
}

// hold takes the lease's lock. The caller holds the folder, so that nobody tidies the file away before it is locked.
func (t *trunk) hold() error {
	ok, err := t.lock.TryLock()
	if err == nil && !ok {
		err = errors.New("somebody holds it")
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", t.lock.Path(), err)
	}
	return nil
}

func randomName() (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

func (t *trunk) path(suffix string) string { return filepath.Join(t.dir, t.name+suffix) }

// listen opens the socket by which other processes reach this switch.
func (t *trunk) listen() error {
	t.socket = t.path(".sock")
	if len(t.socket) > maxSocketPath {
		dir, err := os.MkdirTemp("", tempPrefix)
		if err != nil {
			return err
		}
		t.socket = filepath.Join(dir, "s")
	}
	var err error
	t.server, err = net.Listen("unix", t.socket)
	return err
}

// close leaves the trunk and waits for what serves it.
func (t *trunk) close() error {
	t.cancel()
	err := t.server.Close()
	t.wg.Wait()
	return errors.Join(err, t.remove())
}

// remove takes the lease out of the folder. The lock goes last: until then nobody else tidies up here.
func (t *trunk) remove() error {
	t.cancel()
	err := removeAll(t.path(".json"))
	removeSocket(t.socket)
	return errors.Join(err, t.lock.Unlock(), removeAll(t.path(".lock")))
}

// removeSocket removes a socket, and its folder when it has one of its own.
func removeSocket(socket string) {
	_ = os.Remove(socket)
	if dir := filepath.Dir(socket); isTemp(dir) {
		_ = os.Remove(dir)
	}
}

func isTemp(dir string) bool {
	return filepath.Dir(dir) == filepath.Clean(os.TempDir()) && len(filepath.Base(dir)) > len(tempPrefix) &&
		filepath.Base(dir)[:len(tempPrefix)] == tempPrefix
}

func removeAll(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// exclusive runs f while no other process changes leases.
func (t *trunk) exclusive(f func() error) error {
	all := flock.New(filepath.Join(t.dir, folderLock), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(t.ctx, 10*time.Second)
	defer cancel()
	if _, err := all.TryLockContext(ctx, 2*time.Millisecond); err != nil {
		return fmt.Errorf("lock %s: %w", all.Path(), err)
	}
	return errors.Join(f(), all.Unlock())
}
