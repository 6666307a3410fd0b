//go:build linux

package linux

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where struct seccomp_data has what (seccomp(2)).
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
)

// maxFilter is BPF_MAXINSNS.
const maxFilter = 4096

// compileFilter turns rules (runtime-spec, config-linux.md, Seccomp) into a program. Names that an architecture does not have are left out, as
// runc does. A call of an architecture that the rules do not name ends the process, as with libseccomp.
func compileFilter(rules *specs.LinuxSeccomp) (filter, error) {
	var f filter
	otherwise, err := actionCode(rules.DefaultAction, rules.DefaultErrnoRet)
	if err != nil {
		return f, fmt.Errorf("make system call filter: %w", err)
	}
	if f.flags, err = filterFlags(rules.Flags); err != nil {
		return f, fmt.Errorf("make system call filter: %w", err)
	}
	machines, err := machinesOf(rules.Architectures)
	if err != nil {
		return f, fmt.Errorf("make system call filter: %w", err)
	}
	program := []bpf.RawInstruction{load(dataArch)}
	for _, group := range byAudit(machines) {
		section, err := compileGroup(group, rules.Syscalls, otherwise)
		if err != nil {
			return f, fmt.Errorf("make system call filter: %w", err)
		}
		program = append(program, jump(unix.BPF_JEQ, uint32(group[0].ID), 1, 0), always(len(section)))
		program = append(program, section...)
	}
	program = append(program, result(unix.SECCOMP_RET_KILL_PROCESS))
	if len(program) > maxFilter {
		return f, fmt.Errorf("make system call filter: %d instructions, and the kernel takes %d: name fewer conditions or architectures in the profile", len(program), maxFilter)
	}
	f.program = encodeFilter(program)
	return f, nil
}

// encodeFilter writes the program as the kernel's struct sock_filter array.
func encodeFilter(program []bpf.RawInstruction) []byte {
	out := make([]byte, 0, 8*len(program))
	for _, r := range program {
		out = binary.NativeEndian.AppendUint16(out, r.Op)
		out = append(out, r.Jt, r.Jf)
		out = binary.NativeEndian.AppendUint32(out, r.K)
	}
	return out
}

// machinesOf are the architectures that a program may make calls of: the machine's own at least.
func machinesOf(names []specs.Arch) ([]*arch.Info, error) {
	own, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	machines := []*arch.Info{own}
	table := map[specs.Arch]*arch.Info{specs.ArchX86: arch.I386, specs.ArchX86_64: arch.X86_64, specs.ArchX32: arch.X32, specs.ArchARM: arch.ARM,
		specs.ArchAARCH64: arch.AARCH64}
	for _, n := range names {
		if m := table[n]; m != nil && !slices.Contains(machines, m) {
			machines = append(machines, m)
		}
	}
	return machines, nil
}

// byAudit puts architectures together that the kernel gives one number (audit.h): x32 is x86_64 with a bit in the call's number.
func byAudit(machines []*arch.Info) [][]*arch.Info {
	var groups [][]*arch.Info
	for _, m := range machines {
		i := slices.IndexFunc(groups, func(g []*arch.Info) bool { return g[0].ID == m.ID })
		if i < 0 {
			groups = append(groups, []*arch.Info{m})
		} else {
			groups[i] = append(groups[i], m)
		}
	}
	return groups
}

// compileGroup makes the part of the program for one of the kernel's architectures.
func compileGroup(group []*arch.Info, rules []specs.LinuxSyscall, otherwise uint32) ([]bpf.RawInstruction, error) {
	calls := map[uint32]*call{}
	for _, m := range group {
		for _, rule := range rules {
			if err := addRule(calls, m, rule); err != nil {
				return nil, err
			}
		}
	}
	spans, err := spansOf(calls, otherwise)
	if err != nil {
		return nil, err
	}
	if group[0] == arch.X86_64 && !slices.Contains(group, arch.X32) {
		spans = append(spans, span{first: x32Bit, code: []bpf.RawInstruction{result(unix.SECCOMP_RET_KILL_PROCESS)}})
	}
	return append([]bpf.RawInstruction{load(dataNumber)}, search(spans)...), nil
}

// x32Bit marks the calls of an architecture of its own among those of x86_64: no rule for those speaks of them.
const x32Bit = 0x40000000

// call is what the rules say of one system call. A rule without conditions stands above all others, and the first of them counts.
type call struct {
	settled     bool
	action      uint32
	conditional []conditional
}

// conditional is an action for calls with certain arguments.
type conditional struct {
	action uint32
	args   []specs.LinuxSeccompArg
	half   bool // compare the lower halves only
}

func addRule(calls map[uint32]*call, m *arch.Info, rule specs.LinuxSyscall) error {
	action, err := actionCode(rule.Action, rule.ErrnoRet)
	if err != nil {
		return fmt.Errorf("%v: %w", rule.Names, err)
	}
	for _, name := range rule.Names {
		n, ok := m.SyscallNames[name]
		if !ok {
			continue
		}
		number := uint32(n) | uint32(m.SeccompMask)
		c := calls[number]
		if c == nil {
			c = &call{}
			calls[number] = c
		}
		if len(rule.Args) == 0 && !c.settled {
			c.settled, c.action = true, action
		}
		// The arguments of these are ints: a family with something in the upper half is the same one for the kernel.
		half := name == "socket" || name == "socketpair"
		for _, args := range alternatives(rule.Args) {
			c.conditional = append(c.conditional, conditional{action, args, half})
		}
	}
	return nil
}

// alternatives splits conditions as runc does: all have to hold, but where two are about the same argument any one suffices.
func alternatives(args []specs.LinuxSeccompArg) [][]specs.LinuxSeccompArg {
	seen := map[uint]bool{}
	for _, a := range args {
		if seen[a.Index] {
			each := make([][]specs.LinuxSeccompArg, len(args))
			for i := range args {
				each[i] = args[i : i+1]
			}
			return each
		}
		seen[a.Index] = true
	}
	if len(args) == 0 {
		return nil
	}
	return [][]specs.LinuxSeccompArg{args}
}

// span is a range of call numbers with the same code.
type span struct {
	first  uint32
	code   []bpf.RawInstruction
	plain  uint32 // the action, where code is nothing else
	simple bool
}

// spansOf covers all numbers.
func spansOf(calls map[uint32]*call, otherwise uint32) ([]span, error) {
	numbers := make([]uint32, 0, len(calls))
	for n := range calls {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var spans []span
	plain := func(first, action uint32) {
		if last := len(spans) - 1; last >= 0 && spans[last].simple && spans[last].plain == action {
			return
		}
		spans = append(spans, span{first: first, code: []bpf.RawInstruction{result(action)}, plain: action, simple: true})
	}
	next := uint32(0)
	for _, n := range numbers {
		if n > next {
			plain(next, otherwise)
		}
		if c := calls[n]; c.settled {
			plain(n, c.action)
		} else {
			code, err := c.compile(otherwise)
			if err != nil {
				return nil, err
			}
			spans = append(spans, span{first: n, code: code})
		}
		next = n + 1
	}
	if next != 0 || len(spans) == 0 {
		plain(next, otherwise)
	}
	return spans, nil
}

// search is a binary search for the number, which has been loaded.
func search(spans []span) []bpf.RawInstruction {
	if len(spans) == 1 {
		return spans[0].code
	}
	mid := len(spans) / 2
	left, right := search(spans[:mid]), search(spans[mid:])
	out := []bpf.RawInstruction{jump(unix.BPF_JGE, spans[mid].first, 0, 1), always(len(left))}
	return append(append(out, left...), right...)
}

// compile tries the conditions in order.
func (c *call) compile(otherwise uint32) ([]bpf.RawInstruction, error) {
	var out []bpf.RawInstruction
	for _, alt := range c.conditional {
		code, err := alt.compile()
		if err != nil {
			return nil, err
		}
		out = append(out, code...)
	}
	return append(out, result(otherwise)), nil
}

// compile gives code that returns the action if all conditions hold, and else goes on behind it.
func (c *conditional) compile() ([]bpf.RawInstruction, error) {
	var parts [][]bpf.RawInstruction
	length := 1
	for _, a := range c.args {
		p, err := compare(a, c.half)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		length += len(p)
	}
	if length > math.MaxUint8 {
		return nil, fmt.Errorf("%d conditions in one rule are too many", len(c.args))
	}
	var out []bpf.RawInstruction
	for _, p := range parts {
		for i, ins := range p {
			resolve(&ins.Jt, len(p)-i-1, length-len(out)-1)
			resolve(&ins.Jf, len(p)-i-1, length-len(out)-1)
			out = append(out, ins)
		}
	}
	return append(out, result(c.action)), nil
}

// Marks for jumps until it is known how far they are.
const (
	passes = 0xfe // to the next condition
	fails  = 0xff // behind the rule
)

func resolve(j *uint8, toPass, toFail int) {
	switch *j {
	case passes:
		*j = uint8(toPass)
	case fails:
		*j = uint8(toFail)
	}
}

// compare checks one argument, as two halves: the machine of the filter has 32 bits. half leaves the upper one out.
func compare(a specs.LinuxSeccompArg, half bool) ([]bpf.RawInstruction, error) {
	if a.Index > 5 {
		return nil, fmt.Errorf("there is no argument %d: a system call has 0 to 5", a.Index)
	}
	at := uint32(dataArgs + 8*a.Index)
	high, low := at+4, at
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		high, low = at, at+4
	}
	vh, vl := uint32(a.Value>>32), uint32(a.Value)
	var upper, lower []bpf.RawInstruction
	switch a.Op {
	case specs.OpEqualTo:
		upper, lower = code(load(high), jump(unix.BPF_JEQ, vh, 0, fails)), code(load(low), jump(unix.BPF_JEQ, vl, passes, fails))
	case specs.OpNotEqual:
		upper, lower = code(load(high), jump(unix.BPF_JEQ, vh, 0, passes)), code(load(low), jump(unix.BPF_JEQ, vl, fails, passes))
	case specs.OpLessThan:
		upper, lower = lessUpper(high, vh), code(load(low), jump(unix.BPF_JGE, vl, fails, passes))
	case specs.OpLessEqual:
		upper, lower = lessUpper(high, vh), code(load(low), jump(unix.BPF_JGT, vl, fails, passes))
	case specs.OpGreaterThan:
		upper, lower = moreUpper(high, vh), code(load(low), jump(unix.BPF_JGT, vl, passes, fails))
	case specs.OpGreaterEqual:
		upper, lower = moreUpper(high, vh), code(load(low), jump(unix.BPF_JGE, vl, passes, fails))
	case specs.OpMaskedEqual:
		upper = code(load(high), mask(vh), jump(unix.BPF_JEQ, uint32(a.ValueTwo>>32), 0, fails))
		lower = code(load(low), mask(vl), jump(unix.BPF_JEQ, uint32(a.ValueTwo), passes, fails))
	default:
		return nil, fmt.Errorf("string %s is not a valid operator for seccomp", a.Op)
	}
	if half {
		return lower, nil
	}
	return append(upper, lower...), nil
}

func code(ins ...bpf.RawInstruction) []bpf.RawInstruction { return ins }

// lessUpper settles the upper half of a comparison with what is to be less; moreUpper of what is to be more.
func lessUpper(at, v uint32) []bpf.RawInstruction {
	return code(load(at), jump(unix.BPF_JGT, v, fails, 0), jump(unix.BPF_JEQ, v, 0, passes))
}

func moreUpper(at, v uint32) []bpf.RawInstruction {
	return code(load(at), jump(unix.BPF_JGT, v, passes, 0), jump(unix.BPF_JEQ, v, 0, fails))
}
