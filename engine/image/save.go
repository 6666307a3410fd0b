package image

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Formats of Save.
const (
	FormatDocker = "docker" // what docker save writes: a docker-archive that is an OCI layout too
	FormatOCI    = "oci"    // an OCI layout alone
)

// Save writes the images that names mean to w as one archive that docker, podman and skopeo load: each blob once, verified
// while it is written, everything in a fixed order with fixed times, so that the same images give the same bytes. A tag
// saves the image under that name, a repository alone under all its tags, an id without a name. After an error what was
// written is no archive.
func (s *Store) Save(ctx context.Context, w io.Writer, names []string, format string) (err error) {
	return s.SaveWith(ctx, w, names, SaveOptions{Format: format})
}

// SaveOptions say how Save writes.
type SaveOptions struct {
	Format    string        // FormatDocker if empty
	Platforms []v1.Platform // an image for none of these is an error; any if empty
}

func (o SaveOptions) check(images []saved) error {
	want := make([]string, len(o.Platforms))
	for i, p := range o.Platforms {
		want[i] = platformText(normalPlatform(p))
	}
	for _, img := range images {
		if have := platformOf(img.image.Config); len(want) > 0 && !slices.Contains(want, have) {
			name := oci.ShortID(img.image.ID)
			if len(img.refs) > 0 {
				name = img.refs[0].Familiar()
			}
			return fmt.Errorf("image with reference %s was found but does not provide the specified platform (%s): it is for %s", name, strings.Join(want, ", "), have)
		}
	}
	return nil
}

// SaveWith is Save with options.
func (s *Store) SaveWith(ctx context.Context, w io.Writer, names []string, o SaveOptions) (err error) {
	format := o.Format
	ctx, end := trace.Step(ctx, vocab.ImageSave, trace.Strings("refs", names))
	out := &counted{w: w}
	defer func() { end(err, trace.Int("size_bytes", out.n)) }()
	if format == "" {
		format = FormatDocker
	}
	if format != FormatDocker && format != FormatOCI {
		return fmt.Errorf("save images: format is %q, expected %q or %q", format, FormatDocker, FormatOCI)
	}
	unlock, err := s.home.Lock(ctx, "gc", false) // nothing is collected while it is being written
	if err != nil {
		return err
	}
	defer unlock()
	images, err := s.selectImages(ctx, names)
	if err == nil {
		err = o.check(images)
	}
	if err != nil {
		return err
	}
	if err := s.bringBackAll(ctx, images); err != nil {
		return fmt.Errorf("save images: %w", err)
	}
	if err := s.writeArchive(ctx, out, images, format); err != nil {
		return fmt.Errorf("save images: %w", err)
	}
	for i := range images {
		s.tell(events.ActionSave, images[i].image.ID, "")
	}
	return nil
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// saved is an image and the names under which it is saved.
type saved struct {
	image Image
	refs  []oci.Ref
}

func (s *Store) selectImages(ctx context.Context, names []string) ([]saved, error) {
	var images []saved
	add := func(img Image, refs ...oci.Ref) {
		i := slices.IndexFunc(images, func(have saved) bool { return have.image.ID == img.ID })
		if i < 0 {
			i = len(images)
			images = append(images, saved{image: img})
		}
		for _, ref := range refs {
			if !slices.Contains(images[i].refs, ref) {
				images[i].refs = append(images[i].refs, ref)
			}
		}
	}
	for _, name := range names {
		if err := s.selectName(ctx, name, add); err != nil {
			return nil, err
		}
	}
	for _, img := range images {
		slices.SortFunc(img.refs, compareRefs)
	}
	slices.SortFunc(images, func(a, b saved) int { return cmp.Compare(a.image.Manifest.Digest, b.image.Manifest.Digest) })
	return images, nil
}

func compareRefs(a, b oci.Ref) int { return strings.Compare(a.String(), b.String()) }

func (s *Store) selectName(ctx context.Context, name string, add func(Image, ...oci.Ref)) error {
	ref, refErr := oci.ParseName(name)
	if refErr == nil && ref.Tag() == "" && ref.Digest() == "" {
		all, err := s.inRepository(ref)
		if err != nil {
			return err
		}
		for _, tag := range all {
			img, err := s.resolve(tag.String())
			if err != nil {
				return err
			}
			add(img, tag)
		}
		if len(all) > 0 {
			return nil
		}
	}
	img, err := s.Resolve(ctx, name)
	if err != nil {
		return err
	}
	full, _ := oci.ParseRef(name)
	if refErr == nil && slices.Contains(img.Refs, full) {
		add(img, full)
	} else {
		add(img)
	}
	return nil
}

// inRepository gives every name whose repository is that of ref.
func (s *Store) inRepository(ref oci.Ref) ([]oci.Ref, error) {
	x, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	var refs []oci.Ref
	for _, d := range x.Manifests {
		if have := refOf(d); isOurs(d) && !have.IsZero() && have.Name() == ref.Name() {
			refs = append(refs, have)
		}
	}
	return refs, nil
}

func (s *Store) writeArchive(ctx context.Context, w io.Writer, images []saved, format string) error {
	buffered := bufio.NewWriterSize(w, 64<<10) // gathers headers; blobs pass it by
	out := archiveWriter{tar: tar.NewWriter(buffered)}
	blobs, err := s.blobsOf(images)
	if err != nil {
		return err
	}
	out.dir("blobs/")
	out.dir("blobs/sha256/")
	for _, b := range blobs {
		out.header("blobs/sha256/"+b.Digest.Encoded(), b.Size)
		if out.err == nil {
			out.err = s.blobs.Copy(ctx, out.tar, b.Digest, b.Size)
		}
	}
	out.json("index.json", archiveIndex(images))
	if format == FormatDocker {
		out.json("manifest.json", dockerIndex(images))
	}
	out.json("oci-layout", v1.ImageLayout{Version: v1.ImageLayoutVersion})
	if names := legacyNames(images); format == FormatDocker && len(names) > 0 {
		out.json("repositories", names)
	}
	if out.err == nil {
		out.err = out.tar.Close()
	}
	if out.err == nil {
		out.err = buffered.Flush()
	}
	return out.err
}

// blobsOf lists every blob of the images once, in the order of digests.
func (s *Store) blobsOf(images []saved) ([]v1.Descriptor, error) {
	all := map[digest.Digest]v1.Descriptor{}
	for _, img := range images {
		m, err := s.manifest(img.image.Manifest)
		if err != nil {
			return nil, err
		}
		all[img.image.Manifest.Digest] = img.image.Manifest
		all[m.Config.Digest] = m.Config
		for _, l := range m.Layers {
			all[l.Digest] = l
		}
	}
	list := make([]v1.Descriptor, 0, len(all))
	for _, d := range all {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b v1.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) })
	return list, nil
}

func archiveIndex(images []saved) v1.Index {
	x := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{}}
	for _, img := range images {
		for _, ref := range img.refs {
			x.Manifests = append(x.Manifests, named(img.image.Manifest, ref))
		}
		if len(img.refs) == 0 {
			x.Manifests = append(x.Manifests, img.image.Manifest)
		}
	}
	return x
}

func dockerIndex(images []saved) []dockerEntry {
	var entries []dockerEntry
	for _, img := range images {
		e := dockerEntry{Config: "blobs/sha256/" + img.image.ID.Encoded(), Layers: []string{}}
		for _, ref := range img.refs {
			e.RepoTags = append(e.RepoTags, ref.Familiar())
		}
		for _, l := range img.image.Layers {
			e.Layers = append(e.Layers, "blobs/sha256/"+l.Descriptor.Digest.Encoded())
		}
		entries = append(entries, e)
	}
	return entries
}

// legacyNames is what docker writes for tools that are older than manifest.json: repository, tag, topmost layer.
func legacyNames(images []saved) map[string]map[string]string {
	names := map[string]map[string]string{}
	for _, img := range images {
		for _, ref := range img.refs {
			repository := strings.TrimSuffix(ref.Familiar(), ":"+ref.Tag())
			if len(img.image.Layers) == 0 || ref.Tag() == "" {
				continue
			}
			if names[repository] == nil {
				names[repository] = map[string]string{}
			}
			names[repository][ref.Tag()] = img.image.Layers[len(img.image.Layers)-1].Descriptor.Digest.Encoded()
		}
	}
	return names
}

// archiveWriter writes entries until the first error, which it keeps.
type archiveWriter struct {
	tar *tar.Writer
	err error
}

func (w *archiveWriter) dir(name string) {
	if w.err == nil {
		w.err = w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: time.Unix(0, 0)})
	}
}

func (w *archiveWriter) header(name string, size int64) {
	if w.err == nil {
		w.err = w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)})
	}
}

func (w *archiveWriter) json(name string, v any) {
	data, err := json.Marshal(v)
	if w.err == nil {
		w.err = err
	}
	w.header(name, int64(len(data)))
	if w.err == nil {
		_, w.err = w.tar.Write(data)
	}
}
