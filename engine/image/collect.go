package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Report tells what Collect removed.
type Report struct {
	Blobs, Chains int
	FreedBytes    int64           // of blobs
	Busy          bool            // another operation is under way: nothing was removed, a later collection will
	Gone          []digest.Digest // chains of the layers that CollectAfter was asked about and that nothing refers to any more
}

// partialAge is how long what came of a blob waits for somebody to fetch the rest.
const partialAge = 7 * 24 * time.Hour

// patience is how long a collection waits for operations under way before it leaves its work to the next one.
const patience = 300 * time.Millisecond

// Collect removes the blobs and the unpacked chains that neither an image, nor roots, nor Keep refers to. It waits shortly
// for operations that are adding some, and gives up with Busy. roots must still hold when Collect has its lock: what can
// change meanwhile belongs in Keep.
func (s *Store) Collect(ctx context.Context, roots Roots) (Report, error) {
	return s.collect(ctx, roots, nil)
}

// CollectAfter is Collect after images were removed whose layers are given: the report's Gone tells which of them went with the images. What
// another image, a container or the build cache has is not gone.
func (s *Store) CollectAfter(ctx context.Context, layers []Layer) (Report, error) {
	return s.collect(ctx, Roots{}, layers)
}

func (s *Store) collect(ctx context.Context, roots Roots, asked []Layer) (Report, error) {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	unlock, err := s.home.Lock(wait, "gc", true)
	if err != nil {
		if ctx.Err() == nil && errors.Is(wait.Err(), context.DeadlineExceeded) {
			return Report{Busy: true}, nil
		}
		return Report{}, err
	}
	defer unlock()
	live, err := s.live(ctx, roots)
	if err != nil {
		return Report{}, fmt.Errorf("collect garbage: %w", err)
	}
	var report Report
	for _, l := range asked {
		if !live.has(l) {
			report.Gone = append(report.Gone, l.ChainID)
		}
	}
	unsure, err := s.markSkeletons(live)
	if err != nil {
		return report, fmt.Errorf("collect garbage: %w", err)
	}
	failpoint.Hit("image.collect.before-chains")
	if !unsure {
		err = s.sweepChains(ctx, live, &report)
	}
	if err != nil {
		return report, fmt.Errorf("collect garbage: %w", err)
	}
	failpoint.Hit("image.collect.before-blobs")
	if err := s.sweepBlobs(ctx, live, &report); err != nil {
		return report, fmt.Errorf("collect garbage: %w", err)
	}
	s.sweepListings()
	freed, err := s.blobs.DropPartials(ctx, s.home, partialAge)
	report.FreedBytes += freed
	failpoint.Hit("image.collect.done")
	return report, err
}

// live marks what images, roots and Keep refer to.
func (s *Store) live(ctx context.Context, roots Roots) (marked, error) {
	if s.Keep != nil {
		more, err := s.Keep(ctx)
		if err != nil {
			return marked{}, err
		}
		roots.Blobs = append(slices.Clone(roots.Blobs), more.Blobs...)
		roots.Chains = append(slices.Clone(roots.Chains), more.Chains...)
	}
	return s.mark(roots)
}

// marked is what must stay.
type marked struct{ blobs, chains map[digest.Digest]bool }

// has reports that something refers to a layer, be it on the same layers below or, as the build cache does, on its own.
func (m marked) has(l Layer) bool { return m.chains[l.ChainID] || m.blobs[l.Descriptor.Digest] }

func (s *Store) mark(roots Roots) (marked, error) {
	x, err := s.readIndex()
	if err != nil {
		return marked{}, err
	}
	return s.markIndex(x, roots)
}

func (s *Store) markIndex(x *index, roots Roots) (marked, error) {
	live := marked{map[digest.Digest]bool{}, map[digest.Digest]bool{}}
	for _, d := range roots.Blobs {
		live.blobs[d] = true
	}
	for _, d := range roots.Chains {
		live.chains[d] = true
	}
	for _, d := range x.Manifests {
		if err := s.markFrom(d, live); err != nil {
			return live, err
		}
	}
	return live, nil
}

// markFrom marks what d leads to. What can't be read stops a collection: nothing may be deleted on the word of a damaged
// record. A manifest that is not there at all leads nowhere.
func (s *Store) markFrom(d v1.Descriptor, live marked) error {
	if live.blobs[d.Digest] && !oci.IsManifest(d.MediaType) {
		return nil
	}
	live.blobs[d.Digest] = true
	if _, err := s.blobs.Stat(d.Digest); err != nil {
		return nil
	}
	if oci.IsIndex(d.MediaType) {
		data, err := s.blobs.ReadAll(d.Digest, oci.MaxJSON)
		if err != nil {
			return err
		}
		list, err := oci.ParseIndex(data)
		if err != nil {
			return fmt.Errorf("read index %s: %w", d.Digest, err)
		}
		for _, m := range list.Manifests {
			if err := s.markFrom(m, live); err != nil {
				return err
			}
		}
		return nil
	}
	return s.markManifest(d, live)
}

func (s *Store) markManifest(d v1.Descriptor, live marked) error {
	m, err := s.manifest(d)
	if err != nil {
		return err
	}
	live.blobs[m.Config.Digest] = true
	for _, l := range m.Layers {
		live.blobs[l.Digest] = true
	}
	if !oci.IsConfig(m.Config.MediaType) {
		return nil
	}
	if _, err := s.blobs.Stat(m.Config.Digest); err != nil {
		return nil
	}
	data, err := s.blobs.ReadAll(m.Config.Digest, oci.MaxJSON)
	if err != nil {
		return err
	}
	config, err := oci.ParseImage(data)
	if err != nil {
		return fmt.Errorf("read image config %s: %w", m.Config.Digest, err)
	}
	for _, chain := range oci.ChainIDs(config.RootFS.DiffIDs) {
		live.chains[chain] = true
	}
	return nil
}

func (s *Store) sweepChains(ctx context.Context, live marked, report *Report) error {
	chains, err := s.layers.List(ctx)
	if err != nil {
		return err
	}
	garbage := slices.DeleteFunc(chains, func(c digest.Digest) bool { return live.chains[c] })
	if err := s.childrenFirst(garbage); err != nil {
		return err
	}
	for _, chain := range garbage {
		failpoint.Hit("image.collect.chain")
		if err := s.layers.Drop(ctx, chain); err != nil {
			return err
		}
		report.Chains++
	}
	return nil
}

// parenter is what a driver's Layers may be able to tell besides: the chain below another.
type parenter interface {
	Parent(chain digest.Digest) (digest.Digest, error)
}

// childrenFirst sorts chains so that none is removed before those that stand on it. Where the driver can't tell, the order
// stays: Unpack finds a chain whose parent is gone and unpacks it anew.
func (s *Store) childrenFirst(chains []digest.Digest) error {
	p, ok := s.layers.(parenter)
	if !ok {
		return nil
	}
	depth := make(map[digest.Digest]int, len(chains))
	for _, c := range chains {
		for at := c; at != ""; depth[c]++ {
			below, err := p.Parent(at)
			if err != nil {
				break // the stack is cut off here already
			}
			at = below
		}
	}
	slices.SortStableFunc(chains, func(a, b digest.Digest) int { return depth[b] - depth[a] })
	return nil
}

// sweepBlobs removes the largest first: that makes room soonest, and the order is the same wherever the same images are removed.
func (s *Store) sweepBlobs(ctx context.Context, live marked, report *Report) error {
	type blob struct {
		digest digest.Digest
		size   int64
	}
	var garbage []blob
	err := s.blobs.Walk(func(d digest.Digest, size int64) error {
		if !live.blobs[d] {
			garbage = append(garbage, blob{d, size})
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(garbage, func(a, b blob) int { return cmp.Compare(b.size, a.size) })
	for _, b := range garbage {
		failpoint.Hit("image.collect.blob")
		if err := s.blobs.Remove(ctx, b.digest); err != nil {
			return err
		}
		report.Blobs++
		report.FreedBytes += b.size
	}
	return ctx.Err()
}
