package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// Unpack sees to it that all layers of img are unpacked, and gives the chain that they make (empty for no layers). Each
// layer is unpacked once, for whichever image or process needs it first. The caller holds the lock "gc" shared until
// something refers to the chain.
func (s *Store) Unpack(ctx context.Context, img Image) (digest.Digest, error) {
	missing, err := s.missing(ctx, img.Layers)
	if err != nil {
		return "", fmt.Errorf("unpack image %s: %w", img.ID, err)
	}
	var chain digest.Digest
	for _, l := range img.Layers {
		parent := chain
		chain = l.ChainID
		if !missing {
			continue
		}
		if err := s.unpackLayer(ctx, l, parent); err != nil {
			return "", fmt.Errorf("unpack image %s: %w", img.ID, err)
		}
	}
	return chain, nil
}

// missing reports that not every layer is unpacked. A layer that stands on one that isn't there, because a collection was
// killed half-way, is dropped. Looking from the top down can't mistake for that what another process is unpacking: it
// works from the bottom up.
func (s *Store) missing(ctx context.Context, layers []Layer) (bool, error) {
	var above []Layer // that are there though one below them may not be, top first
	missing := false
	for _, l := range slices.Backward(layers) {
		if s.layers.Has(l.ChainID) {
			above = append(above, l)
			continue
		}
		missing = true
		for _, cut := range above {
			if err := s.dropCutOff(ctx, cut.ChainID, l.ChainID); err != nil {
				return true, err
			}
		}
		above = nil
	}
	return missing, nil
}

func (s *Store) dropCutOff(ctx context.Context, chain, below digest.Digest) error {
	unlock, err := s.lockUnpack(ctx, chain)
	if err != nil {
		return err
	}
	defer unlock()
	if s.layers.Has(chain) && !s.layers.Has(below) {
		held, err := s.holders()
		if err != nil {
			return err
		}
		if held[chain] {
			return fmt.Errorf("layer chain %s is missing, and %s on it stands for an archive that was dropped: load or pull the image again", below, chain)
		}
		return s.layers.Drop(ctx, chain)
	}
	return nil
}

// lockUnpack keeps processes from unpacking the same layer side by side. There are sixteen locks, so that different layers
// seldom wait for each other.
func (s *Store) lockUnpack(ctx context.Context, chain digest.Digest) (func(), error) {
	return s.home.Lock(ctx, "unpack-"+chain.Encoded()[:1], true)
}

func (s *Store) unpackLayer(ctx context.Context, l Layer, parent digest.Digest) error {
	tar := &lazyLayer{store: s, digest: l.Descriptor.Digest}
	err := s.unpackFrom(ctx, l, parent, tar)
	err = errors.Join(err, tar.Close())
	if errors.Is(err, driver.ErrExists) {
		return nil
	}
	return err
}

// unpackFrom unpacks l from its uncompressed archive. driver.ErrExists if it is unpacked: then nothing is read.
func (s *Store) unpackFrom(ctx context.Context, l Layer, parent digest.Digest, tar io.Reader) error {
	unlock, err := s.lockUnpack(ctx, l.ChainID)
	if err != nil {
		return err
	}
	defer unlock()
	if !s.layers.Has(l.ChainID) && s.sole(l.Descriptor.Digest, l.ChainID) { // unpacking clears away what is left of the tree
		return fmt.Errorf("layer %s: its archive was dropped, and its tree is damaged: load or pull the image again", l.DiffID)
	}
	failpoint.Hit("image.unpack.before-layer")
	err = s.layers.Apply(ctx, l.ChainID, parent, l.DiffID, tar)
	failpoint.Hit("image.unpack.after-layer")
	return err
}

// lazyLayer is the uncompressed archive of a layer, opened by the first Read: a driver that has the layer reads nothing.
type lazyLayer struct {
	store  *Store
	digest digest.Digest
	blob   io.ReadCloser
	plain  io.ReadCloser
}

func (l *lazyLayer) Read(p []byte) (int, error) {
	if l.plain == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	return l.plain.Read(p)
}

func (l *lazyLayer) open() error {
	if _, err := l.store.blobs.Stored(l.digest); errors.Is(err, blob.ErrNotFound) {
		if l.plain, err = l.store.skeletons.plain(l.digest); !errors.Is(err, blob.ErrNotFound) {
			return err
		}
		l.plain = nil
	}
	f, err := l.store.blobs.Open(l.digest)
	if err != nil {
		return err
	}
	l.blob = f
	l.plain, _, err = layer.DecompressLayer(f)
	return err
}

func (l *lazyLayer) Close() error {
	var err error
	if l.plain != nil {
		err = l.plain.Close()
	}
	if l.blob != nil {
		err = errors.Join(err, l.blob.Close())
	}
	return err
}
