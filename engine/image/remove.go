package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"
)

// Use is one container that was made of an image.
type Use struct {
	Container string // its id
	Running   bool   // running or paused
}

// Removal is one line of what Remove did: a name taken away or an image deleted.
type Removal struct {
	Untagged string        // familiar name, or empty
	Deleted  digest.Digest // id, or empty
}

// IsNotFound reports that err says that no image has the name.
func IsNotFound(err error) bool {
	var missing *NotFoundError
	return errors.As(err, &missing)
}

// Remove takes a name away, and deletes the image with its last name, by docker's rules. An id stands for all names if they
// are of one repository, or with force. inUse tells which containers were made of an image. What can't be removed because it is
// in use is a *ConflictError. The image's blobs and chains stay until a collection; layers are those of a deleted image, the topmost first,
// for CollectAfter to be asked about.
func (s *Store) Remove(ctx context.Context, name string, force bool, inUse func(id digest.Digest) []Use) (done []Removal, layers []Layer, err error) {
	x, err := s.readIndex()
	if err != nil {
		return nil, nil, err
	}
	d, _, err := s.lookup(x, name)
	if err != nil {
		return nil, nil, err
	}
	id, err := s.idOf(d)
	if err != nil {
		return nil, nil, err
	}
	r := removal{store: s, id: id, name: name, force: force, uses: inUse(id)}
	layers = s.layersOf(Image{Manifest: d})
	err = s.withOperation("remove image", func(op *home.Operation) error {
		return s.changeIndex(ctx, op, r.run)
	})
	if err != nil {
		return nil, nil, err
	}
	r.record(ctx)
	if !r.deleted {
		layers = nil
	}
	return r.removals(), layers, nil
}

// removal is one Remove under way.
type removal struct {
	store    *Store
	id       digest.Digest
	name     string
	force    bool
	uses     []Use
	untagged []oci.Ref // tags and digests, in the order in which they went
	deleted  bool
}

// run decides under the index's lock, by what the name means now.
func (r *removal) run(x *index) error {
	d, byID, err := r.store.lookup(x, r.name)
	if err != nil {
		return err
	}
	if id, err := r.store.idOf(d); err != nil || id != r.id {
		return errors.Join(err, &NotFoundError{r.name})
	}
	names := r.store.references(x, r.id)
	failpoint.Hit("image.remove.before-index")
	ref, err := oci.ParseRef(r.name)
	if byID || err != nil || isPrefix(r.id, r.name) || ref.Digest() != "" && !slices.Contains(names.digests, bare(ref)) {
		return r.byID(x, names)
	}
	return r.byName(x, ref, names)
}

// isPrefix reports that name, though it may be a repository's too, is the beginning of the id: docker then takes it for the id.
func isPrefix(id digest.Digest, name string) bool {
	return strings.HasPrefix(string(id), name) || strings.HasPrefix(id.Encoded(), name)
}

// bare is a digest without the tag beside it.
func bare(ref oci.Ref) oci.Ref { return ref.WithDigest(ref.Digest()) }

// byName untags, and deletes the image if that was its last name and nothing uses it.
func (r *removal) byName(x *index, ref oci.Ref, names references) error {
	if len(r.uses) > 0 && names.single() && !r.force {
		return &ConflictError{fmt.Sprintf("unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
			r.name, short(r.uses[0].Container), oci.ShortID(r.id))}
	}
	r.untag(x, ref, &names)
	if len(names.tags)+len(names.digests) > 0 || r.running() != "" || len(r.uses) > 0 && !r.force {
		return nil
	}
	r.remove(x, names)
	return nil
}

// untag takes one name away; with the last tag of a repository go the digests by which that repository knows the image.
func (r *removal) untag(x *index, ref oci.Ref, names *references) {
	r.untagged = append(r.untagged, ref)
	if ref.Digest() != "" {
		names.digests = slices.DeleteFunc(names.digests, func(d oci.Ref) bool { return d == bare(ref) })
		r.store.forgetSource(x, r.id, ref)
		return
	}
	names.tags = slices.DeleteFunc(names.tags, func(t oci.Ref) bool { return t == ref })
	if i := x.find(ref); i >= 0 {
		r.store.unlink(x, i)
	}
	sameRepository := func(other oci.Ref) bool { return other.Name() == ref.Name() }
	if slices.ContainsFunc(names.tags, sameRepository) {
		return
	}
	names.digests = slices.DeleteFunc(names.digests, func(d oci.Ref) bool {
		if sameRepository(d) {
			r.untagged = append(r.untagged, d)
			r.store.forgetSource(x, r.id, d)
		}
		return sameRepository(d)
	})
}

// byID deletes the image with all its names, which docker does if they are of one repository, or with force.
func (r *removal) byID(x *index, names references) error {
	if err := r.check(len(names.tags)+len(names.digests) > 0 && !names.single()); err != nil {
		return err
	}
	r.remove(x, names)
	return nil
}

// check gives docker's conflicts about deleting an image by its id.
func (r *removal) check(severalNames bool) error {
	conflict := func(must, message string) error {
		return &ConflictError{fmt.Sprintf("unable to delete %s (%s) - %s", oci.ShortID(r.id), must, message)}
	}
	switch running := r.running(); {
	case running != "":
		return conflict("cannot be forced", "image is being used by running container "+short(running))
	case r.force:
		return nil
	case severalNames:
		return conflict("must be forced", "image is referenced in multiple repositories")
	case len(r.uses) > 0:
		return conflict("must be forced", "image is being used by stopped container "+short(r.uses[0].Container))
	}
	return nil
}

func (r *removal) running() string {
	for _, u := range r.uses {
		if u.Running {
			return u.Container
		}
	}
	return ""
}

// remove takes every descriptor of the image out.
func (r *removal) remove(x *index, names references) {
	r.untagged = append(r.untagged, names.all()...)
	for _, i := range slices.Backward(r.store.positions(x, r.id)) {
		x.Manifests = slices.Delete(x.Manifests, i, i+1)
	}
	r.deleted = true
}

func (r *removal) record(ctx context.Context) {
	failpoint.Hit("image.remove.after-index")
	for _, ref := range r.untagged {
		if ref.Digest() != "" {
			continue // a digest is no name that the trace or docker's events tell of
		}
		r.store.tell(events.ActionUnTag, r.id, "")
		trace.Fact(ctx, vocab.ImageUntag, trace.String("ref", ref.String()), trace.String("image", string(r.id)))
	}
	if r.deleted {
		r.store.tell(events.ActionDelete, r.id, "")
		trace.Fact(ctx, vocab.ImageRemove, trace.String("image", string(r.id)))
	}
}

func (r *removal) removals() []Removal {
	var list []Removal
	for _, ref := range r.untagged {
		list = append(list, Removal{Untagged: ref.Familiar()})
	}
	if r.deleted {
		list = append(list, Removal{Deleted: r.id})
	}
	return list
}

func short(id string) string { return id[:min(len(id), 12)] }
