package docker

import (
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/oci"
)

// configChanges returns the function that applies --change instructions (CMD, ENV, ...) to an image's config, as commit and import
// take it, or nil if there are none.
func configChanges(instructions []string) func(*oci.ImageConfig) error {
	if len(instructions) == 0 {
		return nil
	}
	return func(c *oci.ImageConfig) error { return container.ApplyChanges(c, instructions) }
}
