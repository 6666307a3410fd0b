package userland

import "strings"

// Has reports whether one of the programs has this name; a leading dash (a login shell) does not count.
func Has(name string) bool {
	_, ok := lookup(strings.TrimPrefix(name, "-"))
	return ok
}
