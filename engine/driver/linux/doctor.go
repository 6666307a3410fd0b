package linux

import "github.com/learn-containers/learn/engine/home"

// Finding is one thing that Doctor looked at.
type Finding struct {
	Name           string
	OK             bool
	Detail, Remedy string
}

// Doctor tells what this machine can do for containers.
func Doctor(h *home.Home) []Finding { return nil }
