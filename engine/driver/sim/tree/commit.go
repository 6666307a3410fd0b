package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
)

// Commit implements driver.Snapshots: the contents themselves become the layer's. No container may be on key. A crash leaves the
// layer, or the writable layer, or neither when it struck between the two renames; never half of one.
func (s *Snapshots) Commit(ctx context.Context, key string, chain, diffID digest.Digest) error {
	if err := s.commit(key, chain, diffID); err != nil && !errors.Is(err, driver.ErrExists) {
		return fmt.Errorf("commit writable layer %s: %w", key, err)
	}
	return s.Remove(ctx, key)
}

func (s *Snapshots) commit(key string, chain, diffID digest.Digest) (err error) {
	if err := errors.Join(chain.Validate(), diffID.Validate()); err != nil {
		return err
	}
	rec, err := s.read(key)
	if err != nil || s.layers.Has(chain) {
		return err
	}
	u, err := s.view(key)
	if err != nil {
		return err
	}
	if u.journal != nil {
		return errors.New("a container is on it")
	}
	s.forget(key) // its inodes are changed now
	dropWhiteoutsOfNothing(u.root, u.lower)
	files, bytes := measure(u.root)
	op, err := s.home.Begin("snapshot.commit")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	made := filepath.Join(op.Dir(), "layer")
	if err := home.MakeFolders(made); err != nil {
		return err
	}
	failpoint.Hit("sim.commit.begin")
	if err := os.Rename(u.filesDir(), filepath.Join(made, filesDir)); err != nil {
		return err
	}
	failpoint.Hit("sim.commit.taken")
	if err := arrange(filepath.Join(made, filesDir), u.root); err != nil {
		return err
	}
	return s.layers.install(made, &layerRecord{Chain: chain, Parent: rec.Chain, DiffID: diffID, Files: files, Size: bytes}, u.root, "sim.commit")
}

// dropWhiteoutsOfNothing removes what says nothing: overlayfs may leave such.
func dropWhiteoutsOfNothing(n, low *node) {
	if n.opaque {
		low = nil
	}
	for _, name := range n.sorted() {
		kid, below := n.kids[name], low.kid(name)
		if kid.isWhiteout() && below == nil {
			n.take(name)
		} else if kid.isDir() {
			dropWhiteoutsOfNothing(kid, below)
		}
	}
}

// measure counts the names below the root, whiteouts left out, and the bytes of the files among them.
func measure(root *node) (files int, bytes int64) {
	_ = root.each(".", func(_ string, n *node) error {
		if n == root || n.ino == nil {
			return nil
		}
		files++
		bytes += sizeOf(n.ino)
		return nil
	})
	return files, bytes
}

// arrange puts all contents in the host folder dir where the paths of their files are, whatever the files were called when they were
// made, removes what has no name, and completes the checksums.
func arrange(dir string, root *node) error {
	h, err := openHost(dir)
	if err != nil {
		return err
	}
	defer h.close()
	m := mover{h: h, seen: map[*inode]bool{}}
	if err := root.each(".", m.plan); err != nil {
		return err
	}
	if err := m.move(dir); err != nil {
		return err
	}
	for i := range m.seen {
		if i.summed {
			continue
		}
		if i.size, i.sum, err = checksum(h.root, i.stored); err != nil {
			return err
		}
		i.summed = true
	}
	return nil
}

type mover struct {
	h     *host
	seen  map[*inode]bool
	moves []move
}

type move struct {
	i  *inode
	to string
}

func (m *mover) plan(p string, n *node) error {
	i := n.ino
	if i == nil || i.kind != fsys.File || m.seen[i] {
		return nil
	}
	m.seen[i] = true
	to := m.h.at.choose(p)
	if to != i.stored {
		m.moves = append(m.moves, move{i, to})
	}
	return nil
}

// move renames by way of names that nothing else has: one file's place may still be another's, or a folder.
func (m *mover) move(dir string) error {
	for n, v := range m.moves {
		aside := fmt.Sprintf("%%~~%d", n)
		if err := m.rename(v.i.stored, aside); err != nil {
			return err
		}
		v.i.stored = aside
	}
	if err := m.sweep(dir); err != nil {
		return err
	}
	for _, v := range m.moves {
		if err := m.rename(v.i.stored, v.to); err != nil {
			return err
		}
		v.i.stored = v.to
	}
	return nil
}

func (m *mover) rename(from, to string) error {
	if dir, _ := split(to); dir != "." {
		if err := m.h.root.MkdirAll(filepath.FromSlash(dir), 0o700); err != nil {
			return err
		}
	}
	return m.h.root.Rename(filepath.FromSlash(from), filepath.FromSlash(to))
}

// sweep removes contents that no name leads to: a killed machine left them.
func (m *mover) sweep(dir string) error {
	keep := make(map[string]bool, len(m.seen))
	for i := range m.seen {
		keep[i.stored] = true
	}
	var empty []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			empty = append(empty, rel)
			return nil
		}
		if keep[filepath.ToSlash(rel)] {
			return nil
		}
		return m.h.root.Remove(rel)
	})
	for n := len(empty) - 1; n >= 0; n-- {
		_ = m.h.root.Remove(empty[n]) // fails for those that are not
	}
	return err
}
