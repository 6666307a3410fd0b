package drivertest

import (
	"testing"
)

// lab is the machine that all cases share.
type lab struct {
	Machine
}

func newLab(t *testing.T, m Machine) *lab {
	t.Helper()
	return &lab{Machine: m}
}
