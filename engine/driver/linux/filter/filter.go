//go:build linux

// Package filter compiles a system call filter in the words of the runtime specification (config-linux.md, "Seccomp") into the program that
// the kernel takes (seccomp(2)). Numbers are found by a binary search, so that a call costs about ten instructions whatever the filter's
// length. It imports nothing that takes time to initialise.
package filter

import (
	"encoding/binary"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Program is a compiled filter.
type Program struct {
	Code   []byte // struct sock_filter[], native byte order
	Flags  uint   // for seccomp(2)
	Notify bool   // some calls are left to a listener
}

// Compile makes the program of a filter for the machine that this process runs on. Names that an architecture does not have are left out.
func Compile(s *specs.LinuxSeccomp) (*Program, error) {
	c := &compiler{spec: s, rules: make(map[string][]judged, 512)}
	var err error
	if c.fallback, err = action(s.DefaultAction, s.DefaultErrnoRet); err != nil {
		return nil, err
	}
	if c.fallback == unix.SECCOMP_RET_USER_NOTIF {
		return nil, fmt.Errorf("%s can't be the default action: the listener itself could not be handed over", specs.ActNotify)
	}
	p := &Program{}
	for _, f := range s.Flags {
		bit, ok := map[specs.LinuxSeccompFlag]uint{specs.LinuxSeccompFlagLog: unix.SECCOMP_FILTER_FLAG_LOG, specs.LinuxSeccompFlagSpecAllow: unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
			specs.LinuxSeccompFlagWaitKillableRecv: unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, "SECCOMP_FILTER_FLAG_TSYNC": 0}[f]
		if !ok {
			return nil, fmt.Errorf("string %s is not a valid flag for seccomp", f)
		}
		p.Flags |= bit
	}
	for i := range s.Syscalls {
		call := &s.Syscalls[i]
		p.Notify = p.Notify || call.Action == specs.ActNotify
		if err := c.checkCall(call); err != nil {
			return nil, err
		}
		c.note(call)
	}
	code, err := c.program()
	if err != nil {
		return nil, err
	}
	p.Code = encode(code)
	return p, nil
}

// action is what the kernel takes as a verdict.
func action(a specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	const maxErrno = 4095
	e := uint(unix.EPERM)
	if errno != nil {
		e = *errno
	}
	if e > maxErrno {
		return 0, fmt.Errorf("errnoRet %d: at most %d", e, maxErrno)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF, nil
	case specs.ActErrno, specs.ActTrace:
		if a == specs.ActTrace {
			return unix.SECCOMP_RET_TRACE | uint32(e), nil
		}
		return unix.SECCOMP_RET_ERRNO | uint32(e), nil
	}
	return 0, fmt.Errorf("string %s is not a valid action for seccomp", a)
}

type compiler struct {
	spec     *specs.LinuxSeccomp
	fallback uint32
	rules    map[string][]judged // by the names that they have, in order
}

// judged is a rule and what it comes to.
type judged struct {
	*specs.LinuxSyscall
	verdict uint32
}

// note takes a rule in that has been checked.
func (c *compiler) note(call *specs.LinuxSyscall) {
	verdict, _ := action(call.Action, call.ErrnoRet)
	for _, name := range call.Names {
		c.rules[name] = append(c.rules[name], judged{call, verdict})
	}
}

func (c *compiler) checkCall(call *specs.LinuxSyscall) error {
	if len(call.Names) == 0 {
		return fmt.Errorf("a rule names no system call")
	}
	if _, err := action(call.Action, call.ErrnoRet); err != nil {
		return fmt.Errorf("%s: %w", call.Names[0], err)
	}
	for _, a := range call.Args {
		if a.Index > 5 {
			return fmt.Errorf("%s: there is no argument %d: system calls have six, from 0", call.Names[0], a.Index)
		}
		if _, ok := comparison(a); !ok {
			return fmt.Errorf("%s: string %s is not a valid operator for seccomp", call.Names[0], a.Op)
		}
	}
	return nil
}

// abi is a way to call this machine's kernel.
type abi struct {
	audit uint32
	bit   uint32 // set in every number: the mark of x32
	calls string
	name  specs.Arch
}

// abis are those that the processor has; the first is the native one.
func abis() []abi {
	switch runtime.GOARCH {
	case "amd64":
		return []abi{{unix.AUDIT_ARCH_X86_64, 0, amd64Calls, specs.ArchX86_64}, {unix.AUDIT_ARCH_X86_64, x32Bit, x32Calls, specs.ArchX32},
			{unix.AUDIT_ARCH_I386, 0, i386Calls, specs.ArchX86}}
	case "arm64":
		return []abi{{unix.AUDIT_ARCH_AARCH64, 0, arm64Calls, specs.ArchAARCH64}, {unix.AUDIT_ARCH_ARM, 0, armCalls, specs.ArchARM}}
	}
	return nil
}

const x32Bit = 0x40000000

// badCall is the verdict for a way to call that the rules do not name.
const badCall = unix.SECCOMP_RET_KILL_PROCESS

// program puts the parts for each way to call together. Any way that is not listed ends the process.
func (c *compiler) program() ([]insn, error) {
	all := abis()
	if all == nil {
		return nil, fmt.Errorf("system call filters are not supported on %s", runtime.GOARCH)
	}
	var code []insn
	code = append(code, insn{code: ldAbs, k: offArch})
	for i := 0; i < len(all); i++ {
		group := []abi{all[i]} // those with one number in the kernel's data
		for i+1 < len(all) && all[i+1].audit == all[i].audit {
			i++
			group = append(group, all[i])
		}
		var body []insn
		var spans []span
		for j, a := range group {
			if j == 0 && a.audit == all[0].audit || slices.Contains(c.spec.Architectures, a.name) {
				spans = append(spans, c.spans(a)...)
			} else {
				spans = append(spans, span{from: a.bit, verdict: badCall})
			}
		}
		if len(group) == 1 && i > 0 && !slices.Contains(c.spec.Architectures, group[0].name) {
			continue
		}
		body = append([]insn{{code: ldAbs, k: offNumber}}, search(spans)...)
		code = append(code, insn{code: jeq, k: group[0].audit, jt: 1}, insn{code: ja, k: uint32(len(body))})
		code = append(code, body...)
	}
	code = append(code, insn{code: ret, k: badCall})
	if len(code) > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("%d instructions, and the kernel takes %d: name fewer conditions or architectures", len(code), unix.BPF_MAXINSNS)
	}
	return code, nil
}

// span is a verdict for all numbers from one on up to the next span.
type span struct {
	from    uint32
	verdict uint32
	settled bool   // by a rule without conditions, which stands above all others; the first of them counts
	rules   []rule // tried first
}

func (s span) same(t span) bool {
	return len(s.rules) == 0 && len(t.rules) == 0 && s.verdict == t.verdict
}

// rule is a verdict for calls whose arguments all fit.
type rule struct {
	args    []specs.LinuxSeccompArg
	verdict uint32
	half    bool // the lower halves of the arguments count only
}

// spans gives the verdicts of one way to call, in the order of the numbers, neighbours with one verdict as one.
func (c *compiler) spans(a abi) []span {
	single := make([]span, 0, len(c.rules))
	for name, number := range table(a.calls) {
		rules := c.rules[name]
		if len(rules) == 0 {
			continue
		}
		half := name == "socket" || name == "socketpair" // their arguments are ints: what is in the upper half is nothing to the kernel
		s := span{from: number | a.bit, verdict: c.fallback}
		for _, r := range rules {
			s.add(r.Args, r.verdict, half)
		}
		single = append(single, s)
	}
	slices.SortFunc(single, func(x, y span) int { return int(int64(x.from) - int64(y.from)) })
	out := append(make([]span, 0, len(single)+8), span{from: a.bit, verdict: c.fallback})
	add := func(s span) {
		last := &out[len(out)-1]
		switch {
		case last.same(s):
		case last.from == s.from:
			*last = s
		default:
			out = append(out, s)
		}
	}
	for i, s := range single {
		add(s)
		if i+1 == len(single) || single[i+1].from != s.from+1 {
			add(span{from: s.from + 1, verdict: c.fallback})
		}
	}
	return out
}

// add takes a rule in. Conditions on one argument twice are alternatives, as for runc and libseccomp.
func (s *span) add(args []specs.LinuxSeccompArg, verdict uint32, half bool) {
	if s.settled {
		return
	}
	if len(args) == 0 {
		s.verdict, s.settled, s.rules = verdict, true, nil
		return
	}
	seen := map[uint]bool{}
	for _, a := range args {
		if seen[a.Index] {
			for i := range args {
				s.rules = append(s.rules, rule{args[i : i+1], verdict, half})
			}
			return
		}
		seen[a.Index] = true
	}
	s.rules = append(s.rules, rule{args, verdict, half})
}

// Native names this machine's own system calls and their numbers; empty where filters are not supported.
func Native() map[string]uint32 {
	all := abis()
	if len(all) == 0 {
		return nil
	}
	m := map[string]uint32{}
	for name, number := range table(all[0].calls) {
		m[name] = number
	}
	return m
}

// NativeArchitecture is the number by which the kernel names the machine to a filter (AUDIT_ARCH_*); 0 where filters are not supported.
func NativeArchitecture() uint32 {
	if all := abis(); len(all) > 0 {
		return all[0].audit
	}
	return 0
}

// table gives the names of a table with their numbers. One name may come twice: x32 has some calls besides those of 64 bit.
func table(text string) iter.Seq2[string, uint32] {
	return func(yield func(string, uint32) bool) {
		for len(text) > 0 {
			name, rest, _ := strings.Cut(text, " ")
			digits, rest, _ := strings.Cut(rest, " ")
			text = rest
			var n uint32
			for _, d := range []byte(digits) {
				n = n*10 + uint32(d-'0')
			}
			if !yield(name, n) {
				return
			}
		}
	}
}

func encode(code []insn) []byte {
	out := make([]byte, 0, 8*len(code))
	for _, i := range code {
		out = binary.NativeEndian.AppendUint16(out, i.code)
		out = append(out, i.jt, i.jf)
		out = binary.NativeEndian.AppendUint32(out, i.k)
	}
	return out
}
