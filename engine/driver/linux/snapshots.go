//go:build linux

package linux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Snapshots keeps writable layers on disk, each in snapshots/keys/KEY: the changes in upper, overlay's scratch space in work,
// and what it stands on in snapshot.json. It implements driver.Snapshots and driver.Trees.
type Snapshots struct {
	home   *home.Home
	mode   Mode
	layers *Layers
}

// NewSnapshots returns the writable layers kept in h, which stand on layers.
func NewSnapshots(h *home.Home, mode Mode, layers *Layers) *Snapshots {
	return &Snapshots{home: h, mode: mode, layers: layers}
}

// snapshotRecord is snapshot.json.
type snapshotRecord struct {
	Key   string        `json:"key"`
	Chain digest.Digest `json:"chainID"` // empty: it stands on nothing
}

func (s *Snapshots) root() string { return filepath.Join(s.home.Snapshots(), "keys") }

func (s *Snapshots) dir(key string) string { return filepath.Join(s.root(), key) }

func (s *Snapshots) upper(key string) string { return filepath.Join(s.dir(key), "upper") }

func checkKey(key string) error {
	if key == "" || len(key) > 200 || strings.HasPrefix(key, ".") || strings.ContainsAny(key, "/\x00") {
		return fmt.Errorf("%q can't be the name of a writable layer", key)
	}
	return nil
}

// Prepare implements driver.Snapshots. A crash leaves the whole writable layer or nothing.
func (s *Snapshots) Prepare(ctx context.Context, key string, chain digest.Digest) error {
	if err := s.layers.settle(chain); err != nil {
		return fmt.Errorf("prepare writable layer %s: %w", key, err)
	}
	return s.prepareTraced(ctx, key, chain, home.WriteJSON, home.SyncDir)
}

// PrepareVolatile is Prepare for a layer that need not survive a power cut (a build step's, or of a container that removes itself):
// nothing is synced. What a crash leaves of it is garbage that has no record.
func (s *Snapshots) PrepareVolatile(ctx context.Context, key string, chain digest.Digest) error {
	return s.prepareTraced(ctx, key, chain, func(path string, v any, _ fs.FileMode) error { return home.WritePlainJSON(path, v) },
		func(string) error { return nil })
}

func (s *Snapshots) prepareTraced(ctx context.Context, key string, chain digest.Digest, write writeJSON, syncDir func(string) error) error {
	lowers, err := s.prepare(key, chain, write, syncDir)
	if err != nil {
		return fmt.Errorf("prepare writable layer %s: %w", key, err)
	}
	trace.Fact(ctx, vocab.SnapshotPrepare, trace.String("key", key), trace.String("chain_id", chain.String()),
		trace.Int("lowers", int64(lowers)), trace.String("upper", s.upper(key)))
	return nil
}

type writeJSON func(path string, v any, mode fs.FileMode) error

func (s *Snapshots) prepare(key string, chain digest.Digest, write writeJSON, syncDir func(string) error) (lowers int, err error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(s.dir(key)); err == nil {
		return 0, driver.ErrExists
	}
	dirs, _, err := s.layers.lowers(chain)
	if err != nil {
		return 0, err
	}
	op, err := s.home.Begin("snapshot.prepare")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	failpoint.Hit("snapshot.prepare.begin")
	made := filepath.Join(op.Dir(), "key")
	if err := home.MakeFolders(made, filepath.Join(made, "upper"), filepath.Join(made, "work")); err != nil {
		return 0, err
	}
	if err := s.dressUpper(filepath.Join(made, "upper"), dirs); err != nil {
		return 0, err
	}
	if err := write(filepath.Join(made, "snapshot.json"), snapshotRecord{key, chain}, 0o600); err != nil {
		return 0, err
	}
	return len(dirs), s.installKey(made, key, syncDir)
}

func (s *Snapshots) installKey(made, key string, syncDir func(string) error) error {
	failpoint.Hit("snapshot.prepare.before-rename")
	if err := os.MkdirAll(s.root(), 0o700); err != nil {
		return err
	}
	err := unix.Rename(made, s.dir(key))
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return driver.ErrExists
	}
	if err != nil {
		return fmt.Errorf("rename to %s: %w", s.dir(key), err)
	}
	failpoint.Hit("snapshot.prepare.renamed")
	return syncDir(s.root())
}

// dressUpper gives the upper folder the metadata of the root below it: overlay shows the upper's as the container's root.
func (s *Snapshots) dressUpper(upper string, lowers []string) error {
	meta := dirMeta{path: ".", mode: 0o755}
	if len(lowers) > 0 {
		var err error
		if meta, err = metaOfFolder(".", lowers[0]); err != nil {
			return err
		}
	}
	fd, err := unix.Open(upper, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return setOpenMeta(fd, meta, s.mode)
}

// Remove implements driver.Snapshots. What a killed process left of the removal goes with its scratch folder.
func (s *Snapshots) Remove(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return fmt.Errorf("remove writable layer: %w", err)
	}
	gone, err := s.home.Discard("snapshot.remove", "snapshot.remove", s.dir(key))
	if err != nil {
		return fmt.Errorf("remove writable layer %s: %w", key, err)
	}
	if gone {
		trace.Fact(ctx, vocab.SnapshotRemove, trace.String("key", key))
	}
	return nil
}

// List implements driver.Snapshots.
func (s *Snapshots) List(ctx context.Context) ([]string, error) {
	names, err := home.Names(s.root())
	if err != nil {
		return nil, fmt.Errorf("list writable layers: %w", err)
	}
	return names, nil
}

// Commit implements driver.Snapshots: the upper folder itself becomes the layer. Nothing may be mounted on key. A crash
// leaves the layer, or the writable layer, or neither when it struck between the two renames; never half of one.
func (s *Snapshots) Commit(ctx context.Context, key string, chain, diffID digest.Digest) error {
	if err := s.commit(ctx, key, chain, diffID); err != nil && !errors.Is(err, driver.ErrExists) {
		return fmt.Errorf("commit writable layer %s: %w", key, err)
	}
	return s.Remove(ctx, key)
}

func (s *Snapshots) commit(ctx context.Context, key string, chain, diffID digest.Digest) (err error) {
	if err := errors.Join(chain.Validate(), diffID.Validate()); err != nil {
		return err
	}
	rec, err := s.read(key)
	if err != nil || s.layers.Has(chain) {
		return err
	}
	if err := s.layers.clear(ctx, chain); err != nil {
		return err
	}
	files, bytes, err := measure(s.upper(key))
	if err != nil {
		return err
	}
	op, err := s.home.Begin("snapshot.commit")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	tree := filepath.Join(op.Dir(), "layer")
	if err := home.MakeFolders(tree); err != nil {
		return err
	}
	failpoint.Hit("snapshot.commit.before-sync")
	if err := os.Rename(s.upper(key), filepath.Join(tree, "fs")); err != nil {
		return err
	}
	return s.layers.install(tree, &layerRecord{Chain: chain, Parent: rec.Chain, DiffID: diffID, Files: files, Size: bytes}, "snapshot.commit")
}

// measure counts the entries below dir, whiteouts left out, and the bytes of the files among them.
func measure(dir string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		if !cow.IsWhiteout(&st) {
			files++
		}
		if d.Type().IsRegular() {
			bytes += st.Size
		}
		return nil
	})
	return files, bytes, err
}

func (s *Snapshots) read(key string) (snapshotRecord, error) {
	var rec snapshotRecord
	if err := checkKey(key); err != nil {
		return rec, err
	}
	path := filepath.Join(s.dir(key), "snapshot.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return rec, fmt.Errorf("writable layer %s: %w", key, driver.ErrNotFound)
	}
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read %s: %w", path, err)
	}
	return rec, nil
}

// RootMount tells what the root of a container on the writable layer key is mounted from: the read-only folders, top
// first, with the diff ids of their layers in the same order, and the upper and work folders of the overlay. Overlay needs
// a folder below, so a writable layer on nothing stands on one empty folder, with the empty diff id.
func (s *Snapshots) RootMount(key string) (lowers []string, upper, work string, diffIDs []digest.Digest, err error) {
	rec, err := s.read(key)
	if err != nil {
		return nil, "", "", nil, fmt.Errorf("mount root: %w", err)
	}
	lowers, diffIDs, err = s.layers.lowers(rec.Chain)
	if err != nil {
		return nil, "", "", nil, fmt.Errorf("mount root of %s: %w", key, err)
	}
	if len(lowers) == 0 {
		empty, err := s.emptyDir()
		if err != nil {
			return nil, "", "", nil, fmt.Errorf("mount root of %s: %w", key, err)
		}
		lowers, diffIDs = []string{empty}, []digest.Digest{""}
	}
	return lowers, s.upper(key), filepath.Join(s.dir(key), "work"), diffIDs, nil
}

// ChainMount tells what the tree of a chain is mounted from: the read-only folders, top first. Overlay needs two of them, so the lowest is
// an empty one.
func (s *Snapshots) ChainMount(chain digest.Digest) (lowers []string, err error) {
	if lowers, _, err = s.layers.lowers(chain); err != nil {
		return nil, fmt.Errorf("mount tree: %w", err)
	}
	empty, err := s.emptyDir()
	if err != nil {
		return nil, fmt.Errorf("mount tree: %w", err)
	}
	return append(lowers, empty), nil
}

// emptyDir is a folder that stands for a tree with nothing in it.
func (s *Snapshots) emptyDir() (string, error) {
	dir := filepath.Join(s.home.Snapshots(), "empty")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, nil
}
