package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// PushOptions say how an image is pushed. The zero value pushes layers that were made here compressed by gzip, and tells nobody.
type PushOptions struct {
	Compression layer.Compression // of layers that are stored uncompressed; empty: gzip. Those that came in some form leave in it
	Level       int               // 0: the usual
	Platform    string            // that the image must be for; empty: any
	Progress    Progress          // nil for nobody
	Alone       bool              // artifacts that refer to the image don't go along
}

// Tags are the names with a tag that images have in the repository of ref, in their order.
func (s *Store) Tags(ref oci.Ref) ([]oci.Ref, error) {
	refs, err := s.inRepository(ref)
	if err != nil {
		return nil, err
	}
	refs = slices.DeleteFunc(refs, func(r oci.Ref) bool { return r.Tag() == "" })
	slices.SortFunc(refs, compareRefs)
	return refs, nil
}

// PushName gives the image that has the name ref, which has a tag, to ref's registry under that name, and returns the manifest as it is
// there. Layers that the repository has, or may take from another repository of its registry, are neither read nor sent. Others are
// compressed while they are sent. The config goes after them and the manifest last, so that the tag never leads to what is not all there.
//
// An image that was pulled and not changed leaves with the very manifest that it came with. Errors of the registry are *registry.Error.
func (s *Store) PushName(ctx context.Context, ref oci.Ref, o PushOptions) (d v1.Descriptor, err error) {
	unlock, err := s.home.Lock(ctx, "gc", false) // nothing is collected while it is being read
	if err != nil {
		return d, err
	}
	defer unlock()
	img, err := s.Resolve(ctx, ref.String())
	if err != nil {
		return d, err
	}
	if err := fitsPlatform(img, ref, o.Platform); err != nil {
		return d, err
	}
	err = s.withOperation("push", func(op *home.Operation) error {
		p := &pusher{Store: s, client: s.Client(), op: op, ref: ref, image: img, opts: o, progress: heard(o.Progress), known: s.readKnown()}
		d, err = p.push(ctx)
		return err
	})
	if err != nil {
		return d, fmt.Errorf("push %s: %w", ref.Familiar(), err)
	}
	s.tellTransfer(events.ActionPush, ref)
	return d, nil
}

func fitsPlatform(img Image, ref oci.Ref, platform string) error {
	if platform == "" {
		return nil
	}
	want, err := ParsePlatform(platform)
	if err != nil {
		return err
	}
	have := normalPlatform(v1.Platform{OS: img.Config.OS, Architecture: img.Config.Architecture, Variant: img.Config.Variant})
	if platformText(have) != platformText(want) {
		return fmt.Errorf("image with reference %s was found but does not provide the specified platform (%s): it is for %s", ref.Familiar(), platformText(want), platformText(have))
	}
	return nil
}

// pusher is one push under way.
type pusher struct {
	*Store
	client   *registry.Client
	op       *home.Operation
	ref      oci.Ref
	image    Image
	opts     PushOptions
	progress Progress
	known    known

	mu     sync.Mutex
	news   []knownBlob
	lacked int64 // blobs that the repository did not have
	taken  int64 // of them, that the registry had in another repository
	bytes  int64 // that were sent
}

func (p *pusher) push(ctx context.Context) (d v1.Descriptor, err error) {
	ctx, end := trace.Step(ctx, vocab.ImagePush, trace.String("ref", p.ref.String()))
	defer func() { end(err, p.counted(string(d.Digest))...) }()
	layers := p.outgoingLayers(p.image.Layers, func(l Layer) (registry.Upload, knownBlob) { return p.upload(ctx, l) })
	if err := p.sendAll(ctx, layers); err != nil {
		return d, err
	}
	d, data, err := p.manifest(layers)
	if err != nil {
		return d, err
	}
	if err := p.config(ctx); err != nil {
		return d, err
	}
	failpoint.Hit("image.push.before-manifest")
	if err := p.client.PushManifest(ctx, p.ref, d, data); err != nil {
		return d, err
	}
	if !p.opts.Alone {
		if err := p.PushReferrers(ctx, p.ref, p.image, d); err != nil {
			return d, fmt.Errorf("the image is there, but not what refers to it: %w", err)
		}
	}
	if err := p.remember(ctx, p.op, p.ref, p.news); err != nil {
		return d, fmt.Errorf("it is there, but that could not be noted: %w", err)
	}
	return d, p.noteDigest(ctx, d.Digest)
}

// noteDigest lets the image be found by the digest that it has in the registry.
func (p *pusher) noteDigest(ctx context.Context, d digest.Digest) error {
	source := sourceOf(p.ref, d)
	x, err := p.readIndex()
	if err != nil {
		return err
	}
	at := p.positions(x, p.image.ID)
	if !slices.ContainsFunc(at, func(i int) bool {
		return !slices.Contains(strings.Fields(x.Manifests[i].Annotations[annotationSource]), source)
	}) {
		return nil
	}
	return p.changeIndex(ctx, p.op, func(x *index) error {
		p.noteSource(x, p.image.ID, source, "")
		return nil
	})
}

// upload says how a layer leaves: as it is stored, or compressed. Where it was compressed before, its digest is known without doing so.
func (p *pusher) upload(ctx context.Context, l Layer) (registry.Upload, knownBlob) {
	stored := l.Descriptor
	stored.Annotations = nil
	open := func() (io.ReadCloser, error) { return p.exact(ctx, p.op, stored, p.progress) }
	u := registry.Upload{Blob: stored, Open: open}
	news := knownBlob{}
	if f := p.form(l); f.kind != layer.None {
		u.Blob = v1.Descriptor{MediaType: f.mediaType()}
		u.Open = func() (io.ReadCloser, error) { return f.compress(open()) }
		news.DiffID, news.Compression = l.DiffID, f.name()
		if before := p.known.compressed(l.DiffID, f.name()); before != nil {
			u.Blob.Digest, u.Blob.Size = before.Digest, before.Size
		}
	}
	return u, news
}

// form is how a layer is to be compressed: not at all if it is already, or came from a registry as it is.
func (p *pusher) form(l Layer) form {
	if b := p.known.find(l.DiffID); l.Descriptor.Digest != l.DiffID || b != nil && b.Pulled {
		return form{kind: layer.None}
	}
	return newForm(p.opts.Compression, p.opts.Level)
}

// manifest is the one that the image has, or one that names the layers as they are there now.
func (p *pusher) manifest(layers []*outgoing) (v1.Descriptor, []byte, error) {
	became := map[digest.Digest]v1.Descriptor{}
	changed := false
	for _, o := range layers {
		became[o.layer.Descriptor.Digest] = o.done.Blob
		changed = changed || o.done.Blob.Digest != o.layer.Descriptor.Digest
	}
	data, err := p.Store.blobs.ReadAll(p.image.Manifest.Digest, oci.MaxJSON)
	if err != nil || !changed {
		return p.image.Manifest, data, err
	}
	var m v1.Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("read manifest %s: %w", p.image.Manifest.Digest, err)
	}
	m.MediaType, m.Config.MediaType = oci.MediaTypeManifest, oci.MediaTypeConfig
	for i, l := range m.Layers {
		d := became[l.Digest]
		m.Layers[i] = v1.Descriptor{MediaType: ociLayerType(d.MediaType), Digest: d.Digest, Size: d.Size, Annotations: l.Annotations}
	}
	if data, err = json.Marshal(m); err != nil {
		return v1.Descriptor{}, nil, fmt.Errorf("encode manifest: %w", err)
	}
	return v1.Descriptor{MediaType: m.MediaType, Digest: oci.Sum(data), Size: int64(len(data))}, data, nil
}

// config sends the image's config, which is small.
func (p *pusher) config(ctx context.Context) error {
	data, err := p.Store.blobs.ReadAll(p.image.ID, oci.MaxJSON)
	if err != nil {
		return err
	}
	c := BytesContent(oci.MediaTypeConfig, data)
	return p.send(ctx, &outgoing{upload: registry.Upload{Blob: c.Descriptor, Open: c.Open}})
}

// notePulled remembers in which repository the blobs of a pulled image are, and that they came in that form.
func (s *Store) notePulled(ctx context.Context, op *home.Operation, ref oci.Ref, config digest.Digest, layers []Layer) error {
	var news []knownBlob
	for _, l := range layers {
		news = append(news, knownBlob{Digest: l.Descriptor.Digest, Size: l.Descriptor.Size, Pulled: l.Descriptor.Digest == l.DiffID})
	}
	return s.remember(ctx, op, ref, append(news, knownBlob{Digest: config}))
}

// mediaTypeOf is the image-spec's type of a layer of that compression.
func (f form) mediaType() string {
	if f.kind == layer.Zstd {
		return oci.MediaTypeLayerZstd
	}
	return oci.MediaTypeLayerGzip
}
