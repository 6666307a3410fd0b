package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Snapshots keeps writable layers on disk, each in snapshots/sim/keys/KEY: contents in files, the rest in tree.jsonl, which is a
// journal while a container runs, and what it stands on in key.json. It implements driver.Snapshots, driver.VolatilePreparer and
// driver.Trees. While a Union of a key is open in this process, everybody who asks the same Snapshots sees its present state; other
// processes see what its last Sync wrote.
type Snapshots struct {
	home   *home.Home
	layers *Layers
	now    func() time.Time

	mu   sync.Mutex
	open map[string]*Union
	last *reading // of the key that was looked at last: who asks for the diff commits next
}

// reading is a writable layer as it was read from disk.
type reading struct {
	key   string
	state fs.FileInfo // of tree.jsonl
	u     *Union
}

// NewSnapshots returns the writable layers kept in h, which stand on l. now is the machine's clock.
func NewSnapshots(h *home.Home, l *Layers, now func() time.Time) *Snapshots {
	return &Snapshots{home: h, layers: l, now: now, open: map[string]*Union{}}
}

// keyRecord is key.json.
type keyRecord struct {
	Key   string        `json:"key"`
	Chain digest.Digest `json:"chainID"` // empty: it stands on nothing
}

const keyFile = "key.json"

func (s *Snapshots) root() string { return filepath.Join(simRoot(s.home), "keys") }

func (s *Snapshots) dir(key string) string { return filepath.Join(s.root(), key) }

func checkKey(key string) error {
	if key == "" || len(key) > 200 || strings.HasPrefix(key, ".") || safeName(key) != key || strings.ContainsAny(key, "/\x00") {
		return fmt.Errorf("%q can't be the name of a writable layer", key)
	}
	return nil
}

// Prepare implements driver.Snapshots. A crash leaves the whole writable layer or nothing.
func (s *Snapshots) Prepare(ctx context.Context, key string, chain digest.Digest) error {
	return s.prepareTraced(ctx, key, chain, replaceJSON, home.SyncDir)
}

// PrepareVolatile is Prepare for a layer that need not survive a power cut (a build step's, or of a container that removes itself):
// nothing is synced. What a crash leaves of it is garbage that has no record.
func (s *Snapshots) PrepareVolatile(ctx context.Context, key string, chain digest.Digest) error {
	return s.prepareTraced(ctx, key, chain, home.WritePlainJSON, func(string) error { return nil })
}

func (s *Snapshots) prepareTraced(ctx context.Context, key string, chain digest.Digest, write writeJSON, syncDir func(string) error) error {
	lowers, err := s.prepare(key, chain, write, syncDir)
	if err != nil {
		return fmt.Errorf("prepare writable layer %s: %w", key, err)
	}
	trace.Fact(ctx, vocab.SnapshotPrepare, trace.String("key", key), trace.String("chain_id", chain.String()),
		trace.Int("lowers", int64(lowers)), trace.String("upper", filepath.Join(s.dir(key), filesDir)))
	return nil
}

type writeJSON func(path string, v any) error

func (s *Snapshots) prepare(key string, chain digest.Digest, write writeJSON, syncDir func(string) error) (lowers int, err error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(s.dir(key)); err == nil {
		return 0, driver.ErrExists
	}
	below, err := s.layers.stack(chain)
	if err != nil {
		return 0, err
	}
	op, err := s.home.Begin("snapshot.prepare")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	failpoint.Hit("sim.prepare.begin")
	made := filepath.Join(op.Dir(), "key")
	if err := home.MakeFolders(made, filepath.Join(made, filesDir)); err != nil {
		return 0, err
	}
	if err := writeTreeFile(filepath.Join(made, treeFile), s.newRoot(below), line{Path: ".", Kind: lineClosed}); err != nil {
		return 0, err
	}
	if err := write(filepath.Join(made, keyFile), keyRecord{key, chain}); err != nil {
		return 0, err
	}
	return len(below.strata), s.installKey(made, key, syncDir)
}

// newRoot is the root of a new writable layer: with the metadata of the root below it, which it hides.
func (s *Snapshots) newRoot(below *stack) *node {
	i := &inode{number: 1, kind: fsys.Dir, mode: 0o755, links: 1, mtime: time.Unix(0, 0)}
	if below.root != nil {
		i = below.root.ino.copied()
		i.number, i.links = 1, 1
	}
	i.ctime, i.atime = i.mtime, i.mtime
	return &node{ino: i}
}

func (s *Snapshots) installKey(made, key string, syncDir func(string) error) error {
	failpoint.Hit("sim.prepare.before-rename")
	if err := os.MkdirAll(s.root(), 0o700); err != nil {
		return err
	}
	if err := os.Rename(made, s.dir(key)); err != nil {
		if _, there := os.Lstat(s.dir(key)); there == nil {
			return driver.ErrExists
		}
		return fmt.Errorf("rename to %s: %w", s.dir(key), err)
	}
	failpoint.Hit("sim.prepare.renamed")
	return syncDir(s.root())
}

// Remove implements driver.Snapshots. What a killed process left of the removal goes with its scratch folder.
func (s *Snapshots) Remove(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return fmt.Errorf("remove writable layer: %w", err)
	}
	s.forget(key)
	gone, err := s.home.Discard("snapshot.remove", "sim.remove", s.dir(key))
	if err != nil {
		return fmt.Errorf("remove writable layer %s: %w", key, err)
	}
	if gone {
		trace.Fact(ctx, vocab.SnapshotRemove, trace.String("key", key))
	}
	return nil
}

func (s *Snapshots) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && s.last.key == key {
		s.last = nil
	}
}

// List implements driver.Snapshots.
func (s *Snapshots) List(ctx context.Context) ([]string, error) {
	names, err := home.Names(s.root())
	if err != nil {
		return nil, fmt.Errorf("list writable layers: %w", err)
	}
	return names, nil
}

func (s *Snapshots) read(key string) (keyRecord, error) {
	var rec keyRecord
	if err := checkKey(key); err != nil {
		return rec, err
	}
	path := filepath.Join(s.dir(key), keyFile)
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

// Open opens the live root of a container on the writable layer key. report is told of copy-on-write, beginning with what was not
// reported yet; nil: nobody watches. The caller must Close the union. driver.ErrExists if it is open in this process already; that no
// other process has it open is the caller's to see to.
func (s *Snapshots) Open(ctx context.Context, key string, report Report) (*Union, error) {
	u, err := s.openUnion(key)
	if err != nil {
		return nil, fmt.Errorf("open writable layer %s: %w", key, err)
	}
	u.SetReport(report)
	return u, nil
}

// OpenLayers opens the tree of chain (empty: an empty one), read-only. It needs no closing.
func (s *Snapshots) OpenLayers(chain digest.Digest) (*Union, error) {
	below, err := s.layers.stack(chain)
	if err != nil {
		return nil, fmt.Errorf("open tree: %w", err)
	}
	u := newUnion("", below, s.now)
	if below.root == nil {
		u.root = s.newRoot(below)
	}
	return u, nil
}

func (s *Snapshots) openUnion(key string) (*Union, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] != nil {
		return nil, driver.ErrExists
	}
	u, t, err := s.load(key)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(u.dir, treeFile)
	if !t.closed { // a torn last line must not be continued
		if err := writeTreeFile(name+".new", u.root); err != nil {
			return nil, err
		}
		if err := os.Rename(name+".new", name); err != nil {
			return nil, err
		}
	}
	if u.files, err = openHost(filepath.Join(u.dir, filesDir)); err != nil {
		return nil, err
	}
	u.takePlaces()
	if u.journal, err = openJournal(name); err != nil {
		return nil, errors.Join(err, u.files.close())
	}
	u.onClose = s.closed
	s.open[key] = u
	s.last = nil
	return u, nil
}

// takePlaces makes the contents that are there known to the placer.
func (u *Union) takePlaces() {
	seen := map[*inode]bool{}
	_ = u.root.each(".", func(_ string, n *node) error {
		if n.ino != nil && n.ino.stored != "" && !seen[n.ino] {
			seen[n.ino] = true
			u.files.at.take(n.ino.stored)
		}
		return nil
	})
}

func (s *Snapshots) closed(u *Union) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[u.key] == u {
		delete(s.open, u.key)
	}
}

// view gives the writable layer as it is: the open union, or what is on disk.
func (s *Snapshots) view(key string) (*Union, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.open[key]; u != nil {
		return u, nil
	}
	state, err := os.Stat(filepath.Join(s.dir(key), treeFile))
	if err == nil && s.last != nil && s.last.key == key && os.SameFile(state, s.last.state) &&
		state.Size() == s.last.state.Size() && state.ModTime().Equal(s.last.state.ModTime()) {
		return s.last.u, nil
	}
	u, t, err := s.load(key)
	if err != nil {
		return nil, err
	}
	if t.closed { // otherwise contents change without a word in the journal
		s.last = &reading{key, state, u}
	}
	return u, nil
}

// load reads a writable layer from disk, for reading.
func (s *Snapshots) load(key string) (*Union, *written, error) {
	rec, err := s.read(key)
	if err != nil {
		return nil, nil, err
	}
	below, err := s.layers.stack(rec.Chain)
	if err != nil {
		return nil, nil, err
	}
	name := filepath.Join(s.dir(key), treeFile)
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	t, err := readTree(f, name, true)
	if err != nil {
		return nil, nil, err
	}
	u := newUnion(key, below, s.now)
	u.dir, u.root, u.next, u.told = s.dir(key), t.root, t.next, t.reported
	u.measureContents(!t.closed)
	return u, t, nil
}

func newUnion(key string, below *stack, now func() time.Time) *Union {
	return &Union{key: key, below: below, lower: below.root, shown: below.root, now: now, dirty: map[*inode]*node{}, copies: map[*node]*inode{}}
}

// measureContents adds up the contents. Where the journal was not closed in order, a content counts as it is and not as the journal
// last said.
func (u *Union) measureContents(unclosed bool) {
	seen := map[*inode]bool{}
	_ = u.root.each(".", func(_ string, n *node) error {
		i := n.ino
		if i == nil || i.kind != fsys.File || seen[i] {
			return nil
		}
		seen[i] = true
		if unclosed {
			i.summed = false
			if fi, err := os.Lstat(filepath.Join(u.filesDir(), filepath.FromSlash(i.stored))); err == nil {
				i.size = fi.Size()
			}
		}
		u.used += i.size
		return nil
	})
}

func (u *Union) filesDir() string { return filepath.Join(u.dir, filesDir) }

var (
	_ driver.Layers           = (*Layers)(nil)
	_ driver.Snapshots        = (*Snapshots)(nil)
	_ driver.VolatilePreparer = (*Snapshots)(nil)
	_ driver.Trees            = (*Snapshots)(nil)
)
