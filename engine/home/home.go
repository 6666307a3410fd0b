// Package home is the folder that an engine lives in ($LEARN_HOME): where things are, how small files are written so that
// a crash can't tear them, how processes keep out of each other's way, and how a killed one is cleaned up after.
//
// It is not a database and knows nothing of images or containers. Any number of processes use one home at once.
//
// Invariants: a file written by WriteFile is whole, before or after a crash. Every change of several steps belongs to
// an Operation; what a dead operation claimed is given to the next process that opens the home (Orphans).
package home

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
)

// Home is an engine's folder. It holds no open files; it needs no closing.
type Home struct {
	root   string
	marked atomic.Bool // boot-id is known to name the present run of the machine
	beside bool        // locks lie beside what they lock, not in it
	solo   solo        // locks of a system that has none
	owner  string      // whose operations this process begins and takes over
}

// Open makes the folders that are missing, readable by the user alone, and returns the home.
func Open(root string) (*Home, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open home %s: %w", root, err)
	}
	h := &Home{root: abs, beside: locksBeside()}
	for _, dir := range []string{abs, h.Images(), h.Snapshots(), h.Containers(), h.Cache(), h.tmp(), h.locks()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open home: %w", err)
		}
	}
	return h, nil
}

// Serve says on whose behalf operations are begun from now on, in practice the driver's name: the claims of a dead operation can be
// undone only by a process that serves the same one.
func (h *Home) Serve(owner string) { h.owner = owner }

// Root is the home's absolute path.
func (h *Home) Root() string { return h.root }

// Images is the OCI image layout.
func (h *Home) Images() string { return filepath.Join(h.root, "images") }

// Snapshots holds unpacked layers and the writable layers of containers; the driver owns what is inside.
func (h *Home) Snapshots() string { return filepath.Join(h.root, "snapshots") }

// Containers holds one folder per container, named by its id.
func (h *Home) Containers() string { return filepath.Join(h.root, "containers") }

// Cache holds the build cache's records.
func (h *Home) Cache() string { return filepath.Join(h.root, "cache") }

// Skeletons holds what is left of layer archives that were dropped. It is there once there was one.
func (h *Home) Skeletons() string { return filepath.Join(h.root, "skeletons") }

// Downloads holds what came so far of blobs that are being fetched. It is there once there was one.
func (h *Home) Downloads() string { return filepath.Join(h.root, "downloads") }

// Volumes holds the records of named volumes. It is there once there was one.
func (h *Home) Volumes() string { return filepath.Join(h.root, "volumes") }

// Networks holds the records of networks. It is there once there was one.
func (h *Home) Networks() string { return filepath.Join(h.root, "networks") }

func (h *Home) tmp() string   { return filepath.Join(h.root, "tmp") }
func (h *Home) locks() string { return filepath.Join(h.root, "locks") }

// WriteFile replaces path by data: temporary file, fsync, rename, fsync of the folder.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil && perm != 0o600 { // which is what CreateTemp gives
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return SyncDir(filepath.Dir(path))
}

// WriteJSON replaces path by v, indented, as WriteFile does.
func WriteJSON(path string, v any, perm fs.FileMode) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return WriteFile(path, append(data, '\n'), perm)
}

// WriteVolatile replaces path atomically but without fsync: for facts that mean nothing after a restart of the
// machine, such as process ids. A reader must treat an empty or broken file as absent.
func WriteVolatile(path string, data []byte, perm fs.FileMode) error {
	tmp := fmt.Sprintf("%s.%d-%x.tmp", path, os.Getpid(), rand.Uint64()) // two may write the same path at once, also in one process
	if err := os.WriteFile(tmp, data, perm); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := rename(tmp, path); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(tmp))
	}
	return nil
}

// SyncDir makes the names in dir durable. On Windows a folder can't be synced, and its file systems keep a journal of names.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
