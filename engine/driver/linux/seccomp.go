//go:build linux

package linux

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	profile "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// seccompFilter is docker's default profile for the default capabilities, as the kernel takes it: struct sock_filter[].
var seccompFilter = sync.OnceValues(assembleSeccomp)

func assembleSeccomp() ([]byte, error) {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: shim.KeptCapabilities()}}}
	rules, err := profile.GetDefaultProfile(spec)
	if err != nil {
		return nil, fmt.Errorf("make system call filter: %w", err)
	}
	machine, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("make system call filter: %w", err)
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionErrno}
	for _, rule := range rules.Syscalls {
		group, err := convertRule(rule, machine)
		if err != nil {
			return nil, fmt.Errorf("make system call filter: %w", err)
		}
		policy.Syscalls = append(policy.Syscalls, group)
	}
	prog, err := policy.Assemble()
	if err != nil {
		return nil, fmt.Errorf("make system call filter: %w", err)
	}
	return encodeFilter(prog)
}

// convertRule turns one rule of the profile into the assembler's form. Names that this machine's architecture does not
// have, or that come twice, are left out.
func convertRule(rule specs.LinuxSyscall, machine *arch.Info) (seccomp.SyscallGroup, error) {
	g := seccomp.SyscallGroup{}
	switch rule.Action {
	case specs.ActAllow:
		g.Action = seccomp.ActionAllow
	case specs.ActErrno:
		errno := uint32(unix.EPERM)
		if rule.ErrnoRet != nil {
			errno = uint32(*rule.ErrnoRet)
		}
		g.Action = seccomp.ActionErrno&^0xffff | seccomp.Action(errno)
	default:
		return g, fmt.Errorf("action %s is not known", rule.Action)
	}
	conditions, err := convertArgs(rule)
	if err != nil {
		return g, err
	}
	seen := map[string]bool{}
	for _, name := range rule.Names {
		if _, ok := machine.SyscallNames[name]; !ok || seen[name] {
			continue
		}
		seen[name] = true
		if len(conditions) == 0 {
			g.Names = append(g.Names, name)
			continue
		}
		g.NamesWithCondtions = append(g.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: conditions})
	}
	return g, nil
}

func convertArgs(rule specs.LinuxSyscall) (seccomp.ArgumentConditions, error) {
	var conditions seccomp.ArgumentConditions
	for _, a := range rule.Args {
		c := seccomp.Condition{Argument: uint32(a.Index), Value: a.Value}
		switch a.Op {
		case specs.OpEqualTo:
			c.Operation = seccomp.Equal
		case specs.OpNotEqual:
			c.Operation = seccomp.NotEqual
		case specs.OpLessThan:
			c.Operation = seccomp.LessThan
		case specs.OpGreaterThan:
			c.Operation = seccomp.GreaterThan
		case specs.OpMaskedEqual:
			if a.ValueTwo != 0 {
				return nil, fmt.Errorf("%v: a masked comparison with %#x is not supported", rule.Names, a.ValueTwo)
			}
			c.Operation = seccomp.BitsNotSet
		default:
			return nil, fmt.Errorf("%v: comparison %s is not known", rule.Names, a.Op)
		}
		conditions = append(conditions, c)
		if rule.Names[0] == "socket" {
			// The kernel looks at the lower half only, so a family hidden behind a set upper half would pass as a large one.
			conditions = append(conditions, seccomp.Condition{Argument: uint32(a.Index), Operation: seccomp.LessOrEqual, Value: 1<<32 - 1})
		}
	}
	return conditions, nil
}

// encodeFilter writes the program as the kernel's struct sock_filter array.
func encodeFilter(prog []bpf.Instruction) ([]byte, error) {
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return nil, fmt.Errorf("encode system call filter: %w", err)
	}
	out := make([]byte, 0, 8*len(raw))
	for _, r := range raw {
		out = binary.NativeEndian.AppendUint16(out, r.Op)
		out = append(out, r.Jt, r.Jf)
		out = binary.NativeEndian.AppendUint32(out, r.K)
	}
	return out, nil
}
