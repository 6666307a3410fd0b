package image

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
// are at most one, or with force. inUse tells which containers were made of an image. What can't be removed because it is
// in use is a *ConflictError. The image's blobs and chains stay until Collect.
func (s *Store) Remove(ctx context.Context, name string, force bool, inUse func(id digest.Digest) []Use) ([]Removal, error) {
	x, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	d, _, err := s.lookup(x, name)
	if err != nil {
		return nil, err
	}
	id, err := s.idOf(d)
	if err != nil {
		return nil, err
	}
	r := removal{store: s, id: id, name: name, force: force, uses: inUse(id)}
	err = s.withOperation("remove image", func(op *home.Operation) error {
		return s.changeIndex(ctx, op, r.run)
	})
	if err != nil {
		return nil, err
	}
	r.record(ctx)
	return r.removals(), nil
}

// removal is one Remove under way.
type removal struct {
	store    *Store
	id       digest.Digest
	name     string
	force    bool
	uses     []Use
	untagged []oci.Ref
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
	refs := r.store.refs(x, r.id)
	failpoint.Hit("image.remove.before-index")
	if !byID {
		return r.byName(x, refOf(d), refs)
	}
	if err := r.check(len(refs) > 1); err != nil {
		return err
	}
	r.remove(x)
	return nil
}

// byName untags, and deletes the image if that was its last name and nothing uses it.
func (r *removal) byName(x *index, ref oci.Ref, refs []oci.Ref) error {
	if len(r.uses) > 0 && len(refs) <= 1 && !r.force {
		return &ConflictError{fmt.Sprintf("unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
			r.name, short(r.uses[0].Container), oci.ShortID(r.id))}
	}
	if len(refs) > 1 || r.running() != "" {
		r.store.unlink(x, x.find(ref))
		r.untagged = append(r.untagged, ref)
		return nil
	}
	r.remove(x)
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
func (r *removal) remove(x *index) {
	for _, i := range slices.Backward(r.store.positions(x, r.id)) {
		if ref := refOf(x.Manifests[i]); !ref.IsZero() {
			r.untagged = append(r.untagged, ref)
		}
		x.Manifests = slices.Delete(x.Manifests, i, i+1)
	}
	slices.Reverse(r.untagged)
	r.deleted = true
}

func (r *removal) record(ctx context.Context) {
	failpoint.Hit("image.remove.after-index")
	for _, ref := range r.untagged {
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
