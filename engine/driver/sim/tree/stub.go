package tree

import (
	"context"
	"io"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
)

// Layers implements driver.Layers.
type Layers struct{}

// NewLayers returns the layers kept in h.
func NewLayers(h *home.Home, now func() time.Time) *Layers { return &Layers{} }

func (l *Layers) Apply(ctx context.Context, chain, parent, diffID digest.Digest, tar io.Reader) error {
	return driver.ErrUnsupported
}
func (l *Layers) Has(chain digest.Digest) bool                        { return false }
func (l *Layers) List(ctx context.Context) ([]digest.Digest, error)   { return nil, nil }
func (l *Layers) Drop(ctx context.Context, chain digest.Digest) error { return nil }
func (l *Layers) Parent(chain digest.Digest) (digest.Digest, error)   { return "", driver.ErrNotFound }

// Snapshots implements driver.Snapshots and driver.Trees.
type Snapshots struct{}

// NewSnapshots returns the writable layers kept in h.
func NewSnapshots(h *home.Home, l *Layers, now func() time.Time) *Snapshots { return &Snapshots{} }

func (s *Snapshots) Prepare(ctx context.Context, key string, chain digest.Digest) error {
	return driver.ErrUnsupported
}
func (s *Snapshots) PrepareVolatile(ctx context.Context, key string, chain digest.Digest) error {
	return driver.ErrUnsupported
}
func (s *Snapshots) Diff(ctx context.Context, key string, w io.Writer) (driver.DiffStats, error) {
	return driver.DiffStats{}, driver.ErrUnsupported
}
func (s *Snapshots) Changes(ctx context.Context, key string) ([]driver.Change, error) {
	return nil, driver.ErrUnsupported
}
func (s *Snapshots) Commit(ctx context.Context, key string, chain, diffID digest.Digest) error {
	return driver.ErrUnsupported
}
func (s *Snapshots) Remove(ctx context.Context, key string) error { return driver.ErrUnsupported }
func (s *Snapshots) List(ctx context.Context) ([]string, error)   { return nil, nil }
func (s *Snapshots) OpenChain(ctx context.Context, chain digest.Digest) (driver.Tree, error) {
	return nil, driver.ErrUnsupported
}
func (s *Snapshots) OpenKey(ctx context.Context, key string) (driver.Tree, error) {
	return nil, driver.ErrUnsupported
}

// Report receives copy-on-write events.
type Report func(kind string, attrs ...trace.Attr)

// Open opens the live root of a running container.
func (s *Snapshots) Open(ctx context.Context, key string, report Report) (*Union, error) {
	return nil, driver.ErrUnsupported
}

// Union is the live root of a running container.
type Union struct{}

func (u *Union) Sync() error                                         { return nil }
func (u *Union) Close() error                                        { return nil }
func (u *Union) SetReport(r Report)                                  {}
func (u *Union) Lowers() int                                         { return 0 }
func (u *Union) Where() (lowers []string, upper string)              { return nil, "" }
func (u *Union) Lstat(name string) (fsys.Attr, error)                { return fsys.Attr{}, syscall.ENOENT }
func (u *Union) ReadDir(name string) ([]fsys.Dirent, error)          { return nil, syscall.ENOENT }
func (u *Union) Readlink(name string) (string, error)                { return "", syscall.ENOENT }
func (u *Union) Open(name string, how fsys.How) (fsys.Handle, error) { return nil, syscall.ENOENT }
func (u *Union) Make(name string, n fsys.New) error                  { return syscall.EROFS }
func (u *Union) Link(existing, name string) error                    { return syscall.EROFS }
func (u *Union) Remove(name string) error                            { return syscall.EROFS }
func (u *Union) RemoveDir(name string) error                         { return syscall.EROFS }
func (u *Union) Rename(from, to string) error                        { return syscall.EROFS }
func (u *Union) Set(name string, c fsys.Change) error                { return syscall.EROFS }
func (u *Union) Xattr(name string) (map[string]string, error)        { return nil, syscall.ENOENT }
func (u *Union) SetXattr(name, attr, value string) error             { return syscall.EROFS }
func (u *Union) RemoveXattr(name, attr string) error                 { return syscall.EROFS }
func (u *Union) Space() (total, free, files, filesFree int64)        { return 0, 0, 0, 0 }
