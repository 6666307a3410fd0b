package difftest

import (
	"bytes"
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// side is one driver's stores in a home of their own.
type side struct {
	name      string
	layers    driver.Layers
	snapshots snapshots
	// open gives the live tree of a writable layer. done ends it, and leaves the times that the machine set by itself as stamp.
	open func(key string) (t tree, done func() error, err error)
	// steady: the live tree stays through a remount, which then only closes files.
	steady bool
}

type snapshots interface {
	driver.Snapshots
	driver.Trees
}

// apply unpacks an archive. The error is given as a word: what a driver says of it in full is its own.
func (s *side) apply(ctx context.Context, chain, parent digest.Digest, data []byte) error {
	return s.layers.Apply(ctx, chain, parent, digest.FromBytes(data), bytes.NewReader(data))
}

// export is the whole tree of a chain as an archive.
func (s *side) export(ctx context.Context, open func(context.Context) (driver.Tree, error)) ([]byte, error) {
	t, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	defer t.Close()
	var b bytes.Buffer
	if err := t.Export(ctx, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return b.Bytes(), nil
}

func (s *side) exportChain(ctx context.Context, chain digest.Digest) ([]byte, error) {
	return s.export(ctx, func(ctx context.Context) (driver.Tree, error) { return s.snapshots.OpenChain(ctx, chain) })
}

func (s *side) exportKey(ctx context.Context, key string) ([]byte, error) {
	return s.export(ctx, func(ctx context.Context) (driver.Tree, error) { return s.snapshots.OpenKey(ctx, key) })
}

// diff gives the archive of the changes and what else a driver says of them, in words.
func (s *side) diff(ctx context.Context, key string) (data []byte, words string, err error) {
	var b bytes.Buffer
	stats, err := s.snapshots.Diff(ctx, key, &b)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.name, err)
	}
	changes, err := s.snapshots.Changes(ctx, key)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", s.name, err)
	}
	words = fmt.Sprintf("%+v\n", stats)
	for _, c := range changes {
		words += fmt.Sprintf("%c %s\n", c.Kind, c.Path)
	}
	return b.Bytes(), words, nil
}
