package image

import (
	"cmp"
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
		return &plainError{"pull access denied for " + ref.Repository() + ", repository does not exist or may require 'docker login': " + cmp.Or(e.Words(), e.Reason), err}
	case e.Said("NAME_UNKNOWN"):
		return &plainError{"repository " + ref.Repository() + " not found: " + e.Words(), err}
	case errors.Is(err, registry.ErrNotFound):
		return &plainError{"manifest for " + ref.Familiar() + " not found: " + cmp.Or(e.Words(), "manifest unknown"), err}
	}
	return fmt.Errorf("pull %s: %w", ref.Familiar(), err)
}

// plainError is an error in docker's words, which say all that there is to say.
type plainError struct {
	words string
	err   error
}

func (e *plainError) Error() string { return e.words }
func (e *plainError) Unwrap() error { return e.err }
