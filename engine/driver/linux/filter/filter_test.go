//go:build linux

package filter_test

import (
	"encoding/binary"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/driver/linux/filter"
)

// call is a system call as the kernel shows it to a filter.
type call struct {
	number, audit uint32
	args          [6]uint64
}

// judge runs a program as the kernel does (Documentation/networking/filter.rst).
func judge(t *rapid.T, code []byte, c call) uint32 {
	data := make([]byte, 64)
	binary.NativeEndian.PutUint32(data, c.number)
	binary.NativeEndian.PutUint32(data[4:], c.audit)
	for i, a := range c.args {
		binary.NativeEndian.PutUint64(data[16+8*i:], a)
	}
	acc := uint32(0)
	for pc := 0; pc < len(code)/8; pc++ {
		in := code[8*pc:]
		op, jt, jf, k := binary.NativeEndian.Uint16(in), int(in[2]), int(in[3]), binary.NativeEndian.Uint32(in[4:])
		jump := func(yes bool) {
			if yes {
				pc += jt
			} else {
				pc += jf
			}
		}
		switch op {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.NativeEndian.Uint32(data[k:])
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= k
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(k)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(acc == k)
		case unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K:
			jump(acc > k)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(acc >= k)
		case unix.BPF_RET | unix.BPF_K:
			return k
		default:
			t.Fatalf("instruction %d: %#x", pc, op)
		}
	}
	t.Fatal("the program runs off its end")
	return 0
}

func native(t testing.TB) *arch.Info {
	info, err := arch.GetInfo("")
	if err != nil {
		t.Skipf("no table to compare with on %s", runtime.GOARCH)
	}
	return info
}

func fits(a specs.LinuxSeccompArg, v uint64) bool {
	switch a.Op {
	case specs.OpEqualTo:
		return v == a.Value
	case specs.OpNotEqual:
		return v != a.Value
	case specs.OpLessThan:
		return v < a.Value
	case specs.OpLessEqual:
		return v <= a.Value
	case specs.OpGreaterThan:
		return v > a.Value
	case specs.OpGreaterEqual:
		return v >= a.Value
	}
	return v&a.Value == a.ValueTwo&a.Value
}

// verdict is what the rules say, read plainly: the first one without conditions, else the first conditional one that fits, else the default.
func verdict(s *specs.LinuxSeccomp, name string, args [6]uint64) specs.LinuxSeccompAction {
	if name == "socket" || name == "socketpair" {
		for i := range args {
			args[i] &= 1<<32 - 1
		}
	}
	fitting := func(r specs.LinuxSyscall) bool {
		return slices.Contains(r.Names, name) && !slices.ContainsFunc(r.Args, func(a specs.LinuxSeccompArg) bool {
			if name == "socket" || name == "socketpair" {
				a.Value, a.ValueTwo = a.Value&(1<<32-1), a.ValueTwo&(1<<32-1)
			}
			return !fits(a, args[a.Index])
		})
	}
	if i := slices.IndexFunc(s.Syscalls, func(r specs.LinuxSyscall) bool { return len(r.Args) == 0 && fitting(r) }); i >= 0 {
		return s.Syscalls[i].Action
	}
	if i := slices.IndexFunc(s.Syscalls, fitting); i >= 0 {
		return s.Syscalls[i].Action
	}
	return s.DefaultAction
}

func number(a specs.LinuxSeccompAction) uint32 {
	return map[specs.LinuxSeccompAction]uint32{specs.ActAllow: unix.SECCOMP_RET_ALLOW, specs.ActErrno: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), specs.ActKillProcess: unix.SECCOMP_RET_KILL_PROCESS,
		specs.ActLog: unix.SECCOMP_RET_LOG}[a]
}

func TestProgramJudgesAsItsRules(t *testing.T) {
	info := native(t)
	names := slices.Sorted(maps.Keys(info.SyscallNames))
	actions := rapid.SampledFrom([]specs.LinuxSeccompAction{specs.ActAllow, specs.ActErrno, specs.ActKillProcess, specs.ActLog})
	value := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 3), rapid.Map(rapid.Uint64Range(0, 3), func(v uint64) uint64 { return v << 32 }), rapid.Map(rapid.Uint64Range(0, 3), func(v uint64) uint64 { return 1<<32 - v }))
	ops := rapid.SampledFrom([]specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpMaskedEqual})
	rapid.Check(t, func(t *rapid.T) {
		s := &specs.LinuxSeccomp{DefaultAction: actions.Draw(t, "default")}
		for range rapid.IntRange(0, 30).Draw(t, "rules") {
			r := specs.LinuxSyscall{Names: rapid.SliceOfN(rapid.SampledFrom(names), 1, 60).Draw(t, "names"), Action: actions.Draw(t, "action")}
			for _, i := range rapid.SliceOfNDistinct(rapid.UintRange(0, 5), 0, 4, rapid.ID).Draw(t, "arguments") {
				r.Args = append(r.Args, specs.LinuxSeccompArg{Index: i, Op: ops.Draw(t, "op"), Value: value.Draw(t, "value"), ValueTwo: value.Draw(t, "second")})
			}
			s.Syscalls = append(s.Syscalls, r)
		}
		p, err := filter.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			name := rapid.SampledFrom(names).Draw(t, "call")
			c := call{number: uint32(info.SyscallNames[name]), audit: uint32(info.ID)}
			for i := range c.args {
				c.args[i] = value.Draw(t, "argument")
			}
			if got, want := judge(t, p.Code, c), number(verdict(s, name, c.args)); got != want {
				t.Fatalf("%s %x: %#x, want %#x", name, c.args, got, want)
			}
		}
		if got := judge(t, p.Code, call{number: 1, audit: 0xdead}); got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Fatalf("an unknown architecture gets %#x", got)
		}
		if runtime.GOARCH == "amd64" {
			if got := judge(t, p.Code, call{number: 1 | 0x40000000, audit: uint32(info.ID)}); got != unix.SECCOMP_RET_KILL_PROCESS {
				t.Fatalf("a call by the x32 way gets %#x", got)
			}
		}
	})
}

func TestRefusedFilters(t *testing.T) {
	big := uint(5000)
	for name, s := range map[string]*specs.LinuxSeccomp{
		"action":     {DefaultAction: "SCMP_ACT_NOSUCH"},
		"flag":       {DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"X"}},
		"errno":      {DefaultAction: specs.ActErrno, DefaultErrnoRet: &big},
		"argument":   {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}}}},
		"comparison": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "X"}}}}},
		"no name":    {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Action: specs.ActErrno}}},
	} {
		if _, err := filter.Compile(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
