package tree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

const maxLowers = 500 // as many as overlayfs stacks

// stack is a chain of layers, read and merged. It never changes.
type stack struct {
	root    *node      // nil of the empty chain
	strata  []*stratum // top first
	inodes  uint64     // highest inode number
	bytes   int64      // of content, hidden ones included
	entries int64
}

// stack reads the layers of chain. Each is read once in the life of l; what layers have in common they share.
func (l *Layers) stack(chain digest.Digest) (*stack, error) {
	l.mu.Lock()
	s := l.stacks[chain]
	l.mu.Unlock()
	if s != nil && (chain == "" || l.present(chain)) {
		return s, nil
	}
	s, err := l.readStack(chain)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stacks[chain] = s
	return s, nil
}

// present reports whether another process has not removed chain meanwhile.
func (l *Layers) present(chain digest.Digest) bool {
	_, err := os.Lstat(filepath.Join(l.dir(chain), layerFile))
	return err == nil
}

func (l *Layers) readStack(chain digest.Digest) (*stack, error) {
	if chain == "" {
		return &stack{}, nil
	}
	rec, err := l.read(chain)
	if err != nil {
		return nil, err
	}
	if err := l.check(rec); err != nil {
		return nil, err
	}
	below, err := l.stack(rec.Parent)
	if err != nil {
		return nil, err
	}
	if len(below.strata) >= maxLowers {
		return nil, fmt.Errorf("layer chain %s stands on more than %d layers, the most that overlay can stack", chain, maxLowers)
	}
	t, err := l.readLayer(chain)
	if err != nil {
		return nil, err
	}
	top := &stratum{diffID: rec.DiffID.String(), files: l.files(chain), base: below.inodes}
	return &stack{
		root:    merge(below.root, t.root, top),
		strata:  append([]*stratum{top}, below.strata...),
		inodes:  below.inodes + t.next,
		bytes:   below.bytes + rec.Size,
		entries: below.entries + int64(len(t.inodes)),
	}, nil
}

func (l *Layers) readLayer(chain digest.Digest) (*written, error) {
	name := filepath.Join(l.dir(chain), treeFile)
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readTree(f, name, false)
}

// check verifies a layer that was written in another run of the machine, once, and remembers on disk that it is sound.
func (l *Layers) check(rec layerRecord) error {
	if rec.Boot == "" || rec.Boot == l.boot {
		return nil
	}
	l.mu.Lock()
	err, done := l.sound[rec.Chain]
	l.mu.Unlock()
	if done {
		return err
	}
	if err = l.seal(rec); err != nil {
		err = fmt.Errorf("layer %s in %s was damaged when the machine stopped; remove the image and load or pull it again: %w: %w",
			rec.DiffID, l.dir(rec.Chain), driver.ErrNotFound, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sound[rec.Chain] = err
	return err
}

// seal compares every content with what tree.jsonl says of it. What is read after a restart is on the disk.
func (l *Layers) seal(rec layerRecord) error {
	t, err := l.readLayer(rec.Chain)
	if err != nil {
		return err
	}
	files, err := os.OpenRoot(l.files(rec.Chain))
	if err != nil {
		return err
	}
	defer files.Close()
	for _, i := range t.inodes {
		if i.stored == "" {
			continue
		}
		size, sum, err := checksum(files, i.stored)
		if err != nil {
			return err
		}
		if size != i.size || i.summed && sum != i.sum {
			return fmt.Errorf("content of %s has %d bytes with checksum %08x, not %d with %08x", i.stored, size, sum, i.size, i.sum)
		}
	}
	rec.Boot = ""
	err = replaceJSON(filepath.Join(l.dir(rec.Chain), layerFile), rec)
	if errors.Is(err, os.ErrPermission) {
		return nil // a home that can only be read is checked each time
	}
	return err
}
