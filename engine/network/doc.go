// Package network says what networks are made of, as plain data: subnets and the addresses in them, names, published ports, and the plan of
// what one container has of all that. It opens no socket and asks no kernel; drivers carry plans out.
//
// Invariants: two networks never have subnets that overlap; an address is given to one endpoint at a time, and never is the subnet's first
// or last one or its gateway; what is chosen depends on the arguments alone, so that the same session gets the same addresses everywhere.
package network

import "fmt"

// InvalidError reports a request that can't be met whatever the state of things: docker exits with 125 or 1 and these words.
type InvalidError struct{ Msg string }

// Error implements error.
func (e *InvalidError) Error() string { return e.Msg }

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }
