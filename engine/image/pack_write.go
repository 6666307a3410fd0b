package image

import (
	"archive/tar"
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// WriteArchive writes the image to w under the names refs, in one of the formats of Save. The same parcel gives the same bytes. After an
// error what was written is no archive.
func (p *Parcel) WriteArchive(ctx context.Context, w io.Writer, format string, refs []oci.Ref) error {
	if format != FormatDocker && format != FormatOCI {
		return fmt.Errorf("write image: format is %q, expected %q or %q", format, FormatDocker, FormatOCI)
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	out := archiveWriter{tar: tar.NewWriter(buffered)}
	out.dir("blobs/")
	out.dir("blobs/sha256/")
	for _, c := range p.contents() {
		out.header("blobs/sha256/"+c.Digest.Encoded(), c.Size)
		if out.err == nil {
			out.err = c.copyTo(ctx, out.tar)
		}
	}
	images := []saved{{p.image, refs}}
	out.json("index.json", archiveIndex(images))
	if format == FormatDocker {
		out.json("manifest.json", dockerIndex(images))
	}
	out.json("oci-layout", v1.ImageLayout{Version: v1.ImageLayoutVersion})
	if out.err == nil {
		out.err = out.tar.Close()
	}
	if out.err == nil {
		out.err = buffered.Flush()
	}
	if out.err != nil {
		return fmt.Errorf("write image: %w", out.err)
	}
	return nil
}

// copyTo copies the blob and checks that it is the one that its descriptor promises.
func (c Content) copyTo(ctx context.Context, w io.Writer) error {
	r, err := c.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	in := registry.Verify(&cancelable{ctx, r}, c.Descriptor)
	if _, err := io.Copy(w, in); err != nil {
		return fmt.Errorf("blob %s: %w", c.Digest, err)
	}
	return nil
}

// WriteLayout writes the image into the image layout in the folder dir, which is made if it isn't there, under the names refs. Other
// images in it stay; a name is taken from whatever has it. A killed process leaves at most blobs that nothing names. It returns the bytes
// of blobs that were not there yet.
func (p *Parcel) WriteLayout(ctx context.Context, dir string, refs []oci.Ref) (written int64, err error) {
	l, err := MakeLayout(dir)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	for _, c := range p.contents() {
		existed, err := l.Put(ctx, c)
		if err != nil {
			return written, err
		}
		if !existed {
			written += c.Size
		}
	}
	unlock, err := p.home.Lock(ctx, "layout", true) // two builds may write to one folder
	if err != nil {
		return written, err
	}
	defer unlock()
	return written, l.Enter(archiveIndex([]saved{{p.image, refs}}).Manifests...)
}

// push gives the image to the repository of p, under its tag: layers first and the manifest last.
func (c *Parcel) push(ctx context.Context, p *pusher) (err error) {
	ctx, end := trace.Step(ctx, vocab.ImagePush, trace.String("ref", p.ref.String()))
	defer func() { end(err, p.counted(string(c.image.Manifest.Digest))...) }()
	if err := p.sendAll(ctx, p.outgoingLayers(c.image.Layers, c.upload)); err != nil {
		return err
	}
	config := c.blobs[0]
	if err := p.send(ctx, &outgoing{upload: registry.Upload{Blob: config.Descriptor, Open: config.Open}}); err != nil {
		return err
	}
	return p.client.PushManifest(ctx, p.ref, c.image.Manifest, c.manifest)
}

// upload is the blob of a layer, which Pack has readied.
func (c *Parcel) upload(l Layer) (registry.Upload, knownBlob) {
	i := slices.IndexFunc(c.blobs, func(b Content) bool { return b.Digest == l.Descriptor.Digest })
	return registry.Upload{Blob: c.blobs[i].Descriptor, Open: c.blobs[i].Open}, knownBlob{}
}

// Push gives a packed image to registries under each of refs, as PushName does: what a repository has, or may take from another one, is
// neither read nor sent. It returns the bytes that were sent.
func (s *Store) Push(ctx context.Context, c *Parcel, refs ...oci.Ref) (size int64, err error) {
	client := s.Client()
	for _, ref := range refs {
		p := &pusher{Store: s, client: client, ref: ref, progress: heard(nil), known: s.readKnown()}
		err := c.push(ctx, p)
		size += p.bytes
		if err != nil {
			return size, fmt.Errorf("push %s: %w", ref.Familiar(), err)
		}
		if err := s.rememberParcel(ctx, c, ref); err != nil {
			return size, err
		}
	}
	return size, nil
}

// rememberParcel notes where the blobs of p are now, and what its layers became.
func (s *Store) rememberParcel(ctx context.Context, p *Parcel, ref oci.Ref) error {
	news := slices.Clone(p.news)
	for _, b := range p.blobs {
		if !slices.ContainsFunc(news, func(k knownBlob) bool { return k.Digest == b.Digest }) {
			news = append(news, knownBlob{Digest: b.Digest, Size: b.Size})
		}
	}
	return s.withOperation("push", func(op *home.Operation) error { return s.remember(ctx, op, ref, news) })
}
