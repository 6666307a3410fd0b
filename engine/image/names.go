package image

import (
	"cmp"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// references are what leads to an image by name, both sorted as docker sorts them.
type references struct {
	tags    []oci.Ref
	digests []oci.Ref // repository@digest, as it was pulled or pushed; the digest may be that of a list of manifests
}

// add takes in what one descriptor of the index says.
func (r *references) add(d v1.Descriptor) {
	if ref := refOf(d); !ref.IsZero() && !slices.Contains(r.tags, ref) {
		r.tags = append(r.tags, ref)
	}
	for _, source := range sourcesOf(d) {
		if !slices.Contains(r.digests, source) {
			r.digests = append(r.digests, source)
		}
	}
}

func (r *references) sort() {
	sortRefs(r.tags)
	sortRefs(r.digests)
}

func sortRefs(refs []oci.Ref) {
	if len(refs) > 1 {
		slices.SortFunc(refs, func(a, b oci.Ref) int { return cmp.Compare(a.String(), b.String()) })
	}
}

// all are the digests and the tags in docker's one order.
func (r *references) all() []oci.Ref {
	all := append(slices.Clone(r.tags), r.digests...)
	sortRefs(all)
	return all
}

// single reports that an id may stand for all names: there is one, or one tag and digests of the same repository alone.
func (r *references) single() bool {
	if len(r.tags)+len(r.digests) <= 1 {
		return len(r.tags)+len(r.digests) == 1
	}
	if len(r.tags) > 1 {
		return false
	}
	name := r.digests[0].Name()
	if len(r.tags) == 1 {
		name = r.tags[0].Name()
	}
	return !slices.ContainsFunc(r.digests, func(d oci.Ref) bool { return d.Name() != name })
}

// references gathers the names of an image from the index.
func (s *Store) references(x *index, id digest.Digest) references {
	var r references
	for _, i := range s.positions(x, id) {
		r.add(x.Manifests[i])
	}
	r.sort()
	return r
}

// sourcesOf are the digests by which repositories know d's image.
func sourcesOf(d v1.Descriptor) []oci.Ref {
	var refs []oci.Ref
	for word := range strings.FieldsSeq(d.Annotations[annotationSource]) {
		if ref, err := oci.ParseRef(word); err == nil && ref.Digest() != "" {
			refs = append(refs, ref)
		}
	}
	return refs
}

// sourceOf is a word of annotationSource: an image is known as d in ref's repository.
func sourceOf(ref oci.Ref, d digest.Digest) string { return ref.Name() + "@" + string(d) }

// noteSource writes down at each entry of an image that it is known as source, and for which platform it was pulled; empty leaves that as it is.
func (s *Store) noteSource(x *index, id digest.Digest, source, platform string) {
	s.rewriteSources(x, id, func(words []string) []string {
		if slices.Contains(words, source) {
			return words
		}
		return append(words, source)
	})
	if platform == "" {
		return
	}
	for _, i := range s.positions(x, id) {
		x.Manifests[i].Annotations[annotationPlatform] = platform // cloned just now
	}
}

// forgetSource takes one of the digests away.
func (s *Store) forgetSource(x *index, id digest.Digest, ref oci.Ref) {
	gone := sourceOf(ref, ref.Digest())
	s.rewriteSources(x, id, func(words []string) []string {
		return slices.DeleteFunc(words, func(w string) bool { return w == gone })
	})
}

// rewriteSources puts into every entry of an image what change makes of the digests that any of them has.
func (s *Store) rewriteSources(x *index, id digest.Digest, change func([]string) []string) {
	at := s.positions(x, id)
	var words []string
	for _, i := range at {
		for w := range strings.FieldsSeq(x.Manifests[i].Annotations[annotationSource]) {
			if !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	text := strings.Join(change(words), " ")
	for _, i := range at {
		d := &x.Manifests[i]
		d.Annotations = cloneAnnotations(d.Annotations)
		d.Annotations[annotationSource] = text
		if text == "" {
			delete(d.Annotations, annotationSource)
		}
	}
}
