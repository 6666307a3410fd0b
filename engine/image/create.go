package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Create makes an image of layers, whose blobs are in the store, lowest first. The config's layers are set by Create; refs
// are the names it gets, taken from whatever image has them. origin is one of vocab's: build, commit, load, import, base, pull.
// The caller holds the lock "gc" shared since before it wrote the first blob.
func (s *Store) Create(ctx context.Context, op *home.Operation, config oci.Image, layers []Layer, refs []oci.Ref, origin string) (Image, error) {
	layers = slices.Clone(layers)
	config.RootFS = rootFS(layers)
	data, err := config.Encode()
	if err != nil {
		return Image{}, err
	}
	failpoint.Hit("image.create.before-config")
	configDesc, err := s.blobs.Put(ctx, op, data, oci.MediaTypeConfig)
	if err != nil {
		return Image{}, fmt.Errorf("create image: %w", err)
	}
	failpoint.Hit("image.create.before-manifest")
	desc, err := s.putManifest(ctx, op, configDesc, layers)
	if err != nil {
		return Image{}, fmt.Errorf("create image: %w", err)
	}
	img := newImage(configDesc.Digest, desc, config, complete(layers, config.RootFS.DiffIDs))
	list := []publication{{image: img, refs: refs}}
	err = s.publish(ctx, op, list, origin)
	return list[0].image, err
}

// Assemble describes the image that Create would make of a config and layers, without making it. It has no manifest and no names.
func Assemble(config oci.Image, layers []Layer) (Image, error) {
	layers = slices.Clone(layers)
	config.RootFS = rootFS(layers)
	data, err := config.Encode()
	if err != nil {
		return Image{}, err
	}
	return newImage(oci.Sum(data), v1.Descriptor{}, config, complete(layers, config.RootFS.DiffIDs)), nil
}

func rootFS(layers []Layer) v1.RootFS {
	fs := v1.RootFS{Type: "layers", DiffIDs: make([]digest.Digest, len(layers))}
	for i, l := range layers {
		fs.DiffIDs[i] = l.DiffID
	}
	return fs
}

func complete(layers []Layer, diffIDs []digest.Digest) []Layer {
	for i, chain := range oci.ChainIDs(diffIDs) {
		layers[i].ChainID = chain
		if layers[i].Size == 0 {
			layers[i].Size = layers[i].Descriptor.Size
		}
	}
	return layers
}

func (s *Store) putManifest(ctx context.Context, op *home.Operation, config v1.Descriptor, layers []Layer) (v1.Descriptor, error) {
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: []v1.Descriptor{}}
	for _, l := range layers {
		m.Layers = append(m.Layers, l.Descriptor)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("encode manifest: %w", err)
	}
	return s.blobs.Put(ctx, op, data, v1.MediaTypeImageManifest)
}

// publication is an image whose blobs are all in the store, and the names it is to get.
type publication struct {
	image    Image
	refs     []oci.Ref
	source   string // REPOSITORY@DIGEST that it was pulled as, or empty
	platform string // that was asked for then
	existed  bool
	tags     []tagged
}

// publish enters images into the index, all in one change, sets their Refs, and records them.
func (s *Store) publish(ctx context.Context, op *home.Operation, list []publication, origin string) error {
	failpoint.Hit("image.create.before-index")
	err := s.changeIndex(ctx, op, func(x *index) error {
		for i := range list {
			p := &list[i]
			p.existed = len(s.positions(x, p.image.ID)) > 0
			p.tags = s.link(x, p.image.descriptor(), p.image.ID, p.refs)
			if p.source != "" {
				s.noteSource(x, p.image.ID, p.source, p.platform)
			}
		}
		for i := range list {
			names := s.references(x, list[i].image.ID)
			list[i].image.Refs, list[i].image.Digests = names.tags, names.digests
		}
		return nil
	})
	failpoint.Hit("image.create.after-index")
	if err != nil {
		return fmt.Errorf("enter image: %w", err)
	}
	for _, p := range list {
		if !p.existed {
			recordCreate(ctx, p.image, origin)
		}
		recordTags(ctx, p.image.ID, p.tags)
		if origin != "load" && origin != "pull" { // which are events of their own
			s.tellTags(p.image.ID, p.tags)
		}
	}
	return nil
}

// descriptor is the image's entry for the index, without a name.
func (img Image) descriptor() v1.Descriptor {
	d := img.Manifest
	d.Annotations = map[string]string{annotationConfig: string(img.ID), annotationSizes: joinSizes(img.Layers), annotationMade: img.Created.Format(time.RFC3339Nano)}
	return d
}

// tagged is one name that was given, and the image that had it before.
type tagged struct {
	ref      oci.Ref
	previous digest.Digest
}

// link gives d the names refs. An image that loses its last name stays in the index as a dangling one; so does d without
// names.
func (s *Store) link(x *index, d v1.Descriptor, id digest.Digest, refs []oci.Ref) []tagged {
	var tags []tagged
	for _, ref := range refs {
		t := tagged{ref: ref}
		if i := x.find(ref); i >= 0 {
			t.previous = s.unlink(x, i)
		}
		x.Manifests = append(x.Manifests, named(d, ref))
		tags = append(tags, t)
	}
	at := s.positions(x, id)
	if len(at) == 0 {
		x.Manifests = append(x.Manifests, named(d, oci.Ref{}))
	}
	for _, i := range slices.Backward(at) {
		if len(refs) > 0 && refOf(x.Manifests[i]).IsZero() {
			x.Manifests = slices.Delete(x.Manifests, i, i+1)
		}
	}
	return tags
}

// unlink takes the descriptor at i out and keeps its image as a dangling one if that was its last. It returns its id.
func (s *Store) unlink(x *index, i int) digest.Digest {
	d := x.Manifests[i]
	x.Manifests = slices.Delete(x.Manifests, i, i+1)
	id, err := s.idOf(d)
	if err == nil && len(s.positions(x, id)) == 0 {
		x.Manifests = append(x.Manifests, named(d, oci.Ref{}))
	}
	return id
}

func recordCreate(ctx context.Context, img Image, origin string) {
	if trace.From(ctx) == nil {
		return
	}
	diffIDs := make([]string, len(img.Layers))
	for i, l := range img.Layers {
		diffIDs[i] = string(l.DiffID)
	}
	trace.Fact(ctx, vocab.ImageCreate, trace.String("image", string(img.ID)), trace.String("manifest", string(img.Manifest.Digest)),
		trace.Strings("diff_ids", diffIDs), trace.Int("size_bytes", img.Size), trace.String("origin", origin))
}

func recordTags(ctx context.Context, id digest.Digest, tags []tagged) {
	for _, t := range tags {
		trace.Fact(ctx, vocab.ImageTag, trace.String("ref", t.ref.String()), trace.String("image", string(id)),
			trace.String("previous", string(t.previous)))
	}
}

// Tag gives the image that source means the further name ref, taking it from whatever image has it.
func (s *Store) Tag(ctx context.Context, source string, ref oci.Ref) error {
	if ref.Digest() != "" || ref.Tag() == "" {
		return errors.New("refusing to create a tag with a digest reference")
	}
	if ref.Repository() == string(digest.SHA256) {
		return errors.New("refusing to create an ambiguous tag using digest algorithm as name")
	}
	if _, err := s.Resolve(ctx, source); err != nil {
		return err
	}
	var id digest.Digest
	var tags []tagged
	err := s.withOperation("tag image", func(op *home.Operation) error {
		return s.changeIndex(ctx, op, func(x *index) error {
			d, _, err := s.lookup(x, source)
			if err != nil {
				return err
			}
			if id, err = s.idOf(d); err != nil {
				return err
			}
			tags = s.link(x, d, id, []oci.Ref{ref})
			failpoint.Hit("image.tag.before-index")
			return nil
		})
	})
	if err != nil {
		return err
	}
	recordTags(ctx, id, tags)
	s.tellTags(id, tags)
	return nil
}
