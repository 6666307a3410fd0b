package tree

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/opencontainers/go-digest"
)

// Settle implements driver.LayerOpener.
func (l *Layers) Settle(_ context.Context, chain digest.Digest) error {
	for chain != "" {
		rec, err := l.read(chain)
		if err != nil {
			return err
		}
		if rec.Boot != "" {
			if err := syncTree(l.dir(chain)); err != nil {
				return err
			}
			rec.Boot = ""
			if err := replaceJSON(filepath.Join(l.dir(chain), layerFile), rec); err != nil {
				return err
			}
		}
		chain = rec.Parent
	}
	return nil
}

// OpenLayer implements driver.LayerOpener.
func (l *Layers) OpenLayer(chain digest.Digest) (driver.LayerFiles, error) {
	rec, err := l.read(chain)
	if err != nil {
		return nil, err
	}
	t, err := l.readLayer(chain)
	if err != nil {
		return nil, fmt.Errorf("open layer %s: %w", rec.DiffID, err)
	}
	root, err := os.OpenRoot(l.files(chain))
	if err != nil {
		return nil, fmt.Errorf("open layer %s: %w", rec.DiffID, err)
	}
	return &layerFiles{tree: t.root, root: root, rec: rec}, nil
}

// layerFiles are what one layer brought.
type layerFiles struct {
	tree *node
	root *os.Root
	rec  layerRecord
}

// Open implements driver.LayerFiles.
func (f *layerFiles) Open(p string) (io.ReadCloser, error) {
	at := f.tree
	for _, name := range strings.Split(p, "/") {
		if at != nil {
			at = at.kids[name]
		}
	}
	if at == nil || at.ino == nil || at.ino.stored == "" {
		return nil, fmt.Errorf("open %s in layer %s: %w", p, f.rec.DiffID, driver.ErrNotFound)
	}
	return f.root.Open(filepath.FromSlash(at.ino.stored))
}

// Size implements driver.LayerFiles.
func (f *layerFiles) Size() int64 { return f.rec.Size }

// Close implements driver.LayerFiles.
func (f *layerFiles) Close() error { return f.root.Close() }
