package registry

import (
	"bytes"
	"context"
	"errors"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
)

// MaxReferrers is how many artifacts that refer to one manifest are looked at.
const MaxReferrers = 64

var errEnough = errors.New("enough")

// Referrers lists the manifests in ref's repository that refer to subject, at most MaxReferrers; more tells that there are others. A
// registry without the referrers API is asked for the index under the tag that stands in for it (distribution-spec, referrers tag schema).
// What is listed is the registry's word: subject, types and digests are to be verified when a manifest is read.
func (c *Client) Referrers(ctx context.Context, ref oci.Ref, subject v1.Descriptor) (list []v1.Descriptor, more bool, err error) {
	const doing = "list referrers"
	repo, err := c.repository(ref)
	if err == nil {
		err = oci.CheckDescriptor(subject)
	}
	if err != nil {
		return nil, false, explain(doing, ref, subject.Digest, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	pages := 0
	err = repo.Referrers(ctx, subject, "", func(page []v1.Descriptor) error {
		for _, d := range page {
			if oci.CheckDescriptor(d) != nil || d.Size > oci.MaxJSON {
				continue
			}
			if len(list) == MaxReferrers {
				return errEnough
			}
			list = append(list, d)
		}
		if pages++; pages > MaxReferrers {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return list, true, nil
	}
	return list, false, explain(doing, ref, subject.Digest, cause(ctx, err))
}

// PushReferrer gives the manifest data, which has a subject, to ref's repository under its digest. Where the registry keeps no lists of
// referrers, the index under the subject's tag gets an entry, and tag is that tag; index entries of others stay.
func (c *Client) PushReferrer(ctx context.Context, ref oci.Ref, d, subject v1.Descriptor, data []byte) (tag string, err error) {
	const doing = "push referrer"
	repo, err := c.repository(ref)
	if err != nil {
		return "", explain(doing, ref, d.Digest, err)
	}
	repo.SkipReferrersGC = true // a push deletes nothing
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	if err := repo.Manifests().Push(ctx, d, bytes.NewReader(data)); err != nil {
		return "", explain(doing, ref, d.Digest, cause(ctx, err))
	}
	// The capability that the push found out can't be set to another.
	if errors.Is(repo.SetReferrersCapability(true), remote.ErrReferrersCapabilityAlreadySet) {
		tag = ReferrersTag(subject.Digest)
	}
	return tag, nil
}

// ReferrersTag is the tag under which a registry without the referrers API has the list of what refers to d.
func ReferrersTag(d digest.Digest) string {
	return string(d.Algorithm()) + "-" + d.Encoded()
}
