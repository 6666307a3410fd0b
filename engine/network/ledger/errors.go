package ledger

import (
	"errors"
	"fmt"
	"strings"
)

// NotFoundError reports that there is no such network.
type NotFoundError struct{ Ref string }

// Error implements error.
func (e *NotFoundError) Error() string { return fmt.Sprintf("network %s not found", e.Ref) }

// IsNotFound reports whether err says that a network is not there.
func IsNotFound(err error) bool { return errors.As(err, new(*NotFoundError)) }

// InUseError reports that containers run in a network.
type InUseError struct {
	Name, ID  string
	Endpoints []string // name:"web" id:"0123456789ab"
}

// Error implements error.
func (e *InUseError) Error() string {
	return fmt.Sprintf("error while removing network: network %s id %s has active endpoints (%s)", e.Name, e.ID, strings.Join(e.Endpoints, ", "))
}

// ConflictError reports that a request contradicts what is there.
type ConflictError struct{ Msg string }

// Error implements error.
func (e *ConflictError) Error() string { return e.Msg }

func conflict(format string, args ...any) error { return &ConflictError{fmt.Sprintf(format, args...)} }

// InvalidError reports a request that can't be met whatever is there.
type InvalidError struct{ Msg string }

// Error implements error.
func (e *InvalidError) Error() string { return e.Msg }

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }
