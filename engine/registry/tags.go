package registry

import (
	"context"
	"fmt"

	"github.com/learn-containers/learn/engine/oci"
)

const maxTags = 10_000 // of one repository

// Tags lists the tags of the repository of ref, as its registry sorts them. The names are checked: each makes a Ref.
func (c *Client) Tags(ctx context.Context, ref oci.Ref) ([]string, error) {
	const doing = DoingResolve
	repo, err := c.repository(ref)
	if err != nil {
		return nil, explain(doing, ref, "", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.patience, errStalled)
	defer cancel()
	var tags []string
	err = repo.Tags(ctx, "", func(some []string) error {
		for _, t := range some {
			if _, err := oci.ParseName(ref.Name() + ":" + t); err != nil {
				return fmt.Errorf("the registry lists the tag %.200q: %w", t, err)
			}
		}
		if tags = append(tags, some...); len(tags) > maxTags {
			return fmt.Errorf("the repository has more than %d tags: pull them one by one", maxTags)
		}
		return nil
	})
	return tags, explain(doing, ref, "", cause(ctx, err))
}
