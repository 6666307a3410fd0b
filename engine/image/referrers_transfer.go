package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxReferrerBytes bounds the content of all artifacts that come along with one image, in bytes.
const maxReferrerBytes = 256 << 20

// PullReferrers fetches the artifacts in ref's repository that refer to img, which is here, at most registry.MaxReferrers with
// maxReferrerBytes together. What can't be had, or is not what it was said to be, is an error that joins those of each; the others are
// here then. The caller holds the lock "gc" shared.
func (s *Store) PullReferrers(ctx context.Context, op *home.Operation, ref oci.Ref, img Image) error {
	c := s.Client()
	list, more, err := c.Referrers(ctx, ref, img.Manifest)
	if err != nil {
		return err
	}
	var errs []error
	if more {
		errs = append(errs, fmt.Errorf("there are more than %d artifacts that refer to %s: the others stay there", registry.MaxReferrers, img.Manifest.Digest))
	}
	left := int64(maxReferrerBytes)
	for _, d := range list {
		if err := s.pullReferrer(ctx, op, c, ref, img, d, &left); err != nil {
			errs = append(errs, fmt.Errorf("artifact %s: %w", d.Digest, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// bringReferrers is PullReferrers beside a pull, which it doesn't make fail.
func (s *Store) bringReferrers(ctx context.Context, ref oci.Ref, img Image, p Progress) {
	err := s.withOperation("pull referrers", func(op *home.Operation) error { return s.PullReferrers(ctx, op, ref, img) })
	if err != nil {
		p.Say("Not all artifacts that refer to the image came along: " + strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

func (s *Store) pullReferrer(ctx context.Context, op *home.Operation, c *registry.Client, ref oci.Ref, img Image, d v1.Descriptor, left *int64) error {
	if d.MediaType != oci.MediaTypeManifest {
		return fmt.Errorf("it is of media type %.100q: expected a manifest", d.MediaType)
	}
	existed := s.hasReferrer(d, img)
	if !existed {
		if err := s.fetchReferrer(ctx, op, c, ref, img, d, left); err != nil {
			return err
		}
	}
	m, err := s.manifest(d)
	if err != nil {
		return err
	}
	r := newReferrer(d, m)
	trace.Fact(ctx, vocab.ReferrerFetch, trace.String("subject", string(img.Manifest.Digest)), trace.String("manifest", string(d.Digest)),
		trace.String("artifact_type", r.Manifest.ArtifactType), trace.Int("size_bytes", d.Size+r.Size), trace.Bool("existed", existed))
	return nil
}

func (s *Store) hasReferrer(d v1.Descriptor, img Image) bool {
	x, err := s.readIndex()
	if err != nil {
		return false
	}
	for _, have := range x.Manifests {
		if have.Digest == d.Digest && have.Annotations[annotationSubject] == string(img.Manifest.Digest) {
			return true
		}
	}
	return false
}

// fetchReferrer fetches what an artifact consists of, the manifest first, and enters it when all is here.
func (s *Store) fetchReferrer(ctx context.Context, op *home.Operation, c *registry.Client, ref oci.Ref, img Image, d v1.Descriptor, left *int64) error {
	data, err := c.Manifest(ctx, ref, v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	if err != nil {
		return err
	}
	m, err := oci.ParseManifest(data)
	if err != nil {
		return err
	}
	switch {
	case m.Subject == nil || m.Subject.Digest != img.Manifest.Digest:
		return fmt.Errorf("the registry lists it as one that refers to %s, but it does not", img.Manifest.Digest)
	case oci.IsConfig(artifactType(m)):
		return errors.New("it is an image and no artifact")
	}
	for _, b := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if *left -= b.Size; *left < 0 {
			return fmt.Errorf("the artifacts of the image have more than %d bytes together", int64(maxReferrerBytes))
		}
		if err := s.fetchBlob(ctx, op, c, ref, b); err != nil {
			return err
		}
	}
	_, err = s.enterReferrer(ctx, op, data, img.Manifest.Digest)
	return err
}

func (s *Store) fetchBlob(ctx context.Context, op *home.Operation, c *registry.Client, ref oci.Ref, d v1.Descriptor) error {
	if size, err := s.blobs.Stat(d.Digest); err == nil && size == d.Size {
		return nil
	}
	r, err := c.Blob(ctx, ref, v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size})
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := s.blobs.NewWriter(op)
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	_, err = w.Commit(ctx, d.Digest, d.MediaType)
	return err
}

// PushReferrers gives the artifacts that refer to img to ref's repository, where the image has the manifest pushed by now. Where that is
// another one than here (its layers were compressed on the way) they get it as their subject.
func (s *Store) PushReferrers(ctx context.Context, ref oci.Ref, img Image, pushed v1.Descriptor) error {
	list, err := s.Referrers(ctx, img)
	if err != nil {
		return err
	}
	c := s.Client()
	for _, r := range list {
		if err := s.pushReferrer(ctx, c, ref, r, pushed); err != nil {
			return fmt.Errorf("artifact %s: %w", r.Manifest.Digest, err)
		}
	}
	return nil
}

func (s *Store) pushReferrer(ctx context.Context, c *registry.Client, ref oci.Ref, r Referrer, subject v1.Descriptor) error {
	data, err := s.blobs.ReadAll(r.Manifest.Digest, oci.MaxJSON)
	if err != nil {
		return err
	}
	subject = v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	m := r.manifest
	if m.Subject == nil || m.Subject.Digest != subject.Digest {
		m.Subject = &subject
		if data, err = json.Marshal(m); err != nil {
			return fmt.Errorf("encode manifest: %w", err)
		}
	}
	for _, b := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		d := v1.Descriptor{MediaType: b.MediaType, Digest: b.Digest, Size: b.Size}
		if _, err := c.PushBlob(ctx, ref, d, func() (io.ReadCloser, error) { return s.blobs.Open(d.Digest) }); err != nil {
			return err
		}
	}
	d := v1.Descriptor{MediaType: oci.MediaTypeManifest, Digest: oci.Sum(data), Size: int64(len(data)), ArtifactType: artifactType(m), Annotations: m.Annotations}
	tag, err := c.PushReferrer(ctx, ref, d, subject, data)
	if err != nil {
		return err
	}
	trace.Fact(ctx, vocab.ReferrerGive, trace.String("subject", string(subject.Digest)), trace.String("manifest", string(d.Digest)),
		trace.String("artifact_type", d.ArtifactType), trace.String("tag", tag))
	return nil
}

// ArtifactError is what a pull gives for a manifest that is no image's.
type ArtifactError struct {
	Manifest v1.Descriptor
	Type     string
	Blobs    []v1.Descriptor
}

func (e *ArtifactError) Error() string {
	var files []string
	for i, b := range e.Blobs {
		if i == 3 {
			files = append(files, fmt.Sprintf("%d more", len(e.Blobs)-i))
			break
		}
		title := b.Annotations[v1.AnnotationTitle]
		if title == "" {
			title = string(b.Digest)
		}
		files = append(files, fmt.Sprintf("%.80q (%d bytes)", title, b.Size))
	}
	text := fmt.Sprintf("manifest %s: its config is of type %.100q: this is an artifact and no image", e.Manifest.Digest, e.Type)
	if len(files) > 0 {
		text += ": it holds " + strings.Join(files, ", ")
	}
	return text + "; artifacts that belong to an image come along with it, and learn docker image referrers shows them; one by itself is for oras pull and the like"
}
