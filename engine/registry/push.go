package registry

import (
	"bytes"
	"context"
	"io"

	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
)

// PushBlob sees to it that the repository of ref has the blob d. open is called only if it hasn't; existed tells.
func (c *Client) PushBlob(ctx context.Context, ref oci.Ref, d v1.Descriptor, open func() (io.ReadCloser, error)) (existed bool, err error) {
	const doing = "push blob"
	repo, err := c.repository(ref)
	if err != nil {
		return false, explain(doing, ref, d.Digest, err)
	}
	if existed, err = c.exists(ctx, repo, d); err != nil || existed {
		return existed, explain(doing, ref, d.Digest, err)
	}
	content, err := open()
	if err != nil {
		return false, explain(doing, ref, d.Digest, err)
	}
	defer content.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWatch(pushPatience*c.patience, cancel)
	w.begin()
	defer w.end()
	err = repo.Blobs().Push(ctx, d, &pushed{content, w})
	return false, explain(doing, ref, d.Digest, cause(ctx, err))
}

func (c *Client) exists(ctx context.Context, repo *remote.Repository, d v1.Descriptor) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	existed, err := repo.Blobs().Exists(ctx, d)
	return existed, cause(ctx, err)
}

// PushManifest gives the manifest data, whose descriptor is d, to the repository of ref under its tag; without a tag, under its digest
// alone. The blobs that it names must be there already.
func (c *Client) PushManifest(ctx context.Context, ref oci.Ref, d v1.Descriptor, data []byte) error {
	const doing = "push manifest"
	repo, err := c.repository(ref)
	if err != nil {
		return explain(doing, ref, d.Digest, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	if tag := ref.Tag(); tag != "" {
		err = repo.Manifests().PushReference(ctx, d, bytes.NewReader(data), tag)
	} else {
		err = repo.Manifests().Push(ctx, d, bytes.NewReader(data))
	}
	return explain(doing, ref, d.Digest, cause(ctx, err))
}
