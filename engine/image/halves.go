package image

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
)

// Half is what the layers take in one of their two forms: as archives, or unpacked.
type Half struct {
	Layers    int
	Bytes     int64 // on disk: of archives, or of files' contents
	Droppable int64 // of Bytes, what Drop... may set free now
}

// Halves are the two forms in which layers are kept. Either can be had from the other.
type Halves struct {
	Archives Half
	Unpacked Half
	Dropped  Half // archives that were dropped: Bytes is what is left of them on disk
}

// Dropped tells what DropUnpacked or DropArchives did.
type Dropped struct {
	Layers     []digest.Digest // chains, or digests of archives
	FreedBytes int64
	Kept       []Kept
	Busy       bool // another operation is under way: nothing was dropped
}

// Kept is a layer of which a half could not be dropped.
type Kept struct {
	Layer  digest.Digest
	Reason string
}

// stacked is a layer and where it lies.
type stacked struct {
	Layer
	chains []digest.Digest // of the layers up to and with this one
}

// layersOnce lists the layers of all images that can be read, each archive once, in a stack that is unpacked if there is one.
func (s *Store) layersOnce(ctx context.Context) ([]stacked, error) {
	images, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []stacked
	at := map[digest.Digest]int{}
	for _, img := range images {
		var chains []digest.Digest
		for _, l := range img.Layers {
			chains = append(chains, l.ChainID)
			i, known := at[l.Descriptor.Digest]
			switch {
			case !known:
				at[l.Descriptor.Digest] = len(all)
				all = append(all, stacked{l, slices.Clone(chains)})
			case !s.allHere(all[i].chains) && s.allHere(chains):
				all[i] = stacked{l, slices.Clone(chains)}
			}
		}
	}
	return all, nil
}

func (s *Store) allHere(chains []digest.Digest) bool {
	return !slices.ContainsFunc(chains, func(c digest.Digest) bool { return !s.layers.Has(c) })
}

// alone takes the lock that no other operation holds, waiting shortly for it; nil if there is one under way.
func (s *Store) alone(ctx context.Context) (unlock func(), err error) {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	unlock, err = s.home.Lock(wait, "gc", true)
	if err != nil && ctx.Err() == nil && errors.Is(wait.Err(), context.DeadlineExceeded) {
		return nil, nil
	}
	return unlock, err
}

// Halves measures both forms of the layers.
func (s *Store) Halves(ctx context.Context) (Halves, error) {
	var h Halves
	layers, err := s.layersOnce(ctx)
	if err != nil {
		return h, err
	}
	used, err := s.inUse(ctx)
	if err != nil {
		return h, err
	}
	origins, err := s.origins()
	if err != nil {
		return h, err
	}
	for _, l := range layers {
		size, err := s.blobs.Stored(l.Descriptor.Digest)
		if err != nil {
			if fi, err := s.skeletons.size(l.Descriptor.Digest); err == nil {
				h.Dropped.Layers++
				h.Dropped.Bytes += fi
			}
			continue
		}
		h.Archives.Layers++
		h.Archives.Bytes += size
		if s.allHere(l.chains) && (l.Descriptor.Digest == l.DiffID || len(origins[l.Descriptor.Digest].repositories()) > 0) {
			h.Archives.Droppable += size
		}
	}
	return h, s.measureUnpacked(ctx, &h.Unpacked, used)
}

func (s *Store) measureUnpacked(ctx context.Context, h *Half, used map[digest.Digest]bool) error {
	chains, err := s.layers.List(ctx)
	if err != nil {
		return err
	}
	for _, c := range chains {
		size := s.unpackedSize(c)
		h.Layers++
		h.Bytes += size
		if !used[c] {
			h.Droppable += size
		}
	}
	return nil
}

// unpackedSize is 0 where the driver can't tell.
func (s *Store) unpackedSize(chain digest.Digest) int64 {
	opener, ok := s.layers.(driver.LayerOpener)
	if !ok {
		return 0
	}
	files, err := opener.OpenLayer(chain)
	if err != nil {
		return 0
	}
	defer files.Close()
	return files.Size()
}

// inUse are the chains that containers stand on, and those that stand for archives.
func (s *Store) inUse(ctx context.Context) (map[digest.Digest]bool, error) {
	if s.Keep == nil {
		return nil, errors.New("nobody tells which layers containers use")
	}
	roots, err := s.Keep(ctx)
	if err != nil {
		return nil, err
	}
	used, err := s.holders()
	if err != nil {
		return nil, err
	}
	for _, c := range roots.Chains {
		used[c] = true
	}
	return used, nil
}

// DropUnpacked removes the unpacked trees that no container uses and that have their archive. They come back at next use. It gives up with Busy while anything is under way
// that may use one.
func (s *Store) DropUnpacked(ctx context.Context) (Dropped, error) {
	var report Dropped
	unlock, err := s.alone(ctx)
	if err != nil || unlock == nil {
		report.Busy = err == nil
		return report, err
	}
	defer unlock()
	used, err := s.inUse(ctx)
	if err != nil {
		return report, fmt.Errorf("drop unpacked layers: %w", err)
	}
	if err := s.keepUnarchived(ctx, used, &report); err != nil {
		return report, fmt.Errorf("drop unpacked layers: %w", err)
	}
	chains, err := s.layers.List(ctx)
	if err != nil {
		return report, fmt.Errorf("drop unpacked layers: %w", err)
	}
	chains = slices.DeleteFunc(chains, func(c digest.Digest) bool { return used[c] })
	if err := s.childrenFirst(chains); err != nil {
		return report, err
	}
	for _, c := range chains {
		size := s.unpackedSize(c)
		failpoint.Hit("image.drop.unpacked")
		if err := s.layers.Drop(ctx, c); err != nil {
			return report, fmt.Errorf("drop unpacked layers: %w", err)
		}
		report.Layers = append(report.Layers, c)
		report.FreedBytes += size
	}
	return report, nil
}

// keepUnarchived adds to used the trees of images whose archive is not there as it should be.
func (s *Store) keepUnarchived(ctx context.Context, used map[digest.Digest]bool, report *Dropped) error {
	images, err := s.List(ctx)
	if err != nil {
		return err
	}
	for _, img := range images {
		if img.Damaged != nil {
			return fmt.Errorf("image %s can't be read, so nothing is known of its layers: %w", img.Manifest.Digest, img.Damaged)
		}
		for i, l := range img.Layers {
			if size, err := s.blobs.Stat(l.Descriptor.Digest); err == nil && size == l.Descriptor.Size || !s.layers.Has(l.ChainID) {
				continue
			}
			for _, below := range img.Layers[:i+1] {
				used[below.ChainID] = true
			}
			report.Kept = append(report.Kept, Kept{l.ChainID, "it is all there is of the layer: its archive is lost"})
		}
	}
	return nil
}

// DropArchives removes the archives of layers that are unpacked and from which, with a skeleton of some kilobytes, they can be had again byte for byte. That is proved for
// each before its archive goes. Of a compressed archive the skeleton is that of what is in it: if no compressor here gives the same bytes again, it goes only if a registry is
// known that has it, from which it comes back when somebody wants the very bytes. It gives up with Busy while anything else is under way.
func (s *Store) DropArchives(ctx context.Context) (Dropped, error) {
	var report Dropped
	unlock, err := s.alone(ctx)
	if err != nil || unlock == nil {
		report.Busy = err == nil
		return report, err
	}
	defer unlock()
	layers, err := s.layersOnce(ctx)
	if err != nil {
		return report, err
	}
	origins, err := s.origins()
	if err != nil {
		return report, err
	}
	for _, l := range layers {
		d := l.Descriptor.Digest
		if _, err := s.blobs.Stored(d); err != nil {
			continue
		}
		freed, err := s.dropArchive(ctx, l, origins[d].repositories())
		if ctx.Err() != nil {
			return report, fmt.Errorf("drop archives: %w", ctx.Err())
		}
		if err != nil {
			report.Kept = append(report.Kept, Kept{d, err.Error()})
			continue
		}
		report.Layers = append(report.Layers, d)
		report.FreedBytes += freed
	}
	return report, nil
}

// dropArchive drops one archive. The tree is durable first, then the skeleton, then the file goes: whatever happens in between, one of the two is whole.
func (s *Store) dropArchive(ctx context.Context, l stacked, from []oci.Ref) (freed int64, err error) {
	opener, ok := s.layers.(driver.LayerOpener)
	switch {
	case !ok:
		return 0, errors.New("this driver can't give the files of a layer back")
	case !s.allHere(l.chains):
		return 0, errors.New("it is not unpacked, so the archive is all there is of it")
	}
	rec, err := s.newSkeleton(ctx, l, from)
	if err != nil {
		return 0, err
	}
	if err := opener.Settle(ctx, l.ChainID); err != nil {
		return 0, err
	}
	failpoint.Hit("image.drop.settled")
	var skeleton int64
	err = s.withOperation("drop archives", func(op *home.Operation) error {
		archive := s.OpenLayer(l.Layer)
		defer archive.Close()
		skeleton, err = s.skeletons.write(ctx, op, rec, archive)
		return err
	})
	if err != nil {
		return 0, err
	}
	failpoint.Hit("image.drop.skeleton")
	if err := s.blobs.Discard(rec.Digest); err != nil {
		return 0, err
	}
	failpoint.Hit("image.drop.archive")
	trace.Fact(ctx, vocab.ArchiveDrop, trace.String("digest", string(rec.Digest)), trace.Int("size_bytes", rec.Size), trace.Int("skeleton_bytes", skeleton))
	return rec.Size - skeleton, nil
}

// newSkeleton says how the blob of l will be had again when its file is gone.
func (s *Store) newSkeleton(ctx context.Context, l stacked, from []oci.Ref) (skeletonRecord, error) {
	rec := skeletonRecord{Digest: l.Descriptor.Digest, Size: l.Descriptor.Size, Chains: l.chains, Driver: s.DriverName}
	if rec.Digest == l.DiffID {
		return rec, nil
	}
	var err error
	if rec.Form, err = s.formOf(ctx, rec.Digest); err != nil {
		return rec, err
	}
	for _, ref := range from[:min(len(from), maxKnownIn)] {
		rec.Sources = append(rec.Sources, ref.Name())
	}
	if rec.Form == "" && len(rec.Sources) == 0 {
		return rec, errors.New("it was compressed by another program, which gives bytes of its own, and no registry is known to have them")
	}
	rec.DiffID = l.DiffID
	return rec, nil
}
