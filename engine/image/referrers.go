package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// annotationSubject marks the descriptor of an artifact that came along with an image: digest of the manifest that it refers to. Such an
// entry has an artifact type and no name, is no image, and goes when the manifest does that it refers to.
const annotationSubject = "learn.subject"

// Referrer is an artifact that refers to an image: a signature, a list of packages, an attestation.
type Referrer struct {
	Manifest    v1.Descriptor     // with its artifact type
	Annotations map[string]string // of the manifest
	Blobs       []v1.Descriptor   // its content
	Size        int64             // of the content, in bytes
	manifest    v1.Manifest
}

// isReferrer tells the entries of artifacts from those of images.
func isReferrer(d v1.Descriptor) bool {
	return d.Annotations[annotationSubject] != "" || d.ArtifactType != "" && !oci.IsConfig(d.ArtifactType)
}

// Referrers lists the artifacts that are here and refer to img's manifest, by type and digest.
func (s *Store) Referrers(_ context.Context, img Image) ([]Referrer, error) {
	x, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	var list []Referrer
	for _, d := range x.Manifests {
		if d.Annotations[annotationSubject] != string(img.Manifest.Digest) {
			continue
		}
		m, err := s.manifest(d)
		if err != nil {
			return nil, err
		}
		list = append(list, newReferrer(d, m))
	}
	slices.SortFunc(list, func(a, b Referrer) int {
		return strings.Compare(a.Manifest.ArtifactType+string(a.Manifest.Digest), b.Manifest.ArtifactType+string(b.Manifest.Digest))
	})
	return list, nil
}

func newReferrer(d v1.Descriptor, m v1.Manifest) Referrer {
	r := Referrer{Manifest: v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size, ArtifactType: artifactType(m)}, Annotations: m.Annotations,
		Blobs: m.Layers, manifest: m}
	for _, l := range m.Layers {
		r.Size += l.Size
	}
	return r
}

// artifactType is what a manifest says that it is (image-spec, manifest.md, "Guidelines for Artifact Usage").
func artifactType(m v1.Manifest) string {
	if m.ArtifactType != "" {
		return m.ArtifactType
	}
	return m.Config.MediaType
}

// OpenReferrer opens the content of an artifact of img. name is the digest, or the beginning of it, of its manifest, if it has one blob,
// or of one of its blobs. The caller closes it; it is verified while it is read.
func (s *Store) OpenReferrer(ctx context.Context, img Image, name string) (v1.Descriptor, io.ReadCloser, error) {
	list, err := s.Referrers(ctx, img)
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	d, err := chooseBlob(list, strings.TrimPrefix(name, "sha256:"))
	if err != nil {
		return d, nil, err
	}
	r, err := s.blobs.Open(d.Digest)
	return d, r, err
}

func chooseBlob(list []Referrer, prefix string) (v1.Descriptor, error) {
	found := map[digest.Digest]v1.Descriptor{}
	for _, r := range list {
		if strings.HasPrefix(r.Manifest.Digest.Encoded(), prefix) {
			if len(r.Blobs) != 1 {
				return v1.Descriptor{}, fmt.Errorf("artifact %s has %d blobs: name one of them: %s", r.Manifest.Digest, len(r.Blobs), digestList(r.Blobs))
			}
			found[r.Blobs[0].Digest] = r.Blobs[0]
		}
		for _, b := range r.Blobs {
			if strings.HasPrefix(b.Digest.Encoded(), prefix) {
				found[b.Digest] = b
			}
		}
	}
	if len(found) != 1 {
		return v1.Descriptor{}, fmt.Errorf("%d artifacts of the image begin with %.80q: expected one", len(found), prefix)
	}
	for _, d := range found {
		return d, nil
	}
	return v1.Descriptor{}, nil
}

func digestList(list []v1.Descriptor) string {
	words := make([]string, len(list))
	for i, d := range list {
		words[i] = string(d.Digest)
	}
	return strings.Join(words, ", ")
}

// Attachment is an artifact to be made.
type Attachment struct {
	Type        string // its media type, which says what it is
	Title       string // file name for those who fetch it; may be empty
	Annotations map[string]string
	Content     io.Reader // at most MaxAttachment bytes
}

// MaxAttachment is how many bytes a file that is attached to an image may have.
const MaxAttachment = 128 << 20

// Attach makes an artifact that refers to img. The same content of the same type gives the same artifact, which is kept once.
func (s *Store) Attach(ctx context.Context, img Image, a Attachment) (r Referrer, err error) {
	if err := checkMediaType(a.Type); err != nil {
		return r, err
	}
	err = s.withOperation("attach artifact", func(op *home.Operation) error {
		unlock, err := s.home.Lock(ctx, "gc", false)
		if err != nil {
			return err
		}
		defer unlock()
		r, err = s.attach(ctx, op, img, a)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("attach to image %s: %w", oci.ShortID(img.ID), err)
	}
	trace.Fact(ctx, vocab.ReferrerAttach, trace.String("subject", string(img.Manifest.Digest)), trace.String("manifest", string(r.Manifest.Digest)),
		trace.String("artifact_type", r.Manifest.ArtifactType), trace.Int("size_bytes", r.Size))
	return r, nil
}

func (s *Store) attach(ctx context.Context, op *home.Operation, img Image, a Attachment) (Referrer, error) {
	w, err := s.blobs.NewWriter(op)
	if err != nil {
		return Referrer{}, err
	}
	defer w.Close()
	n, err := io.Copy(w, io.LimitReader(a.Content, MaxAttachment+1))
	if err == nil && n > MaxAttachment {
		err = fmt.Errorf("the content has more than %d bytes", MaxAttachment)
	}
	if err != nil {
		return Referrer{}, err
	}
	layer, err := w.Commit(ctx, "", a.Type)
	if err != nil {
		return Referrer{}, err
	}
	if a.Title != "" {
		layer.Annotations = map[string]string{v1.AnnotationTitle: a.Title}
	}
	config, err := s.blobs.Put(ctx, op, v1.DescriptorEmptyJSON.Data, v1.MediaTypeEmptyJSON)
	if err != nil {
		return Referrer{}, err
	}
	subject := img.Manifest
	m := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeManifest, ArtifactType: a.Type, Config: config,
		Layers: []v1.Descriptor{layer}, Subject: &subject, Annotations: a.Annotations}
	data, err := json.Marshal(m)
	if err != nil {
		return Referrer{}, fmt.Errorf("encode manifest: %w", err)
	}
	return s.enterReferrer(ctx, op, data, subject.Digest)
}

// enterReferrer stores an artifact's manifest, whose blobs are here, and enters it beside its subject.
func (s *Store) enterReferrer(ctx context.Context, op *home.Operation, data []byte, subject digest.Digest) (Referrer, error) {
	m, err := oci.ParseManifest(data)
	if err != nil {
		return Referrer{}, err
	}
	d, err := s.blobs.Put(ctx, op, data, oci.MediaTypeManifest)
	if err != nil {
		return Referrer{}, err
	}
	r := newReferrer(d, m)
	entry := r.Manifest
	entry.Annotations = map[string]string{annotationSubject: string(subject)}
	failpoint.Hit("image.referrer.before-index")
	err = s.changeIndex(ctx, op, func(x *index) error {
		if !slices.ContainsFunc(x.Manifests, func(d v1.Descriptor) bool { return d.Digest == subject && !isReferrer(d) }) {
			return fmt.Errorf("manifest %s, which it refers to, is not here any more", subject)
		}
		if !slices.ContainsFunc(x.Manifests, func(d v1.Descriptor) bool { return d.Digest == entry.Digest }) {
			x.Manifests = append(x.Manifests, entry)
		}
		return nil
	})
	return r, err
}

// dropOrphans takes out the artifacts that refer to what is not in the index any more.
func (x *index) dropOrphans() {
	here := map[string]bool{}
	for _, d := range x.Manifests {
		if !isReferrer(d) {
			here[string(d.Digest)] = true
		}
	}
	x.Manifests = slices.DeleteFunc(x.Manifests, func(d v1.Descriptor) bool {
		subject := d.Annotations[annotationSubject]
		return subject != "" && !here[subject]
	})
}

// checkMediaType accepts what RFC 6838 allows: TYPE/SUBTYPE.
func checkMediaType(s string) error {
	main, sub, ok := strings.Cut(s, "/")
	good := func(part string) bool {
		return part != "" && len(part) <= 127 && !strings.ContainsFunc(part, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$&-^_.+", r))
		})
	}
	if !ok || !good(main) || !good(sub) {
		return fmt.Errorf("media type is %.100q, expected TYPE/SUBTYPE, as application/vnd.cyclonedx+json", s)
	}
	return nil
}
