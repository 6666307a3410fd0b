package image

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// PruneOptions say what Prune removes. The zero value stands for every image without a tag.
type PruneOptions struct {
	All    bool                        // also images with a tag
	Match  func(Image) bool            // of these only those that it accepts; nil: all
	InUse  func(id digest.Digest) bool // a container was made of it: it stays; nil: none is
	DryRun bool                        // say what would go, and remove nothing
}

// PruneReport tells what Prune removed, or with DryRun would.
type PruneReport struct {
	Removed    []Removal
	FreedBytes int64 // of blobs; 0 if the Store has no Keep, because then nothing was collected
}

// Prune removes the images without a tag, with All also those with one, as long as no container was made of them. If the Store has a Keep,
// what they alone referred to is collected.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (report PruneReport, err error) {
	candidates, err := s.candidates(ctx, o)
	if err != nil {
		return PruneReport{}, err
	}
	if o.DryRun {
		return s.rehearse(ctx, candidates)
	}
	ctx, end := trace.Step(ctx, vocab.ImagePrune, trace.Bool("all", o.All))
	images := 0
	defer func() { end(err, trace.Int("images", int64(images)), trace.Int("freed_bytes", report.FreedBytes)) }()
	var layers []Layer
	for _, img := range candidates {
		layers = append(layers, s.layersOf(img)...)
	}
	gone, err := s.pruneAll(ctx, candidates, o.All)
	if err != nil {
		return report, err
	}
	images = len(gone)
	for _, r := range gone {
		report.Removed = append(report.Removed, r.removals()...)
	}
	if err := os.RemoveAll(s.listings()); err != nil {
		return report, fmt.Errorf("prune images: %w", err)
	}
	if s.Keep == nil {
		return report, nil
	}
	collected, err := s.CollectAfter(ctx, layers)
	report.Removed = append(report.Removed, deletedChains(collected.Gone)...)
	report.FreedBytes = collected.FreedBytes
	return report, err
}

// candidates are the images that o speaks of, the newest first.
func (s *Store) candidates(ctx context.Context, o PruneOptions) ([]Image, error) {
	look := s.Brief
	if o.Match != nil {
		look = s.List // labels are in the config
	}
	list, err := look(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(img Image) bool {
		return img.ID == "" || !o.All && len(img.Refs) > 0 || o.InUse != nil && o.InUse(img.ID) || o.Match != nil && !o.Match(img)
	}), nil
}

// layersOf are the layers of an image that may have been read in brief, the topmost first; none if it can't be read.
func (s *Store) layersOf(img Image) []Layer {
	if len(img.Layers) == 0 {
		img, _ = s.read(&index{}, img.Manifest)
	}
	layers := slices.Clone(img.Layers)
	slices.Reverse(layers)
	return layers
}

func deletedChains(chains []digest.Digest) []Removal {
	var list []Removal
	seen := map[digest.Digest]bool{}
	for _, c := range chains {
		if !seen[c] {
			seen[c] = true
			list = append(list, Removal{Deleted: c})
		}
	}
	return list
}

// pruneAll removes images in one change of the index, but those that got a tag meanwhile.
func (s *Store) pruneAll(ctx context.Context, images []Image, all bool) ([]*removal, error) {
	going := map[digest.Digest]*references{}
	for _, img := range images {
		going[img.ID] = &references{}
	}
	gone := make([]*removal, 0, len(images))
	err := s.withOperation("prune images", func(op *home.Operation) error {
		return s.changeIndex(ctx, op, func(x *index) error {
			found := s.gatherNames(x, going)
			for _, img := range images {
				names := going[img.ID]
				if !found[img.ID] || !all && len(names.tags) > 0 {
					delete(going, img.ID)
					continue
				}
				names.sort()
				gone = append(gone, &removal{store: s, id: img.ID, untagged: names.all(), deleted: true})
			}
			x.Manifests = slices.DeleteFunc(x.Manifests, func(d v1.Descriptor) bool {
				id, err := s.idOf(d)
				return err == nil && isOurs(d) && going[id] != nil
			})
			failpoint.Hit("image.prune.before-index")
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	for _, r := range gone {
		r.record(ctx)
	}
	return gone, nil
}

// gatherNames fills in the names of the images in want, and tells which of them are in the index.
func (s *Store) gatherNames(x *index, want map[digest.Digest]*references) map[digest.Digest]bool {
	found := map[digest.Digest]bool{}
	for _, d := range x.Manifests {
		if !isOurs(d) {
			continue
		}
		if id, err := s.idOf(d); err == nil && want[id] != nil {
			want[id].add(d)
			found[id] = true
		}
	}
	return found
}

// rehearse says what removing images would remove, and how many bytes of blobs nothing would refer to any more.
func (s *Store) rehearse(ctx context.Context, images []Image) (PruneReport, error) {
	before, after, err := s.withAndWithout(ctx, images)
	if err != nil {
		return PruneReport{}, err
	}
	var report PruneReport
	var gone []digest.Digest
	for _, img := range images {
		names := references{tags: img.Refs, digests: img.Digests}
		for _, ref := range names.all() {
			report.Removed = append(report.Removed, Removal{Untagged: ref.Familiar()})
		}
		report.Removed = append(report.Removed, Removal{Deleted: img.ID})
		for _, l := range s.layersOf(img) {
			if !after.has(l) {
				gone = append(gone, l.ChainID)
			}
		}
	}
	report.Removed = append(report.Removed, deletedChains(gone)...)
	for d := range before.blobs {
		if after.blobs[d] {
			continue
		}
		if size, err := s.blobs.Stat(d); err == nil {
			report.FreedBytes += size
		}
	}
	return report, nil
}

// withAndWithout marks what is live now, and what would be without the images.
func (s *Store) withAndWithout(ctx context.Context, images []Image) (before, after marked, err error) {
	roots := Roots{}
	if s.Keep != nil {
		if roots, err = s.Keep(ctx); err != nil {
			return before, after, err
		}
	}
	x, err := s.readIndex()
	if err != nil {
		return before, after, err
	}
	if before, err = s.markIndex(x, roots); err != nil {
		return before, after, err
	}
	going := map[digest.Digest]bool{}
	for _, img := range images {
		going[img.ID] = true
	}
	x.Manifests = slices.DeleteFunc(x.Manifests, func(d v1.Descriptor) bool {
		id, err := s.idOf(d)
		return err == nil && isOurs(d) && going[id]
	})
	after, err = s.markIndex(x, roots)
	return before, after, err
}
