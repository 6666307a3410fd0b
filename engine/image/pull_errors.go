package image

import (
	"errors"
	"fmt"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
)

// pullError says in docker's words why ref can't be pulled, and then what the registry said.
func pullError(ref oci.Ref, err error) error {
	var e *registry.Error
	if !errors.As(err, &e) || e.Doing != registry.DoingResolve {
		return fmt.Errorf("pull %s: %w", ref.Familiar(), err)
	}
	switch {
	case errors.Is(err, registry.ErrDenied):
		return fmt.Errorf("pull access denied for %s, repository does not exist or may require 'docker login': %w", ref.Repository(), err)
	case e.Said("NAME_UNKNOWN"):
		return fmt.Errorf("repository %s not found: name unknown: %w", ref.Repository(), err)
	case errors.Is(err, registry.ErrNotFound):
		return fmt.Errorf("manifest for %s not found: manifest unknown: %w", ref.Familiar(), err)
	}
	return fmt.Errorf("pull %s: %w", ref.Familiar(), err)
}
