package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// AwayError is the archive of a layer that was dropped and that only a registry can give: its files are here, but another program compressed
// it, and no compressor is sure to give the bytes of another one.
type AwayError struct {
	Digest  digest.Digest
	Images  []string // images here that have the layer
	Tried   []string // repositories where it was looked for
	Pullers []string // what to pull for it to come back
	Err     error    // why the last repository did not give it
}

func (e *AwayError) Error() string {
	text := "layer " + string(e.Digest)
	if len(e.Images) > 0 {
		text += " of " + strings.Join(e.Images, ", ")
	}
	text += ": its archive was dropped, and its bytes can't be made again here"
	if len(e.Tried) > 0 {
		text += fmt.Sprintf("; it was looked for in %s: %v", strings.Join(e.Tried, ", "), e.Err)
	}
	if len(e.Pullers) == 0 {
		return text + "; load or pull the image again"
	}
	return text + "; when the registry can be reached, docker pull " + e.Pullers[0] + " brings it back"
}

func (e *AwayError) Unwrap() error { return e.Err }

// origin is where a layer's blob may be had again.
type origin struct {
	images  []string  // names of images here that have it
	pullers []string  // of them, what they were pulled as
	refs    []oci.Ref // repositories, those that the images are known by first
}

func (o *origin) add(ref oci.Ref, err error) {
	if err == nil && !slices.ContainsFunc(o.refs, func(r oci.Ref) bool { return r.Name() == ref.Name() }) {
		o.refs = append(o.refs, ref)
	}
}

// repositories are where the blob may be; none of nil.
func (o *origin) repositories() []oci.Ref {
	if o == nil {
		return nil
	}
	return o.refs
}

// origins finds the repositories of the layers of all images: those that index.json knows the images by, and those where the blobs were seen.
func (s *Store) origins() (map[digest.Digest]*origin, error) {
	x, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	all := map[digest.Digest]*origin{}
	for _, d := range x.Manifests {
		if !isOurs(d) {
			continue
		}
		m, err := s.manifest(d)
		if err != nil {
			continue // check and List tell of it
		}
		for _, l := range m.Layers {
			if all[l.Digest] == nil {
				all[l.Digest] = &origin{}
			}
			all[l.Digest].from(d)
		}
	}
	for _, b := range s.readKnown().Blobs {
		if o := all[b.Digest]; o != nil {
			for _, name := range b.Repositories {
				o.add(oci.ParseName(name))
			}
		}
	}
	return all, nil
}

// from adds what an entry of index.json tells of the layers of its image.
func (o *origin) from(d v1.Descriptor) {
	name := refOf(d)
	shown := name.Familiar()
	if name.IsZero() {
		shown = cmp.Or(d.Annotations[annotationConfig], string(d.Digest))
	}
	if !slices.Contains(o.images, shown) {
		o.images = append(o.images, shown)
	}
	for word := range strings.FieldsSeq(d.Annotations[annotationSource]) {
		ref, err := oci.ParseRef(word)
		o.add(ref, err)
		if err != nil {
			continue
		}
		pull := ref.Familiar()
		if name.Name() == ref.Name() {
			pull = shown
		}
		if !slices.Contains(o.pullers, pull) {
			o.pullers = append(o.pullers, pull)
		}
	}
}

// canGive reports that the very bytes of a blob can be had here: its file is there, or what it is put together from.
func (s *Store) canGive(d v1.Descriptor) bool {
	if size, err := s.blobs.Stored(d.Digest); err == nil {
		return size == d.Size
	}
	rec, err := s.skeletons.record(d.Digest)
	return err == nil && rec.Size == d.Size && rec.exact() && s.allHere(rec.Chains)
}

// exact opens the very bytes of a layer's blob. Where they can't be made here, they come once more from a registry, and stay.
func (s *Store) exact(ctx context.Context, op *home.Operation, d v1.Descriptor, told Progress) (io.ReadCloser, error) {
	if err := s.bringBack(ctx, op, d, told); err != nil {
		return nil, err
	}
	return s.blobs.Open(d.Digest)
}

// bringBack fetches the blob of a layer whose archive was dropped and can't be made again here. It is verified as in a pull, and what came of
// it before an error is there for the next try.
func (s *Store) bringBack(ctx context.Context, op *home.Operation, d v1.Descriptor, told Progress) error {
	if s.canGive(d) {
		return nil
	}
	rec, err := s.skeletons.record(d.Digest)
	if errors.Is(err, blob.ErrNotFound) {
		return nil // it was not dropped but is lost: who opens it is told so
	}
	all, err := s.origins()
	if err != nil {
		return err
	}
	o := cmp.Or(all[d.Digest], &origin{})
	for _, name := range rec.Sources {
		o.add(oci.ParseName(name))
	}
	if rec.exact() && len(o.refs) == 0 {
		return nil // its tree is damaged, which is told by who opens it
	}
	away := &AwayError{Digest: d.Digest, Images: o.images, Pullers: o.pullers}
	for _, ref := range o.refs {
		if away.Err = s.fetchAgain(ctx, op, ref, d, told); away.Err == nil || ctx.Err() != nil {
			return away.Err
		}
		away.Tried = append(away.Tried, ref.Name())
	}
	return away
}

// fetchAgain brings one blob from the repository of ref into the store, as a pull does.
func (s *Store) fetchAgain(ctx context.Context, op *home.Operation, ref oci.Ref, d v1.Descriptor, told Progress) error {
	p := &puller{Store: s, client: s.Client(), op: op, ref: ref, progress: heard(told)}
	for {
		a := &arrival{desc: d, begun: make(chan struct{}), done: make(chan struct{})}
		resumed, err := p.fetchAlone(ctx, a)
		if err == nil {
			p.tell(ctx, a)
			return nil
		}
		if !resumed || !errors.As(err, new(*blob.DigestError)) {
			return err
		}
		// What an earlier process left was wrong: it was thrown away.
	}
}

// fetchAlone fetches a blob that nobody waits for, and tells whether it went on with what was there.
func (p *puller) fetchAlone(ctx context.Context, a *arrival) (resumed bool, err error) {
	ctx, p.cancel = context.WithCancelCause(ctx)
	defer p.cancel(nil)
	p.fetchOne(ctx, a)
	if a.partial == nil {
		return false, a.err
	}
	return a.partial.Resumed() > 0, errors.Join(a.err, a.partial.Close())
}

// bringBackAll brings back the blobs of images that can't be made here, before anything of them leaves.
func (s *Store) bringBackAll(ctx context.Context, images []saved) error {
	var missing []v1.Descriptor
	for _, img := range images {
		for _, l := range img.image.Layers {
			if !s.canGive(l.Descriptor) {
				missing = append(missing, l.Descriptor)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return s.withOperation("fetch dropped archives", func(op *home.Operation) error {
		for _, d := range missing {
			if err := s.bringBack(ctx, op, d, nil); err != nil {
				return err
			}
		}
		return nil
	})
}
