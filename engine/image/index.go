package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Annotations of our own on the descriptors of index.json. They only save work: an index written by another tool lacks them.
const (
	annotationConfig   = "learn.config"   // digest of the config, so that an id is found without reading manifests
	annotationSizes    = "learn.sizes"    // uncompressed size of each layer, lowest first, joined by commas
	annotationSource   = "learn.source"   // REPOSITORY@DIGEST that it was pulled or pushed as, several separated by blanks; the digest may be that of a list of manifests
	annotationMade     = "learn.created"  // when the image was made, as its config says it
	annotationPlatform = "learn.platform" // that was asked for when it was pulled
)

// index is the content of index.json. Descriptors that aren't ours (lists of manifests, artifacts) are kept as they are.
type index struct{ v1.Index }

func (s *Store) readIndex() (*index, error) {
	data, err := os.ReadFile(s.blobs.IndexPath())
	if err != nil {
		return nil, fmt.Errorf("read image index: %w", err)
	}
	return s.parseIndex(data)
}

func (s *Store) parseIndex(data []byte) (*index, error) {
	var x index
	if err := json.Unmarshal(data, &x.Index); err != nil {
		return nil, fmt.Errorf("read image index %s: %w", s.blobs.IndexPath(), err)
	}
	for i, d := range x.Manifests {
		if err := oci.CheckDescriptor(d); err != nil {
			return nil, fmt.Errorf("read image index %s: manifests[%d]: %w", s.blobs.IndexPath(), i, err)
		}
	}
	return &x, nil
}

// changeIndex lets change work on the index under its lock and writes the result. Scratch space is op's.
func (s *Store) changeIndex(ctx context.Context, op *home.Operation, change func(*index) error) error {
	unlock, err := s.home.Lock(ctx, "index", true)
	if err != nil {
		return err
	}
	defer unlock()
	x, err := s.readIndex()
	if err != nil {
		return err
	}
	if err := change(x); err != nil {
		return err
	}
	x.dropOrphans()
	x.Versioned, x.MediaType = specs.Versioned{SchemaVersion: 2}, v1.MediaTypeImageIndex
	if x.Manifests == nil {
		x.Manifests = []v1.Descriptor{}
	}
	data, err := json.MarshalIndent(x.Index, "", "  ") // people read it
	if err != nil {
		return fmt.Errorf("encode image index: %w", err)
	}
	return replace(op, s.blobs.IndexPath(), append(data, '\n'))
}

// replace puts data in the place of path. The temporary file is op's, so that nothing is left of it after a crash.
func replace(op *home.Operation, path string, data []byte) error {
	f, err := os.CreateTemp(op.Dir(), filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return home.SyncDir(filepath.Dir(path))
}

// withOperation runs change as an operation of its own.
func (s *Store) withOperation(name string, change func(op *home.Operation) error) error {
	op, err := s.home.Begin(name)
	if err != nil {
		return err
	}
	return errors.Join(change(op), op.End())
}

// refOf is the name that a descriptor of index.json gives to its manifest; the zero Ref if it gives none.
func refOf(d v1.Descriptor) oci.Ref {
	name := d.Annotations[oci.AnnotationContainerName]
	if name == "" {
		name = d.Annotations[oci.AnnotationRefName]
	}
	if name == "" {
		return oci.Ref{}
	}
	ref, err := oci.ParseRef(name)
	if err != nil {
		return oci.Ref{}
	}
	return ref
}

// named is d under the name ref; the zero Ref makes it dangling.
func named(d v1.Descriptor, ref oci.Ref) v1.Descriptor {
	d.Annotations = cloneAnnotations(d.Annotations)
	delete(d.Annotations, oci.AnnotationRefName)
	delete(d.Annotations, oci.AnnotationContainerName)
	if !ref.IsZero() {
		d.Annotations[oci.AnnotationRefName] = ref.Familiar()
		d.Annotations[oci.AnnotationContainerName] = ref.String()
	}
	return d
}

func cloneAnnotations(a map[string]string) map[string]string {
	if a == nil {
		return map[string]string{}
	}
	return maps.Clone(a)
}

// isOurs tells descriptors of images from what else other tools may have put in the index.
func isOurs(d v1.Descriptor) bool { return oci.IsManifest(d.MediaType) && !isReferrer(d) }

// idOf is the id of d's image. Only an index written by another tool makes it read the manifest.
func (s *Store) idOf(d v1.Descriptor) (digest.Digest, error) {
	if id := digest.Digest(d.Annotations[annotationConfig]); oci.CheckDigest(id) == nil {
		return id, nil
	}
	m, err := s.manifest(d)
	return m.Config.Digest, err
}

func (s *Store) manifest(d v1.Descriptor) (v1.Manifest, error) {
	data, err := s.blobs.ReadAll(d.Digest, oci.MaxJSON)
	if err != nil {
		return v1.Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	m, err := oci.ParseManifest(data)
	if err != nil {
		return v1.Manifest{}, fmt.Errorf("read manifest %s: %w", d.Digest, err)
	}
	return m, nil
}

// find is the position of the descriptor with that name, or -1.
func (x *index) find(ref oci.Ref) int {
	return slices.IndexFunc(x.Manifests, func(d v1.Descriptor) bool { return isOurs(d) && refOf(d) == ref })
}

// positions are those of every descriptor whose image is id.
func (s *Store) positions(x *index, id digest.Digest) []int {
	var found []int
	for i, d := range x.Manifests {
		if !isOurs(d) {
			continue
		}
		if got, err := s.idOf(d); err == nil && got == id {
			found = append(found, i)
		}
	}
	return found
}

func joinSizes(layers []Layer) string {
	sizes := make([]string, len(layers))
	for i, l := range layers {
		sizes[i] = strconv.FormatInt(l.Size, 10)
	}
	return strings.Join(sizes, ",")
}

// setSizes fills in the uncompressed sizes; where nobody measured them, the size as stored stands in.
func setSizes(layers []Layer, annotation string) {
	sizes := strings.Split(annotation, ",")
	for i := range layers {
		layers[i].Size = layers[i].Descriptor.Size
		if len(sizes) != len(layers) || oci.IsPlainLayer(layers[i].Descriptor.MediaType) {
			continue
		}
		if n, err := strconv.ParseInt(sizes[i], 10, 64); err == nil && n >= 0 {
			layers[i].Size = n
		}
	}
}
