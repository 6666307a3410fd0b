package volume

import (
	"errors"
	"fmt"
	"strings"
)

// NotFoundError says that there is no volume of that name.
type NotFoundError struct{ Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("get %s: no such volume", e.Name) }

// IsNotFound reports whether err says that a volume is not there.
func IsNotFound(err error) bool { return errors.As(err, new(*NotFoundError)) }

// InUseError says that containers have the volume.
type InUseError struct {
	Name       string
	Containers []string // ids
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("remove %s: volume is in use - [%s]", e.Name, strings.Join(e.Containers, ", "))
}

// InvalidError says that what was asked for makes no sense. Msg is docker's sentence where docker has one.
type InvalidError struct{ Msg string }

func (e *InvalidError) Error() string { return e.Msg }

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }

// ConflictError says that a volume stands in the way.
type ConflictError struct{ Msg string }

func (e *ConflictError) Error() string { return e.Msg }
