//go:build linux

package linux

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

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Layers keeps unpacked layers on disk, each in snapshots/layers/HEX, where HEX is its chain id: the tree in overlay's form
// in fs, and what it is in layer.json. It implements driver.Layers.
//
// A folder gets its name there only when everything in it is written, and never changes afterwards. It is not synced then: a layer can be
// unpacked again from its archive, which is on disk. Until it is known to be on disk its record names the run of the machine, and in
// another run it counts as not there. Before something durable stands on it, it is synced (settle).
type Layers struct {
	home *home.Home
	mode Mode
	run  func() string // names this run of the machine and this mount of the disk; empty: unknown
}

// NewLayers returns the layers kept in h.
func NewLayers(h *home.Home, mode Mode) *Layers {
	return &Layers{home: h, mode: mode, run: sync.OnceValue(func() string { return thisRun(h.Root()) })}
}

// thisRun names the run of the machine, and the device that dir is on: what is mounted anew may lack what was not synced.
func thisRun(dir string) string {
	var st unix.Stat_t
	boot := home.BootID()
	if boot == "" || unix.Stat(dir, &st) != nil {
		return ""
	}
	return fmt.Sprintf("%s/%d", boot, st.Dev)
}

// layerRecord is layer.json.
type layerRecord struct {
	Chain  digest.Digest `json:"chainID"`
	Parent digest.Digest `json:"parent,omitempty"`
	DiffID digest.Digest `json:"diffID"`
	Files  int           `json:"files"`
	Size   int64         `json:"size"`            // bytes of file content
	Until  string        `json:"until,omitempty"` // the run in which it may be relied on; empty: for ever, it is on disk
}

func (l *Layers) root() string { return filepath.Join(l.home.Snapshots(), "layers") }

func (l *Layers) dir(chain digest.Digest) string { return filepath.Join(l.root(), chain.Encoded()) }

func (l *Layers) fs(chain digest.Digest) string { return filepath.Join(l.dir(chain), "fs") }

// Has implements driver.Layers.
func (l *Layers) Has(chain digest.Digest) bool {
	_, err := l.read(chain)
	return err == nil
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
	gone, err := l.home.Discard("layer.drop", "layer.drop", l.dir(chain))
	if err != nil {
		return fmt.Errorf("drop layer %s: %w", chain, err)
	}
	if gone {
		trace.Fact(ctx, vocab.LayerRemove, trace.String("chain_id", chain.String()))
	}
	return nil
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
	if err := l.clear(ctx, rec.Chain); err != nil {
		return err
	}
	u, err := l.extract(ctx, rec, func(a *applier, dir string) error { return a.run(dir, rec.DiffID, tar) })
	if err != nil {
		return err
	}
	u.tellSkipped(ctx)
	return errors.Join(l.install(u.tree, rec, "layer.apply"), u.Close())
}

// extract makes the tree of a layer in a scratch folder.
func (l *Layers) extract(ctx context.Context, rec *layerRecord, run func(a *applier, dir string) error) (*unpacked, error) {
	lowers, _, err := l.lowers(rec.Parent)
	if err != nil {
		return nil, err
	}
	op, err := l.home.Begin("layer.apply")
	if err != nil {
		return nil, err
	}
	u := &unpacked{layers: l, rec: rec, op: op, tree: filepath.Join(op.Dir(), "layer")}
	failpoint.Hit("layer.apply.begin")
	err = home.MakeFolders(u.tree, filepath.Join(u.tree, "fs"))
	if err == nil {
		a := applier{ctx: ctx, mode: l.mode, lowers: lowers}
		err = run(&a, filepath.Join(u.tree, "fs"))
		rec.Files, rec.Size, u.skipped = a.files, a.bytes, a.skipped
	}
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	failpoint.Hit("layer.apply.extracted")
	return u, nil
}

// install gives the folder tree, which is written but not synced, its record and its place among the layers.
func (l *Layers) install(tree string, rec *layerRecord, operation string) error {
	rec.Until = l.run()
	if err := home.WritePlainJSON(filepath.Join(tree, "layer.json"), rec); err != nil {
		return err
	}
	if rec.Until == "" {
		if err := syncFS(tree); err != nil {
			return err
		}
	}
	failpoint.Hit(operation + ".synced")
	if err := os.MkdirAll(l.root(), 0o700); err != nil {
		return err
	}
	failpoint.Hit(operation + ".before-rename")
	err := unix.Rename(tree, l.dir(rec.Chain))
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return driver.ErrExists // another process unpacked the same layer meanwhile
	}
	if err != nil {
		return fmt.Errorf("rename %s: %w", tree, err)
	}
	failpoint.Hit(operation + ".renamed")
	if rec.Until == "" {
		return home.SyncDir(l.root())
	}
	return nil
}

// clear takes away what an earlier run of the machine left under chain's name without having synced it. The lock keeps it from taking
// away what another process has put there since.
func (l *Layers) clear(ctx context.Context, chain digest.Digest) error {
	if _, err := os.Lstat(l.dir(chain)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := l.home.Lock(ctx, "layers", true)
	if err != nil {
		return err
	}
	defer unlock()
	if l.Has(chain) {
		return nil
	}
	_, err = l.home.Discard("layer.drop", "layer.drop", l.dir(chain))
	return err
}

// settle sees to it that chain and what it stands on are on disk, before something that is names them.
func (l *Layers) settle(chain digest.Digest) error {
	var loose []layerRecord
	for chain != "" {
		rec, err := l.read(chain)
		if err != nil {
			return err
		}
		if rec.Until != "" {
			loose = append(loose, rec)
		}
		chain = rec.Parent
	}
	if len(loose) == 0 {
		return nil
	}
	if err := syncFS(l.root()); err != nil {
		return err
	}
	for _, rec := range loose {
		rec.Until = ""
		if err := home.WriteJSON(filepath.Join(l.dir(rec.Chain), "layer.json"), rec, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// syncFS makes everything on the file system of dir durable: one call instead of one for each of many thousand files.
func syncFS(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer unix.Close(fd)
	if err := unix.Syncfs(fd); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

func (l *Layers) read(chain digest.Digest) (layerRecord, error) {
	var rec layerRecord
	if err := chain.Validate(); err != nil {
		return rec, fmt.Errorf("chain %q: %w", chain, err)
	}
	path := filepath.Join(l.dir(chain), "layer.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return rec, fmt.Errorf("layer chain %s is not unpacked here: %w", chain, driver.ErrNotFound)
	}
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(data, &rec); err != nil {
		return rec, fmt.Errorf("read %s: %w: the layer counts as %w", path, err, driver.ErrNotFound)
	}
	if rec.Chain != chain {
		return rec, fmt.Errorf("read %s: it describes %s", path, rec.Chain)
	}
	if rec.Until != "" && rec.Until != l.run() {
		return rec, fmt.Errorf("layer chain %s was not on disk yet when the machine stopped: %w", chain, driver.ErrNotFound)
	}
	return rec, nil
}

// lowers lists the folders of chain and everything below it, top first, with the diff ids of their layers.
func (l *Layers) lowers(chain digest.Digest) (dirs []string, diffIDs []digest.Digest, err error) {
	for chain != "" {
		rec, err := l.read(chain)
		if err != nil {
			return nil, nil, err
		}
		dirs, diffIDs = append(dirs, l.fs(chain)), append(diffIDs, rec.DiffID)
		if len(dirs) > maxLowers {
			return nil, nil, fmt.Errorf("layer chain %s stands on more than %d layers, the most that overlay can stack", dirs[0], maxLowers)
		}
		chain = rec.Parent
	}
	return dirs, diffIDs, nil
}

const maxLowers = 500 // OVL_MAX_STACK
