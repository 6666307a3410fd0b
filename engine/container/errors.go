package container

import "fmt"

// NotFoundError says that no container has the name or id Ref.
type NotFoundError struct{ Ref string }

func (e *NotFoundError) Error() string { return "No such container: " + e.Ref }

// ConflictError says that a command is not legal in the state a container is in, or that its name is taken. Msg is
// docker's sentence.
type ConflictError struct{ Msg string }

func (e *ConflictError) Error() string { return e.Msg }

// InvalidError says that what was asked for makes no sense. Msg is docker's sentence where docker has one.
type InvalidError struct{ Msg string }

func (e *InvalidError) Error() string { return e.Msg }

func conflict(format string, args ...any) error {
	return &ConflictError{fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }

func notRunning(id string) error { return conflict("container %s is not running", id) }

func isRestarting(ref string) error {
	return conflict("Container %s is restarting, wait until the container is running", ref)
}

func unsupported(what string) error {
	return fmt.Errorf("%s: this machine's driver cannot do that: %w", what, errUnsupported)
}
