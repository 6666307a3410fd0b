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
	"github.com/learn-containers/learn/engine/driver/linux/filter"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// callFilter is a system call filter as the kernel takes it.
type callFilter struct {
	program []byte // struct sock_filter[], native byte order
	flags   uint32 // of seccomp(2)
}

// seccompFilter makes the filter of a process: word is empty for docker's default profile, driver.Unconfined, or a profile in docker's JSON
// format; bounding are the capabilities that the process can ever have, since rules may depend on them.
func seccompFilter(word string, bounding []string) (callFilter, error) {
	var rules *specs.LinuxSeccomp
	var err error
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: bounding}}}
	switch word {
	case driver.Unconfined:
		return callFilter{}, nil
	case "":
		if slices.Equal(bounding, standard.CapabilityNames()) {
			return defaultFilter()
		}
		rules, err = defaultRules(spec)
	default:
		rules, err = profile.LoadProfile(word, spec)
	}
	if err != nil {
		return callFilter{}, fmt.Errorf("make system call filter: %w", explainJSON(word, err))
	}
	if rules == nil {
		return callFilter{}, nil // a profile that says nothing
	}
	return compileFilter(rules)
}

// compileFilter turns rules into a program. There is nobody outside who could be asked about calls, so no rule may want that.
func compileFilter(rules *specs.LinuxSeccomp) (callFilter, error) {
	for _, a := range actionsOf(rules) {
		if a == specs.ActNotify {
			return callFilter{}, fmt.Errorf("make system call filter: %s asks somebody outside for each call, and there is nobody: use SCMP_ACT_ERRNO or SCMP_ACT_LOG", a)
		}
	}
	p, err := filter.Compile(rules)
	if err != nil {
		return callFilter{}, fmt.Errorf("make system call filter: %w", err)
	}
	return callFilter{program: p.Code, flags: uint32(p.Flags)}, nil
}

func actionsOf(rules *specs.LinuxSeccomp) []specs.LinuxSeccompAction {
	all := []specs.LinuxSeccompAction{rules.DefaultAction}
	for _, s := range rules.Syscalls {
		all = append(all, s.Action)
	}
	return all
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
