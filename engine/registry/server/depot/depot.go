package depot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// Errors that a caller tells apart.
var (
	ErrNotFound = errors.New("not found")
	ErrInUse    = errors.New("another server writes to this folder")
)

// DigestError reports bytes that are not what their digest says.
type DigestError struct{ Want, Got digest.Digest }

func (e *DigestError) Error() string {
	return fmt.Sprintf("the content has digest %s, expected %s", e.Got, e.Want)
}

// Options say how a depot is used.
type Options struct {
	ReadOnly bool // change nothing; any number may read at once, and while another one writes
	Volatile bool // don't wait for the disk: for what a test or a lesson keeps
}

// Depot is an open depot, safe for concurrent use. It must be closed.
type Depot struct {
	dir     string
	options Options
	owner   *lock // of the one that writes; nil in a read-only depot

	writing sync.Mutex // serialises changes of index.json within this process
	shelves atomic.Pointer[shelves]
	made    sync.Map // folders of marks that are there and durable
}

const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
)

// Open makes dir a depot if it isn't one yet, and opens it. What uploads of a server that died have left is removed. ErrInUse if another
// server writes to it.
func Open(dir string, o Options) (*Depot, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open registry storage: %w", err)
	}
	d := &Depot{dir: abs, options: o}
	if err := d.open(); err != nil {
		return nil, fmt.Errorf("open registry storage %s: %w", abs, errors.Join(err, d.Close()))
	}
	return d, nil
}

func (d *Depot) open() error {
	if !d.options.ReadOnly {
		if err := d.prepare(); err != nil {
			return err
		}
	}
	_, err := d.current()
	return err
}

// prepare takes the depot for this process and makes what is missing, index.json last: where it is, the rest is.
func (d *Depot) prepare() error {
	if err := d.makeRoot(); err != nil {
		return err
	}
	for _, sub := range []string{"blobs/sha256", "repositories", "uploads", "locks"} {
		if err := os.MkdirAll(filepath.Join(d.dir, filepath.FromSlash(sub)), 0o755); err != nil {
			return err
		}
	}
	owner, ok, err := tryLock(d.path("locks", "server"))
	if err != nil {
		return err
	}
	if !ok {
		return ErrInUse
	}
	d.owner = owner
	if err := d.clear(d.path("uploads")); err != nil {
		return err
	}
	if _, err := os.Stat(d.path(indexFile)); err == nil {
		return nil
	}
	if err := d.refuseLost(); err != nil {
		return err
	}
	if err := d.write(d.path(layoutFile), []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	return d.write(d.path(indexFile), encode(nil))
}

// makeRoot makes the folder. Its name, and those of the folders above that it makes, are durable: what was pushed would be lost with them.
func (d *Depot) makeRoot() error {
	var parents []string
	for dir := d.dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		parents = append(parents, filepath.Dir(dir))
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	for _, p := range parents {
		if err := d.syncDir(p); err != nil {
			return err
		}
	}
	return nil
}

// refuseLost keeps a depot that lost its index from being taken for an empty one, whose blobs are all garbage.
func (d *Depot) refuseLost() error {
	blobs, err := d.blobs()
	if err == nil && len(blobs) > 0 {
		err = fmt.Errorf("%s is missing though there are blobs: restore it, or remove the folder to begin anew", indexFile)
	}
	return err
}

// clear removes what is in a folder.
func (d *Depot) clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}

// Dir is the folder, absolute.
func (d *Depot) Dir() string { return d.dir }

// Close gives the depot back.
func (d *Depot) Close() error {
	if d.owner == nil {
		return nil
	}
	return d.owner.release()
}

func (d *Depot) path(parts ...string) string {
	return filepath.Join(append([]string{d.dir}, parts...)...)
}

func (d *Depot) blobPath(g digest.Digest) string { return d.path("blobs", place(g)) }

// repository is the folder of a repository's marks. Its name has an underscore first, which no part of a name has.
func (d *Depot) marks(repo string) string {
	return d.path("repositories", filepath.FromSlash(repo), "_blobs")
}

// check is where everything from outside passes before it becomes part of a path.
func check(repo string, g digest.Digest) error {
	if !oci.IsRepository(repo) {
		return fmt.Errorf("%.100q is no name of a repository", repo)
	}
	return CheckDigest(g)
}

// shared keeps the collection of garbage away while something is put in and named.
func (d *Depot) shared(ctx context.Context) (func() error, error) {
	l, err := waitLock(ctx, d.path("locks", "collect"), false)
	if err != nil {
		return nil, err
	}
	return l.release, nil
}

// write replaces a small file as home.WriteFile does, where it matters.
func (d *Depot) write(path string, data []byte) error {
	if d.options.Volatile {
		return home.WriteVolatile(path, data, 0o644)
	}
	return home.WriteFile(path, data, 0o644)
}

func (d *Depot) syncDir(dir string) error {
	if d.options.Volatile {
		return nil
	}
	return home.SyncDir(dir)
}

func wrap(doing string, g digest.Digest, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	return fmt.Errorf("%s %s: %w", doing, g, err)
}
