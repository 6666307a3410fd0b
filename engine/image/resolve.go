package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Resolve finds an image by tag, by repository@digest (of the manifest), or by its id or the beginning of it. The error is
// a *NotFoundError or an *AmbiguousError if there is not exactly one.
func (s *Store) Resolve(ctx context.Context, name string) (Image, error) {
	img, err := s.resolve(name)
	if errors.Is(err, blob.ErrNotFound) {
		// The image may have been removed after the index was read: then the second look finds no name.
		img, err = s.resolve(name)
	}
	var missing *NotFoundError
	if s.Provide == nil || !errors.As(err, &missing) {
		return img, err
	}
	ref, parseErr := oci.ParseRef(name)
	if parseErr != nil {
		return img, err
	}
	made, provideErr := s.Provide(ctx, ref)
	if provideErr != nil {
		return Image{}, provideErr
	}
	if made {
		return s.resolve(name)
	}
	return img, err
}

func (s *Store) resolve(name string) (Image, error) {
	data, err := os.ReadFile(s.blobs.IndexPath())
	if err != nil {
		return Image{}, fmt.Errorf("read image index: %w", err)
	}
	if ref, err := oci.ParseRef(name); err == nil && fullDigest(name) == "" {
		if d, x, ok := excerpt(data, ref); ok {
			return s.read(x, d)
		}
	}
	x, err := s.parseIndex(data)
	if err != nil {
		return Image{}, err
	}
	d, _, err := s.lookup(x, name)
	if err != nil {
		return Image{}, err
	}
	return s.read(x, d)
}

// lookup finds the descriptor that name means, and tells whether name is an id and not a tag or repository.
func (s *Store) lookup(x *index, name string) (d v1.Descriptor, byID bool, err error) {
	if full := fullDigest(name); full != "" {
		if d, ok := s.byDigest(x, full); ok {
			return d, true, nil
		}
		return v1.Descriptor{}, true, &NotFoundError{name}
	}
	ref, err := oci.ParseRef(name)
	if err == nil && (ref.Repository() != string(digest.SHA256) || ref.Digest() != "") {
		if d, ok := byRef(x, ref); ok {
			return d, false, nil
		}
	}
	if d, ok, idErr := s.byPrefix(x, name); ok || idErr != nil {
		return d, true, idErr
	}
	if err != nil {
		return v1.Descriptor{}, false, err
	}
	return v1.Descriptor{}, false, &NotFoundError{ref.Familiar()}
}

func fullDigest(name string) digest.Digest {
	if !strings.HasPrefix(name, "sha256:") {
		name = "sha256:" + name
	}
	if d := digest.Digest(name); oci.CheckDigest(d) == nil {
		return d
	}
	return ""
}

// byDigest finds an image by id, or else by the digest of its manifest.
func (s *Store) byDigest(x *index, want digest.Digest) (v1.Descriptor, bool) {
	if at := s.positions(x, want); len(at) > 0 {
		return x.Manifests[at[0]], true
	}
	i := slices.IndexFunc(x.Manifests, func(d v1.Descriptor) bool { return isOurs(d) && d.Digest == want })
	if i < 0 {
		return v1.Descriptor{}, false
	}
	return x.Manifests[i], true
}

func byRef(x *index, ref oci.Ref) (v1.Descriptor, bool) {
	if ref.Digest() != "" {
		return byRepoDigest(x, ref)
	}
	if i := x.find(ref); i >= 0 {
		return x.Manifests[i], true
	}
	return v1.Descriptor{}, false
}

// byRepoDigest finds what a repository knows by a digest. As in docker, a tag beside the digest does not count: it may have moved.
func byRepoDigest(x *index, ref oci.Ref) (v1.Descriptor, bool) {
	source := sourceOf(ref, ref.Digest())
	var local v1.Descriptor
	for _, d := range x.Manifests {
		if !isOurs(d) {
			continue
		}
		if slices.Contains(strings.Fields(d.Annotations[annotationSource]), source) {
			return d, true
		}
		if d.Digest == ref.Digest() && refOf(d).Name() == ref.Name() {
			local = d // never pulled or pushed, but that is what its manifest would be called there
		}
	}
	return local, local.Digest != ""
}

func (s *Store) byPrefix(x *index, name string) (v1.Descriptor, bool, error) {
	prefix := strings.TrimPrefix(name, "sha256:")
	if prefix == "" || len(prefix) > 64 || strings.Trim(prefix, "0123456789abcdef") != "" {
		return v1.Descriptor{}, false, nil
	}
	var found v1.Descriptor
	var ids []digest.Digest
	for _, d := range x.Manifests {
		if !isOurs(d) {
			continue
		}
		id, err := s.idOf(d)
		if err == nil && strings.HasPrefix(id.Encoded(), prefix) && !slices.Contains(ids, id) {
			ids, found = append(ids, id), d
		}
	}
	if len(ids) > 1 {
		return v1.Descriptor{}, false, &AmbiguousError{prefix, ids}
	}
	return found, len(ids) == 1, nil
}

// read reads the manifest and the config that d leads to, and gathers the names from the index.
func (s *Store) read(x *index, d v1.Descriptor) (Image, error) {
	m, err := s.manifest(d)
	if err != nil {
		return Image{}, err
	}
	data, err := s.blobs.ReadAll(m.Config.Digest, oci.MaxJSON)
	if err != nil {
		return Image{}, fmt.Errorf("read image config: %w", err)
	}
	config, err := oci.ParseImage(data)
	if err != nil {
		return Image{}, fmt.Errorf("read image %s: %w", m.Config.Digest, err)
	}
	layers, err := layersOf(m, config)
	if err != nil {
		return Image{}, fmt.Errorf("read image %s: %w", m.Config.Digest, err)
	}
	setSizes(layers, d.Annotations[annotationSizes])
	img := newImage(m.Config.Digest, d, config, layers)
	names := s.references(x, img.ID)
	img.Refs, img.Digests = names.tags, names.digests
	return img, nil
}

func newImage(id digest.Digest, d v1.Descriptor, config oci.Image, layers []Layer) Image {
	d.Annotations = nil
	img := Image{ID: id, Manifest: d, Config: config, Layers: layers}
	for _, l := range layers {
		img.Size += l.Size
	}
	if config.Created != nil {
		img.Created = *config.Created
	}
	return img
}

func layersOf(m v1.Manifest, config oci.Image) ([]Layer, error) {
	diffIDs := config.RootFS.DiffIDs
	if len(m.Layers) != len(diffIDs) {
		return nil, fmt.Errorf("manifest has %d layers, config has %d", len(m.Layers), len(diffIDs))
	}
	chains := oci.ChainIDs(diffIDs)
	layers := make([]Layer, len(diffIDs))
	for i, d := range m.Layers {
		layers[i] = Layer{Descriptor: d, DiffID: diffIDs[i], ChainID: chains[i]}
	}
	return layers, nil
}
