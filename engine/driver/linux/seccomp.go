//go:build linux

package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	profile "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// filter is a system call filter as the kernel takes it.
type filter struct {
	program []byte // struct sock_filter[], native byte order
	flags   uint32 // of seccomp(2)
}

// seccompFilter makes the filter of a process: word is empty for docker's default profile, driver.Unconfined, or a profile in docker's JSON
// format; bounding are the capabilities that the process can ever have, since rules may depend on them.
func seccompFilter(word string, bounding []string) (filter, error) {
	var rules *specs.LinuxSeccomp
	var err error
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: bounding}}}
	switch word {
	case driver.Unconfined:
		return filter{}, nil
	case "":
		if slices.Equal(bounding, standard.CapabilityNames()) {
			return defaultFilter()
		}
		rules, err = defaultRules(spec)
	default:
		rules, err = profile.LoadProfile(word, spec)
	}
	if err != nil {
		return filter{}, fmt.Errorf("make system call filter: %w", explainJSON(word, err))
	}
	if rules == nil {
		return filter{}, nil // a profile that says nothing
	}
	return compileFilter(rules)
}

// defaultRules is docker's default profile, less what it would let 32-bit programs do: socketcall hides the address family in memory, where no
// filter can see it, so the families that the profile refuses would be had through it.
func defaultRules(spec *specs.Spec) (*specs.LinuxSeccomp, error) {
	rules, err := profile.GetDefaultProfile(spec)
	if err != nil {
		return nil, err
	}
	for i := range rules.Syscalls {
		rules.Syscalls[i].Names = slices.DeleteFunc(rules.Syscalls[i].Names, func(n string) bool { return n == "socketcall" })
	}
	return rules, nil
}

// explainJSON adds the line to what the decoder says.
func explainJSON(text string, err error) error {
	at := int64(-1)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		at = syntax.Offset
	}
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		at = kind.Offset
	}
	if at < 0 || at > int64(len(text)) {
		return err
	}
	return fmt.Errorf("line %d of the profile: %w", 1+strings.Count(text[:at], "\n"), err)
}
