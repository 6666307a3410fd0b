//go:build linux

package linux

import (
	"fmt"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// defaultFilter is docker's default profile for the default capabilities. It is compiled once in a process.
var defaultFilter = sync.OnceValues(func() (callFilter, error) {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: standard.CapabilityNames()}}}
	rules, err := defaultRules(spec)
	if err != nil {
		return callFilter{}, fmt.Errorf("make system call filter: %w", err)
	}
	return compileFilter(rules)
})
