//go:build linux

package bundle

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/learn-containers/learn/engine/driver/linux/filter"
)

// compileFilter makes a config's filter ready to load; nil if there is none.
func compileFilter(s *specs.LinuxSeccomp) (*Filter, error) {
	if s == nil {
		return nil, nil
	}
	p, err := filter.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: %w", err)
	}
	if p.Notify && s.ListenerPath == "" {
		return nil, errors.New("linux.seccomp: an action notifies, but listenerPath is empty")
	}
	return &Filter{Program: p.Code, Flags: p.Flags, Notify: p.Notify}, nil
}
