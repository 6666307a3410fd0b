package image

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"

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
	// Referrers has PullAlone fetch the artifacts that refer to the image, too. That they can't be had is said and no error.
	Referrers bool
}

// Pulled is what a pull came to.
type Pulled struct {
	Image
	Top   digest.Digest // that the name has in the registry: of the manifest, or of a list of manifests
	Newer bool          // the name meant another image before, or none
}

// Pull fetches the image that ref means in its registry, unpacks it, and names it ref. Of a list of manifests it takes the one that docker
// would. Blobs that are here, or can be made of what is here, are not fetched again. Those that came whole before an error are kept until something is collected, and what
// came of others too, for the next try to go on with; but no name leads to an image that isn't all here. Everything is verified: digests,
// sizes, media types, and each layer against the config. If ref has a digest the image gets no tag and is found by that digest.
//
// op is the operation that the blobs belong to, or nil: then the pull is one of its own, if there is anything to do. The caller holds the lock
// "gc" shared. Errors of the registry are *registry.Error.
func (s *Store) Pull(ctx context.Context, op *home.Operation, ref oci.Ref, o PullOptions) (got Pulled, err error) {
	want, err := ParsePlatform(o.Platform)
	if err != nil {
		return Pulled{}, fmt.Errorf("pull %s: %w", ref.Familiar(), err)
	}
	ctx, end := trace.Step(ctx, vocab.ImagePull, trace.String("ref", ref.String()), trace.String("platform", platformText(want)))
	p := puller{Store: s, client: s.Client(), op: op, ref: ref, want: want, progress: heard(o.Progress), told: trace.From(ctx) != nil}
	defer func() {
		end(err, trace.String("image", string(got.ID)), trace.Int("blobs", p.blobs.Load()), trace.Int("size_bytes", p.bytes.Load()))
	}()
	got, err = p.pull(ctx)
	if err != nil {
		return Pulled{}, pullError(ref, err)
	}
	p.progress.Say("Digest: " + string(got.Top))
	s.tellTransfer(events.ActionPull, ref)
	return got, nil
}

// Client is the way to registries: as the home's daemon.json and certs.d say, unless s.Registry is set.
func (s *Store) Client() *registry.Client {
	if s.Registry != nil {
		return s.Registry
	}
	return registry.New(registry.Config{Home: s.home.Root()})
}

// puller is one pull under way.
type puller struct {
	*Store
	client       *registry.Client
	op           *home.Operation
	ref          oci.Ref
	want         v1.Platform
	progress     Progress
	cancel       context.CancelCauseFunc
	told         bool         // somebody is told of every step, so they come one after the other
	blobs, bytes atomic.Int64 // that came over the network
}

func (p *puller) pull(ctx context.Context) (Pulled, error) {
	top, err := p.client.Resolve(ctx, p.ref)
	if err != nil {
		return Pulled{}, err
	}
	p.progress.Say(cmp.Or(p.ref.Tag(), string(p.ref.Digest())) + ": Pulling from " + p.repository())
	if img, ok := p.current(top.Digest); ok {
		return Pulled{Image: img, Top: top.Digest}, nil
	}
	before, _ := p.Store.resolve(p.ref.String())
	var img Image
	if p.op != nil {
		img, err = p.fetch(ctx, top)
	} else {
		err = p.Store.withOperation("pull image", func(op *home.Operation) (err error) {
			p.op = op
			img, err = p.fetch(ctx, top)
			return err
		})
	}
	return Pulled{Image: img, Top: top.Digest, Newer: before.ID != img.ID}, err
}

// repository is what docker calls it in its progress: without the registry's name.
func (p *puller) repository() string { return p.ref.Path() }

// current finds the image that ref means already, if it is what the registry has under that name now, and all here.
func (p *puller) current(top digest.Digest) (Image, bool) {
	x, err := p.Store.readIndex()
	if err != nil {
		return Image{}, false
	}
	d, ok := byRef(x, p.ref)
	if !ok || d.Annotations[annotationSource] != sourceOf(p.ref, top) || d.Annotations[annotationPlatform] != platformText(p.want) {
		return Image{}, false
	}
	img, err := p.Store.read(x, d)
	if err != nil {
		return Image{}, false
	}
	var chain digest.Digest
	for _, l := range img.Layers {
		if !p.Store.canGive(l.Descriptor) {
			return Image{}, false
		}
		chain = l.ChainID
	}
	return img, chain == "" || p.Store.layers.Has(chain)
}

// fetch brings in what is missing of the image that top leads to.
func (p *puller) fetch(ctx context.Context, top v1.Descriptor) (Image, error) {
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
	trace.Fact(ctx, vocab.ImageDigests, trace.String("index", indexDigest(top, desc)), trace.String("manifest", string(desc.Digest)),
		trace.String("config", string(m.Config.Digest)), trace.Int("layers", int64(len(layers))))
	if err := p.layers(ctx, layers); err != nil {
		return Image{}, err
	}
	return p.enter(ctx, top.Digest, desc, data, config, layers)
}

// indexDigest is that of the list of manifests that led to a manifest; empty if none did.
func indexDigest(top, manifest v1.Descriptor) string {
	if top.Digest == manifest.Digest {
		return ""
	}
	return string(top.Digest)
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
	entry.source, entry.platform = sourceOf(p.ref, top), platformText(p.want)
	if p.ref.Digest() == "" {
		entry.refs = []oci.Ref{p.ref}
	}
	list := []publication{entry}
	if err := p.publish(ctx, p.op, list, "pull"); err != nil {
		return list[0].image, err
	}
	return list[0].image, p.notePulled(ctx, p.op, p.ref, id, layers)
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
		p.count(int64(len(data)))
	}
	return data, err
}

func (p *puller) count(n int64) {
	p.blobs.Add(1)
	p.bytes.Add(n)
}

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

// PullAlone is Pull for those who hold no lock and have no operation.
func (s *Store) PullAlone(ctx context.Context, ref oci.Ref, o PullOptions) (Pulled, error) {
	unlock, err := s.home.Lock(ctx, "gc", false)
	if err != nil {
		return Pulled{}, err
	}
	defer unlock()
	got, err := s.Pull(ctx, nil, ref, o)
	if err == nil && o.Referrers {
		s.bringReferrers(ctx, ref, got.Image, heard(o.Progress))
	}
	return got, err
}

// RemoteTags lists the tags of the repository of ref in its registry.
func (s *Store) RemoteTags(ctx context.Context, ref oci.Ref) ([]string, error) {
	tags, err := s.Client().Tags(ctx, ref)
	if err != nil {
		return nil, pullError(ref, err)
	}
	return tags, nil
}
