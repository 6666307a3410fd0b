package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Loaded is one image that Load brought in, and the names that the archive gave it.
type Loaded struct {
	Image Image
	Refs  []oci.Ref
	Moved []Moved // names of these that meant another image before
}

// Moved is a name that was taken from an image.
type Moved struct {
	Ref  oci.Ref
	From digest.Digest // id of the image
}

// LoadOptions say what Load takes. The zero value takes the image for this machine of each list of manifests, and any other image as it is.
type LoadOptions struct {
	Platform v1.Platform // images for this platform only; any if it is empty
	Progress Progress    // is told of layers while they are read; may be nil
}

// Load reads images from what docker save, podman save or skopeo wrote: a docker-archive or an OCI archive, plain or
// compressed, in one pass. Every digest is verified before any image is entered; after an error none is. source names r
// in messages and in the trace.
func (s *Store) Load(ctx context.Context, r io.Reader, source string) (loaded []Loaded, err error) {
	return s.LoadWith(ctx, r, source, LoadOptions{})
}

// LoadWith is Load with options.
func (s *Store) LoadWith(ctx context.Context, r io.Reader, source string, o LoadOptions) (loaded []Loaded, err error) {
	ctx, end := trace.Step(ctx, vocab.ImageLoad, trace.String("source", source))
	defer func() { end(err, trace.Int("images", int64(len(loaded)))) }()
	unlock, err := s.home.Lock(ctx, "gc", false)
	if err != nil {
		return nil, err
	}
	defer unlock()
	err = s.withOperation("load images", func(op *home.Operation) error {
		loaded, err = s.load(ctx, op, r, source, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load images from %s: %w", sourceName(source), err)
	}
	for _, l := range loaded {
		s.tell(events.ActionLoad, l.Image.ID, "")
	}
	return loaded, nil
}

// cancelable ends the reading of r when ctx does.
type cancelable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func sourceName(source string) string {
	if source == "-" || source == "" {
		return "standard input"
	}
	return source
}

func (s *Store) load(ctx context.Context, op *home.Operation, r io.Reader, source string, o LoadOptions) ([]Loaded, error) {
	in, _, err := layer.Decompress(&cancelable{ctx, r})
	if err != nil {
		return nil, err
	}
	defer in.Close()
	a := newArchive(source, o)
	err = a.read(ctx, s.blobs, op, in)
	defer a.close()
	if err != nil {
		return nil, err
	}
	failpoint.Hit("image.load.staged")
	found, err := a.images()
	if err == nil {
		err = a.checkPlatforms(found)
	}
	if err != nil {
		return nil, err
	}
	published := make([]publication, len(found))
	for i, f := range found {
		img, err := s.store(ctx, op, f)
		if err != nil {
			return nil, err
		}
		published[i] = publication{image: img, refs: f.refs}
	}
	failpoint.Hit("image.load.before-index")
	if err := s.publish(ctx, op, published, "load"); err != nil {
		return nil, err
	}
	loaded := make([]Loaded, len(found))
	for i, p := range published {
		loaded[i] = Loaded{Image: p.image, Refs: p.refs}
		for _, t := range p.tags {
			if t.previous != "" && t.previous != p.image.ID {
				loaded[i].Moved = append(loaded[i].Moved, Moved{t.ref, t.previous})
			}
		}
	}
	return loaded, nil
}

// found is one image of an archive, wholly checked but not stored yet.
type found struct {
	config       *staged
	image        oci.Image
	layers       []*staged
	types        []string // media types of the layers
	manifest     *staged  // nil if the archive has none: then it is made
	manifestType string
	configType   string
	refs         []oci.Ref
}

// checkPlatforms refuses an archive with an image for another platform than the one asked for.
func (a *archive) checkPlatforms(images []*found) error {
	if a.platform == "" {
		return nil
	}
	for _, f := range images {
		have := platformOf(f.image)
		if have == a.platform {
			continue
		}
		name := string(f.config.digest)
		if len(f.refs) > 0 {
			name = f.refs[0].Familiar()
		}
		return fmt.Errorf("image with reference %s was found but does not provide the specified platform (%s): it is for %s", name, a.platform, have)
	}
	return nil
}

func platformOf(img oci.Image) string {
	return platformText(normalPlatform(v1.Platform{OS: img.OS, Architecture: img.Architecture, Variant: img.Variant}))
}

// layerName is how docker's progress would name the entry: by its digest if the name has it.
func layerName(entry string) digest.Digest {
	if hex, ok := strings.CutPrefix(entry, "blobs/sha256/"); ok && oci.CheckDigest(digest.Digest("sha256:"+hex)) == nil {
		return digest.Digest("sha256:" + hex)
	}
	return oci.Sum([]byte(entry))
}

// check compares every layer with the config.
func (f *found) check() error {
	diffIDs := f.image.RootFS.DiffIDs
	if len(f.layers) != len(diffIDs) {
		return fmt.Errorf("config %q has %d layers, the manifest lists %d", f.config.name, len(diffIDs), len(f.layers))
	}
	for i, l := range f.layers {
		if l.plain.err != nil {
			return fmt.Errorf("layer %q: %w", l.name, l.plain.err)
		}
		if l.plain.digest != diffIDs[i] {
			return fmt.Errorf("layer %q was changed: its content has digest %s, config %q says %s", l.name, l.plain.digest, f.config.name, diffIDs[i])
		}
	}
	return nil
}

// store commits the blobs of one image, layers first.
func (s *Store) store(ctx context.Context, op *home.Operation, f *found) (Image, error) {
	layers := make([]Layer, len(f.layers))
	for i, l := range f.layers {
		desc, err := l.commit(ctx, f.types[i])
		if err != nil {
			return Image{}, err
		}
		layers[i] = Layer{Descriptor: desc, DiffID: l.plain.digest, Size: l.plain.size}
		failpoint.Hit("image.load.after-layer")
	}
	config, err := f.config.commit(ctx, f.configType)
	if err != nil {
		return Image{}, err
	}
	failpoint.Hit("image.load.before-manifest")
	var desc v1.Descriptor
	if f.manifest != nil {
		desc, err = f.manifest.commit(ctx, f.manifestType)
	} else {
		desc, err = s.putManifest(ctx, op, config, layers)
	}
	if err != nil {
		return Image{}, err
	}
	return newImage(config.Digest, desc, f.image, complete(layers, f.image.RootFS.DiffIDs)), nil
}

func (f *staged) commit(ctx context.Context, mediaType string) (v1.Descriptor, error) {
	desc, err := f.writer.Commit(ctx, f.digest, mediaType)
	if err != nil {
		return desc, fmt.Errorf("store entry %q: %w", f.name, err)
	}
	return desc, nil
}

// json reads a staged file into memory, if it is small enough to be one of the JSON documents.
func (f *staged) json() ([]byte, error) {
	data, err := f.writer.Bytes(oci.MaxJSON)
	if err != nil {
		return nil, fmt.Errorf("read entry %q: %w", f.name, err)
	}
	return data, nil
}

// images finds the images of an archive. Of an archive that is both an OCI layout and a docker-archive the layout counts if
// it is complete, because it has the original manifests.
func (a *archive) images() ([]*found, error) {
	_, isDocker := a.index["manifest.json"]
	_, isOCI := a.index["index.json"]
	if !isDocker && !isOCI {
		return nil, errors.New("it has neither manifest.json nor index.json: expected an archive from docker save, podman save or skopeo" +
			" (to make an image of a tree of files, use import)")
	}
	if isOCI {
		images, err := a.ociImages()
		if err == nil || !isDocker {
			return images, err
		}
	}
	return a.dockerImages()
}
