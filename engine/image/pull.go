package image

import (
	"context"
	"fmt"
	"maps"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// PullOptions say how an image is pulled. The zero value is for this machine, and tells nobody.
type PullOptions struct {
	Platform string   // "linux/arm64"; empty: this machine's
	Progress Progress // nil for nobody
}

// Pull fetches the image that ref means in its registry, and names it ref. Of a list
// of manifests it takes the one that docker would. Blobs that are here are not fetched again, and those that came whole before an error
// are kept for the next try, until something is collected; but no name leads to an image that isn't all here. Everything is verified:
// digests, sizes, media types, and each layer against the config. If ref has a digest the image gets no tag and is found by that digest.
//
// The caller holds the lock "gc" shared. Errors of the registry are *registry.Error.
func (s *Store) Pull(ctx context.Context, op *home.Operation, ref oci.Ref, o PullOptions) (img Image, err error) {
	want, err := ParsePlatform(o.Platform)
	if err != nil {
		return Image{}, fmt.Errorf("pull %s: %w", ref.Familiar(), err)
	}
	p := puller{Store: s, client: s.client(), op: op, ref: ref, want: want}
	ctx, end := trace.Step(ctx, vocab.ImagePull, trace.String("ref", ref.String()), trace.String("platform", platformText(want)))
	defer func() {
		end(err, trace.String("image", string(img.ID)), trace.Int("blobs", p.blobs), trace.Int("size_bytes", p.bytes))
	}()
	img, err = p.pull(ctx)
	if err != nil {
		return Image{}, fmt.Errorf("pull %s: %w", ref.Familiar(), err)
	}
	s.tellTransfer(events.ActionPull, ref)
	return img, nil
}

// Client is the way to registries.
func (s *Store) Client() *registry.Client { return s.client() }

// client is the way to registries.
func (s *Store) client() *registry.Client {
	if s.Registry != nil {
		return s.Registry
	}
	return registry.New(registry.Config{})
}

// puller is one pull under way.
type puller struct {
	*Store
	client       *registry.Client
	op           *home.Operation
	ref          oci.Ref
	want         v1.Platform
	blobs, bytes int64 // that came over the network
}

func (p *puller) pull(ctx context.Context) (Image, error) {
	top, err := p.client.Resolve(ctx, p.ref)
	if err != nil {
		return Image{}, err
	}
	desc, data, err := p.choose(ctx, top, maxNesting)
	if err != nil {
		return Image{}, err
	}
	m, err := parsePulled(desc, data)
	if err != nil {
		return Image{}, err
	}
	config, err := p.config(ctx, m.Config)
	if err != nil {
		return Image{}, err
	}
	layers, err := layersOf(m, config.image)
	if err != nil {
		return Image{}, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	if err := p.layers(ctx, layers); err != nil {
		return Image{}, err
	}
	return p.enter(ctx, top.Digest, desc, data, config, layers)
}

// enter stores config and manifest and gives the image its name.
func (p *puller) enter(ctx context.Context, top digest.Digest, desc v1.Descriptor, data []byte, config pulledConfig, layers []Layer) (Image, error) {
	failpoint.Hit("image.pull.before-config")
	if _, err := p.Store.blobs.Put(ctx, p.op, config.data, config.mediaType); err != nil {
		return Image{}, err
	}
	failpoint.Hit("image.pull.before-manifest")
	if _, err := p.Store.blobs.Put(ctx, p.op, data, desc.MediaType); err != nil {
		return Image{}, err
	}
	id := oci.Sum(config.data)
	entry := publication{image: newImage(id, v1.Descriptor{MediaType: desc.MediaType, Digest: desc.Digest, Size: desc.Size}, config.image, layers)}
	entry.source = sourceOf(p.ref, top)
	if p.ref.Digest() == "" {
		entry.refs = []oci.Ref{p.ref}
	}
	list := []publication{entry}
	if err := p.publish(ctx, p.op, list, "pull"); err != nil {
		return list[0].image, err
	}
	return list[0].image, p.notePulled(ctx, p.op, p.ref, id, layers)
}

// sourceOf is what annotationSource says of an image pulled from ref's repository as d.
func sourceOf(ref oci.Ref, d digest.Digest) string { return ref.Name() + "@" + string(d) }

// noteSource writes down at each entry of an image what it was pulled as.
func (s *Store) noteSource(x *index, id digest.Digest, source string) {
	for _, i := range s.positions(x, id) {
		d := &x.Manifests[i]
		d.Annotations = maps.Clone(d.Annotations)
		if d.Annotations == nil {
			d.Annotations = map[string]string{}
		}
		d.Annotations[annotationSource] = source
	}
}

// choose follows lists of manifests to the manifest for the platform, and reads it.
func (p *puller) choose(ctx context.Context, d v1.Descriptor, depth int) (v1.Descriptor, []byte, error) {
	data, err := p.document(ctx, d)
	if err != nil {
		return d, nil, err
	}
	if oci.IsManifest(d.MediaType) {
		return d, data, nil
	}
	if depth == 0 {
		return d, nil, fmt.Errorf("manifest list %s: lists are nested more than %d deep", d.Digest, maxNesting)
	}
	x, err := oci.ParseIndex(data)
	if err != nil {
		return d, nil, fmt.Errorf("manifest list %s: %w", d.Digest, err)
	}
	if x.MediaType != "" && x.MediaType != d.MediaType {
		return d, nil, fmt.Errorf("manifest list %s: it says that it is of type %.100q, the registry says %q", d.Digest, x.MediaType, d.MediaType)
	}
	next, err := ChoosePlatform(x.Manifests, p.want)
	if err != nil {
		return d, nil, fmt.Errorf("manifest list %s: %w", d.Digest, err)
	}
	return p.choose(ctx, next, depth-1)
}

// document reads a manifest, from here if it is here.
func (p *puller) document(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	data, err := p.Store.blobs.ReadAll(d.Digest, oci.MaxJSON)
	if err == nil && int64(len(data)) == d.Size {
		return data, nil
	}
	if data, err = p.client.Manifest(ctx, p.ref, d); err == nil {
		p.count(len(data))
	}
	return data, err
}

func (p *puller) count(n int) { p.blobs, p.bytes = p.blobs+1, p.bytes+int64(n) }

// parsePulled reads an image's manifest and refuses what is none, or what leads elsewhere.
func parsePulled(d v1.Descriptor, data []byte) (v1.Manifest, error) {
	refuse := func(format string, args ...any) (v1.Manifest, error) {
		return v1.Manifest{}, fmt.Errorf("manifest "+string(d.Digest)+": "+format, args...)
	}
	m, err := oci.ParseManifest(data)
	if err != nil {
		return refuse("%w", err)
	}
	if m.MediaType != "" && m.MediaType != d.MediaType {
		return refuse("it says that it is of type %.100q, the registry says %q", m.MediaType, d.MediaType)
	}
	if !oci.IsConfig(m.Config.MediaType) {
		return v1.Manifest{}, &ArtifactError{Manifest: d, Type: artifactType(m), Blobs: m.Layers}
	}
	if m.Config.Size > oci.MaxJSON {
		return refuse("its config has %d bytes, at most %d are read", m.Config.Size, oci.MaxJSON)
	}
	for _, l := range m.Layers {
		if !oci.IsLayer(l.MediaType) {
			return refuse("layer %s is of type %.100q, expected a tar archive, plain or compressed by gzip or zstd", l.Digest, l.MediaType)
		}
		if len(l.URLs) > 0 {
			return refuse("layer %s is to be fetched from %.100q and not from the registry: such foreign layers are not fetched", l.Digest, l.URLs[0])
		}
	}
	return m, nil
}

type pulledConfig struct {
	data      []byte
	mediaType string
	image     oci.Image
}

// config reads the image's config, from here if it is here.
func (p *puller) config(ctx context.Context, d v1.Descriptor) (pulledConfig, error) {
	c := pulledConfig{mediaType: d.MediaType}
	var err error
	if c.data, err = p.Store.blobs.ReadAll(d.Digest, oci.MaxJSON); err != nil {
		if c.data, err = p.small(ctx, d); err != nil {
			return c, err
		}
	}
	if c.image, err = oci.ParseImage(c.data); err != nil {
		return c, fmt.Errorf("config %s: %w", d.Digest, err)
	}
	if os := c.image.OS; os != "" && os != p.want.OS {
		return c, fmt.Errorf("config %s: the image is for %.40q and can't be used on %s", d.Digest, os, p.want.OS)
	}
	return c, nil
}
