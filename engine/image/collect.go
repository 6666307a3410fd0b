package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Report tells what Collect removed.
type Report struct {
	Blobs, Chains int
	FreedBytes    int64 // of blobs
	Busy          bool  // another operation is under way: nothing was removed, a later collection will
}

// PruneReport tells what Prune removed.
type PruneReport struct {
	Removed    []Removal
	FreedBytes int64 // of blobs; 0 if the Store has no Keep, because then nothing was collected
}

// partialAge is how long what came of a blob waits for somebody to fetch the rest.
const partialAge = 7 * 24 * time.Hour

// patience is how long a collection waits for operations under way before it leaves its work to the next one.
const patience = 300 * time.Millisecond

// Collect removes the blobs and the unpacked chains that neither an image, nor roots, nor Keep refers to. It waits shortly
// for operations that are adding some, and gives up with Busy. roots must still hold when Collect has its lock: what can
// change meanwhile belongs in Keep.
func (s *Store) Collect(ctx context.Context, roots Roots) (Report, error) {
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
	if s.Keep != nil {
		more, err := s.Keep(ctx)
		if err != nil {
			return Report{}, fmt.Errorf("collect garbage: %w", err)
		}
		roots.Blobs = append(slices.Clone(roots.Blobs), more.Blobs...)
		roots.Chains = append(slices.Clone(roots.Chains), more.Chains...)
	}
	live, err := s.mark(roots)
	if err != nil {
		return Report{}, fmt.Errorf("collect garbage: %w", err)
	}
	var report Report
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

// marked is what must stay.
type marked struct{ blobs, chains map[digest.Digest]bool }

func (s *Store) mark(roots Roots) (marked, error) {
	live := marked{map[digest.Digest]bool{}, map[digest.Digest]bool{}}
	for _, d := range roots.Blobs {
		live.blobs[d] = true
	}
	for _, d := range roots.Chains {
		live.chains[d] = true
	}
	x, err := s.readIndex()
	if err != nil {
		return live, err
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

func (s *Store) sweepBlobs(ctx context.Context, live marked, report *Report) error {
	return s.blobs.Walk(func(d digest.Digest, size int64) error {
		if live.blobs[d] {
			return ctx.Err()
		}
		failpoint.Hit("image.collect.blob")
		if err := s.blobs.Remove(ctx, d); err != nil {
			return err
		}
		report.Blobs++
		report.FreedBytes += size
		return nil
	})
}

// Prune removes the images without a name, with all also those with one, as long as inUse says that no container was made
// of them. If the Store has a Keep, what they alone referred to is collected.
func (s *Store) Prune(ctx context.Context, all bool, inUse func(id digest.Digest) bool) (report PruneReport, err error) {
	ctx, end := trace.Step(ctx, vocab.ImagePrune, trace.Bool("all", all))
	images := 0
	defer func() { end(err, trace.Int("images", int64(images)), trace.Int("freed_bytes", report.FreedBytes)) }()
	list, err := s.List(ctx)
	if err != nil {
		return report, err
	}
	for _, img := range list {
		if img.ID == "" || !all && len(img.Refs) > 0 || inUse(img.ID) {
			continue
		}
		gone, err := s.pruneOne(ctx, img.ID, all)
		if err != nil {
			return report, err
		}
		if len(gone) > 0 {
			images++
		}
		report.Removed = append(report.Removed, gone...)
	}
	if err := os.RemoveAll(s.listings()); err != nil {
		return report, fmt.Errorf("prune images: %w", err)
	}
	if s.Keep == nil {
		return report, nil
	}
	collected, err := s.Collect(ctx, Roots{})
	report.FreedBytes = collected.FreedBytes
	return report, err
}

// pruneOne removes an image unless it got a name meanwhile.
func (s *Store) pruneOne(ctx context.Context, id digest.Digest, all bool) ([]Removal, error) {
	r := removal{store: s, id: id, name: string(id), force: true}
	err := s.withOperation("prune image", func(op *home.Operation) error {
		return s.changeIndex(ctx, op, func(x *index) error {
			if all || len(s.refs(x, id)) == 0 {
				r.remove(x)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	r.record(ctx)
	return r.removals(), nil
}
