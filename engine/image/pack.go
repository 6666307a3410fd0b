package image

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// PackOptions say in which form an image leaves the home. The zero value: as it is stored.
type PackOptions struct {
	Compression layer.Compression // of layers that are stored uncompressed; those that are compressed already stay as they are
	Level       int               // of the compression: gzip 1 to 9, zstd 1 to 22; 0: the usual
	Annotations map[string]string // of the manifest
}

// Parcel is an image in the form in which it leaves: a manifest, and where the blobs are that it names. It is good until the operation
// that it was made under ends.
type Parcel struct {
	home     *home.Home
	image    Image // with the manifest and the layers as they leave
	manifest []byte
	blobs    []Content // config and layers, each once
	news     []knownBlob
}

// Content is a blob, and how to read it. What Open gives need not be verified.
type Content struct {
	v1.Descriptor
	Open func() (io.ReadCloser, error)
}

// BytesContent is the blob data.
func BytesContent(mediaType string, data []byte) Content {
	return Content{v1.Descriptor{MediaType: mediaType, Digest: oci.Sum(data), Size: int64(len(data))},
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// Pack readies img to leave. The image need not have a name or an entry in the index, but its layers' blobs must be here; without an ID
// its config is encoded anew. Where nothing is changed it leaves with the manifest that it has. The same image packed with the same
// options is the same to the byte. The caller holds the lock "gc" shared.
func (s *Store) Pack(ctx context.Context, op *home.Operation, img Image, o PackOptions) (*Parcel, error) {
	p := &Parcel{home: s.home, image: img}
	p.image.Layers = slices.Clone(img.Layers)
	config, err := s.packConfig(img)
	if err != nil {
		return nil, fmt.Errorf("pack image: %w", err)
	}
	p.blobs = append(p.blobs, config)
	p.image.ID = config.Digest
	changed, packed := len(o.Annotations) > 0 || img.Manifest.Digest == "", map[digest.Digest]Content{}
	for i, l := range img.Layers {
		c, again := packed[l.Descriptor.Digest]
		if !again {
			if c, err = p.packLayer(ctx, s, op, l, o); err != nil {
				return nil, fmt.Errorf("pack layer %s: %w", l.Descriptor.Digest, err)
			}
			packed[l.Descriptor.Digest] = c
			p.blobs = append(p.blobs, c)
		}
		changed = changed || c.Digest != l.Descriptor.Digest
		p.image.Layers[i].Descriptor = c.Descriptor
	}
	if err := p.setManifest(s, changed, o.Annotations); err != nil {
		return nil, fmt.Errorf("pack image: %w", err)
	}
	return p, nil
}

func (s *Store) packConfig(img Image) (Content, error) {
	data, err := []byte(nil), error(nil)
	if img.ID != "" {
		data, err = s.blobs.ReadAll(img.ID, oci.MaxJSON)
	} else {
		data, err = img.Config.Encode()
	}
	return BytesContent(oci.MediaTypeConfig, data), err
}

// setManifest takes the manifest that the image has, or makes one that says what is packed.
func (p *Parcel) setManifest(s *Store, changed bool, annotations map[string]string) (err error) {
	if !changed {
		p.manifest, err = s.blobs.ReadAll(p.image.Manifest.Digest, oci.MaxJSON)
		return err
	}
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeManifest, Config: p.blobs[0].Descriptor,
		Layers: []v1.Descriptor{}, Annotations: annotations}
	for i, l := range p.image.Layers {
		l.Descriptor.MediaType = ociLayerType(l.Descriptor.MediaType)
		p.image.Layers[i] = l
		m.Layers = append(m.Layers, l.Descriptor)
	}
	if p.manifest, err = json.Marshal(m); err != nil {
		return fmt.Errorf("encode manifest: %w", err)
	}
	if n := len(p.manifest); n > oci.MaxJSON {
		return fmt.Errorf("its manifest would have %d bytes, at most %d are read by others", n, oci.MaxJSON)
	}
	p.image.Manifest = v1.Descriptor{MediaType: m.MediaType, Digest: oci.Sum(p.manifest), Size: int64(len(p.manifest))}
	return nil
}

// ociLayerType is the image-spec's name for a layer's type: a manifest of the image-spec has no names of docker's in it.
func ociLayerType(mediaType string) string {
	switch mediaType {
	case oci.DockerLayer:
		return oci.MediaTypeLayer
	case oci.DockerLayerGzip:
		return oci.MediaTypeLayerGzip
	case oci.DockerLayerZstd:
		return oci.MediaTypeLayerZstd
	}
	return mediaType
}

func (p *Parcel) packLayer(ctx context.Context, s *Store, op *home.Operation, l Layer, o PackOptions) (Content, error) {
	stored := Content{l.Descriptor, func() (io.ReadCloser, error) { return s.exact(ctx, op, l.Descriptor, nil) }}
	stored.Annotations = nil
	if o.Compression == "" || o.Compression == layer.None || l.Descriptor.Digest != l.DiffID {
		if size, err := s.blobs.Stat(l.Descriptor.Digest); err != nil || size != l.Descriptor.Size {
			return stored, errors.Join(err, fmt.Errorf("it should have %d bytes", l.Descriptor.Size))
		}
		return stored, nil
	}
	f, known := newForm(o.Compression, o.Level), s.readKnown()
	if before := known.compressed(l.DiffID, f.name()); before != nil { // it is compressed again only if somebody wants to read it
		d := v1.Descriptor{MediaType: f.mediaType(), Digest: before.Digest, Size: before.Size}
		return Content{d, func() (io.ReadCloser, error) { return f.compress(stored.Open()) }}, nil
	}
	c, err := s.Compress(ctx, op, stored, o.Compression, o.Level)
	p.news = append(p.news, knownBlob{Digest: c.Digest, Size: c.Size, DiffID: l.DiffID, Compression: f.name()})
	return c, err
}

// Compress writes the layer c, which isn't compressed, compressed to op's scratch space. The same bytes give the same bytes.
func (s *Store) Compress(ctx context.Context, op *home.Operation, c Content, kind layer.Compression, level int) (Content, error) {
	f := newForm(kind, level)
	in, err := f.compress(c.Open())
	if err != nil {
		return Content{}, err
	}
	defer in.Close()
	file, err := os.CreateTemp(op.Dir(), "pack-")
	if err != nil {
		return Content{}, err
	}
	sum := sha256.New()
	out := &counted{w: io.MultiWriter(file, sum)}
	_, err = io.Copy(out, &cancelable{ctx, in})
	if err = errors.Join(err, file.Close()); err != nil {
		return Content{}, fmt.Errorf("compress: %w", err)
	}
	name := file.Name()
	d := v1.Descriptor{MediaType: f.mediaType(), Digest: digest.NewDigest(digest.SHA256, sum), Size: out.n}
	return Content{d, func() (io.ReadCloser, error) { return os.Open(name) }}, nil
}

// Manifest describes the manifest that the image leaves with.
func (p *Parcel) Manifest() v1.Descriptor { return p.image.Manifest }

// contents are all blobs, the manifest too, in the order of digests.
func (p *Parcel) contents() []Content {
	all := append(slices.Clone(p.blobs), BytesContent(p.image.Manifest.MediaType, p.manifest))
	slices.SortFunc(all, func(a, b Content) int { return cmp.Compare(a.Digest, b.Digest) })
	return slices.CompactFunc(all, func(a, b Content) bool { return a.Digest == b.Digest })
}
