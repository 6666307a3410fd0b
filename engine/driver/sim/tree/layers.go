package tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Layers keeps unpacked layers on disk, each in snapshots/sim/layers/HEX, where HEX is its chain id. It implements driver.Layers and
// is safe for concurrent use, by several processes too.
//
// Writing thousands of files and then syncing each of them would take longer than all the rest. So a layer remembers in which run of
// the machine it was written, and is checked once, against the checksums in tree.jsonl, when it is first used in another run. One
// that does not pass is as good as not there.
type Layers struct {
	home *home.Home
	now  func() time.Time
	boot string

	mu     sync.Mutex
	stacks map[digest.Digest]*stack // what has been read already
	sound  map[digest.Digest]error  // outcome of the check of layers of another run
}

// NewLayers returns the layers kept in h. now is the machine's clock.
func NewLayers(h *home.Home, now func() time.Time) *Layers {
	return &Layers{home: h, now: now, boot: home.BootID(), stacks: map[digest.Digest]*stack{}, sound: map[digest.Digest]error{}}
}

// layerRecord is layer.json.
type layerRecord struct {
	Chain  digest.Digest `json:"chainID"`
	Parent digest.Digest `json:"parent,omitempty"`
	DiffID digest.Digest `json:"diffID"`
	Files  int           `json:"files"`
	Size   int64         `json:"size"`             // bytes of file content
	Boot   string        `json:"bootID,omitempty"` // run of the machine in which it was written; none: it is known to be on the disk
}

func simRoot(h *home.Home) string { return filepath.Join(h.Snapshots(), "sim") }

func (l *Layers) root() string { return filepath.Join(simRoot(l.home), "layers") }

func (l *Layers) dir(chain digest.Digest) string { return filepath.Join(l.root(), chain.Encoded()) }

func (l *Layers) files(chain digest.Digest) string { return filepath.Join(l.dir(chain), filesDir) }

const (
	filesDir  = "files"
	treeFile  = "tree.jsonl"
	layerFile = "layer.json"
)

// Has implements driver.Layers. A layer that was written in an earlier run of the machine and is damaged is not there.
func (l *Layers) Has(chain digest.Digest) bool {
	if chain.Validate() != nil {
		return false
	}
	rec, err := l.read(chain)
	return err == nil && l.check(rec) == nil
}

// List implements driver.Layers.
func (l *Layers) List(ctx context.Context) ([]digest.Digest, error) {
	names, err := home.Names(l.root())
	if err != nil {
		return nil, fmt.Errorf("list layers: %w", err)
	}
	var chains []digest.Digest
	for _, name := range names {
		if d := digest.NewDigestFromEncoded(digest.SHA256, name); d.Validate() == nil {
			chains = append(chains, d)
		}
	}
	return chains, nil
}

// Parent tells which chain the layer chain stands on; empty for a lowest layer. driver.ErrNotFound if chain is not here.
func (l *Layers) Parent(chain digest.Digest) (digest.Digest, error) {
	rec, err := l.read(chain)
	return rec.Parent, err
}

// Drop implements driver.Layers.
func (l *Layers) Drop(ctx context.Context, chain digest.Digest) error {
	if err := chain.Validate(); err != nil {
		return fmt.Errorf("drop layer %q: %w", chain, err)
	}
	l.forget(chain)
	gone, err := l.home.Discard("layer.drop", "sim.drop", l.dir(chain))
	if err != nil {
		return fmt.Errorf("drop layer %s: %w", chain, err)
	}
	if gone {
		trace.Fact(ctx, vocab.LayerRemove, trace.String("chain_id", chain.String()))
	}
	return nil
}

func (l *Layers) forget(chain digest.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.stacks, chain)
	delete(l.sound, chain)
}

// Apply implements driver.Layers. The tree is unpacked in a scratch folder and given its name by one rename, so a process that dies
// leaves nothing of it.
func (l *Layers) Apply(ctx context.Context, chain, parent, diffID digest.Digest, tar io.Reader) error {
	for _, d := range []digest.Digest{chain, diffID} {
		if err := d.Validate(); err != nil {
			return fmt.Errorf("apply layer %q: %w", d, err)
		}
	}
	if l.Has(chain) {
		return l.reuse(ctx, chain, diffID)
	}
	ctx, end := trace.Step(ctx, vocab.LayerApply, trace.String("diff_id", diffID.String()),
		trace.String("chain_id", chain.String()), trace.String("parent", parent.String()))
	rec := layerRecord{Chain: chain, Parent: parent, DiffID: diffID}
	err := l.apply(ctx, &rec, tar)
	if err != nil {
		err = fmt.Errorf("apply layer %s: %w", diffID, err)
	}
	end(err, trace.Int("files", int64(rec.Files)), trace.Int("size_bytes", rec.Size))
	if errors.Is(err, driver.ErrExists) {
		return l.reuse(ctx, chain, diffID)
	}
	return err
}

func (l *Layers) reuse(ctx context.Context, chain, diffID digest.Digest) error {
	trace.Fact(ctx, vocab.LayerReuse, trace.String("diff_id", diffID.String()), trace.String("chain_id", chain.String()))
	return fmt.Errorf("apply layer %s: %w", diffID, driver.ErrExists)
}

func (l *Layers) apply(ctx context.Context, rec *layerRecord, tar io.Reader) (err error) {
	below, err := l.stack(rec.Parent)
	if err != nil {
		return err
	}
	op, err := l.home.Begin("layer.apply")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	failpoint.Hit("sim.apply.begin")
	made := filepath.Join(op.Dir(), "layer")
	if err := home.MakeFolders(made, filepath.Join(made, filesDir)); err != nil {
		return err
	}
	a := newApplier(below.root)
	if err := a.run(ctx, filepath.Join(made, filesDir), rec.DiffID, tar); err != nil {
		return err
	}
	rec.Files, rec.Size = a.files, a.bytes
	failpoint.Hit("sim.apply.extracted")
	return l.install(made, rec, a.root, "sim.apply")
}

// install completes the folder made, which has the contents already, and gives it its place among the layers.
func (l *Layers) install(made string, rec *layerRecord, root *node, operation string) error {
	rec.Boot = l.boot
	if err := writeTreeFile(filepath.Join(made, treeFile), root); err != nil {
		return err
	}
	if err := home.WritePlainJSON(filepath.Join(made, layerFile), rec); err != nil {
		return err
	}
	if l.boot == "" { // this system does not tell its runs apart
		if err := syncTree(made); err != nil {
			return err
		}
	}
	failpoint.Hit(operation + ".synced")
	if err := os.MkdirAll(l.root(), 0o700); err != nil {
		return err
	}
	failpoint.Hit(operation + ".before-rename")
	if err := l.claim(made, rec.Chain); err != nil {
		return err
	}
	failpoint.Hit(operation + ".renamed")
	return home.SyncDir(l.root())
}

// claim renames made to the place of chain. What is there already is another process's same layer, or a damaged one, which goes.
func (l *Layers) claim(made string, chain digest.Digest) error {
	for {
		err := os.Rename(made, l.dir(chain))
		if err == nil {
			l.forget(chain)
			return nil
		}
		if _, there := os.Lstat(l.dir(chain)); there != nil {
			return fmt.Errorf("rename %s: %w", made, err)
		}
		if l.Has(chain) {
			return driver.ErrExists
		}
		l.forget(chain)
		if _, err := l.home.Discard("layer.drop", "sim.drop", l.dir(chain)); err != nil {
			return err
		}
	}
}

func (l *Layers) read(chain digest.Digest) (layerRecord, error) {
	var rec layerRecord
	if err := chain.Validate(); err != nil {
		return rec, fmt.Errorf("chain %q: %w", chain, err)
	}
	path := filepath.Join(l.dir(chain), layerFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return rec, fmt.Errorf("layer chain %s is not unpacked here: %w", chain, driver.ErrNotFound)
	}
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read %s: %w", path, err)
	}
	if rec.Chain != chain {
		return rec, fmt.Errorf("read %s: it describes %s", path, rec.Chain)
	}
	return rec, nil
}
