package registry

import (
	"context"
	"errors"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	oras "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
)

// maxPages bounds how long a registry's list of repositories is read.
const maxPages = 200

// Search lists the repositories of ref's registry whose names contain term, at most limit. Not every registry has a list, nor gives it to
// everybody.
func (c *Client) Search(ctx context.Context, ref oci.Ref, term string, limit int) ([]string, error) {
	const doing = "list the repositories of"
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	r := remote.Registry{RepositoryOptions: remote.RepositoryOptions{Client: c.auth, Reference: oras.Reference{Registry: ref.Domain()}, PlainHTTP: isLoopback(ref.Domain())}}
	var found []string
	pages := 0
	err := r.Repositories(ctx, "", func(names []string) error {
		for _, n := range names {
			if strings.Contains(n, term) && len(n) < 256 && len(found) < limit {
				found = append(found, n)
			}
		}
		if pages++; pages >= maxPages || len(found) >= limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, explain(doing, ref, "", cause(ctx, err))
}
