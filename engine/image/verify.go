package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Problem is one thing that is wrong with the store.
type Problem struct {
	Digest digest.Digest // the blob or image concerned; empty if it is the index
	Name   string        // a name of the image concerned, or empty
	Detail string
}

func (p Problem) String() string {
	subject := string(p.Digest)
	if p.Name != "" {
		subject = p.Name + " (" + subject + ")"
	}
	if subject == "" {
		return p.Detail
	}
	return subject + ": " + p.Detail
}

// Verify reads everything: every image must have its manifest, its config and all layers, with the bytes that their
// digests say; so must every blob. Blobs that only containers or the cache may refer to are no problem.
func (s *Store) Verify(ctx context.Context) []Problem {
	v := verifier{store: s, seen: map[digest.Digest]string{}}
	x, err := s.readIndex()
	if err != nil {
		return []Problem{{Detail: err.Error()}}
	}
	for _, d := range x.Manifests {
		if ctx.Err() != nil {
			return append(v.found, Problem{Detail: "stopped: " + ctx.Err().Error()})
		}
		v.image(d)
	}
	err = s.blobs.Walk(func(d digest.Digest, _ int64) error {
		v.blob("", d, -1)
		return ctx.Err()
	})
	dropped, listErr := s.skeletons.list()
	for _, d := range dropped {
		v.blob("", d, -1)
	}
	if err = errors.Join(err, listErr); err != nil {
		v.found = append(v.found, Problem{Detail: err.Error()})
	}
	return v.found
}

type verifier struct {
	store *Store
	seen  map[digest.Digest]string // what is wrong with a blob that was read, or empty
	found []Problem
}

func (v *verifier) image(d v1.Descriptor) {
	name := refOf(d).Familiar()
	if refOf(d).IsZero() {
		name = ""
	}
	if !v.blob(name, d.Digest, d.Size) || !oci.IsManifest(d.MediaType) {
		return
	}
	m, err := v.store.manifest(d)
	if err != nil {
		v.problem(name, d.Digest, err.Error())
		return
	}
	if want := d.Annotations[annotationConfig]; want != "" && want != string(m.Config.Digest) {
		v.problem(name, d.Digest, fmt.Sprintf("index.json says its config is %s, the manifest says %s", want, m.Config.Digest))
	}
	whole := v.blob(name, m.Config.Digest, m.Config.Size)
	for _, l := range m.Layers {
		whole = v.blob(name, l.Digest, l.Size) && whole
	}
	if !whole || !isOurs(d) {
		return
	}
	if _, err := v.store.read(&index{}, d); err != nil {
		v.problem(name, d.Digest, err.Error())
	}
}

func (v *verifier) problem(name string, d digest.Digest, detail string) {
	v.found = append(v.found, Problem{Digest: d, Name: name, Detail: detail})
}

// blob reads a blob once and reports whether it is well; size is not compared if negative.
func (v *verifier) blob(name string, d digest.Digest, size int64) bool {
	wrong, known := v.seen[d]
	if !known {
		wrong = v.read(d)
		v.seen[d] = wrong
	}
	if wrong == "" && size >= 0 {
		if have, err := v.store.blobs.Stat(d); err == nil && have != size {
			wrong = fmt.Sprintf("%d bytes, its descriptor says %d", have, size)
		}
	}
	if wrong != "" && (!known || name != "") {
		v.problem(name, d, wrong)
	}
	return wrong == ""
}

func (v *verifier) read(d digest.Digest) string {
	f, err := v.store.blobs.Open(d)
	if errors.As(err, new(*AwayError)) { // what is here of it is the archive in it
		f, err = v.store.skeletons.plain(d)
	}
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if _, err := io.Copy(io.Discard, f); err != nil {
		return err.Error()
	}
	return ""
}
