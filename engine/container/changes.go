package container

import (
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/oci"
)

// ApplyChanges changes c by Dockerfile instructions, as docker commit --change takes them. Errors: *InvalidError.
func ApplyChanges(c *oci.ImageConfig, changes []string) error {
	if err := dockerfile.Change(c, changes); err != nil {
		return invalid("%v", err)
	}
	return nil
}
