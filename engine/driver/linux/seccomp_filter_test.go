//go:build linux

package linux

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	profile "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// decide runs a filter as the kernel does. The machine of x/net/bpf reads big-endian words, so each word is laid down like that.
func decide(t testing.TB, f callFilter, audit uint32, number uint32, args ...uint64) uint32 {
	t.Helper()
	var ins []bpf.Instruction
	for p := f.program; len(p) > 0; p = p[8:] {
		raw := bpf.RawInstruction{Op: binary.NativeEndian.Uint16(p), Jt: p[2], Jf: p[3], K: binary.NativeEndian.Uint32(p[4:])}
		ins = append(ins, raw.Disassemble())
	}
	vm, err := bpf.NewVM(ins)
	must(t, err)
	data := make([]byte, 16+6*8)
	binary.BigEndian.PutUint32(data[0:], number)
	binary.BigEndian.PutUint32(data[4:], audit)
	for i, a := range args {
		low, high := 16+8*i, 16+8*i+4
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
			low, high = high, low
		}
		binary.BigEndian.PutUint32(data[low:], uint32(a))
		binary.BigEndian.PutUint32(data[high:], uint32(a>>32))
	}
	got, err := vm.Run(data)
	must(t, err)
	return uint32(got)
}

func filterOfJSON(t testing.TB, text string) callFilter {
	t.Helper()
	f, err := seccompFilter(text, nil)
	must(t, err)
	return f
}

// holds is what a condition means, said plainly.
func holds(a specs.LinuxSeccompArg, v uint64) bool {
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

// Any list of conditions decides as its meaning says, around every edge of 32 and 64 bits.
func TestFilterComparesAsSaid(t *testing.T) {
	own, err := arch.GetInfo("")
	must(t, err)
	ops := []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpMaskedEqual}
	edges := []uint64{0, 1, 2, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<33 + 7, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func() uint64 { return edges[r.IntN(len(edges))] }
	number := uint32(own.SyscallNames["ioctl"])
	for range 2000 {
		var args []specs.LinuxSeccompArg
		for i := range 1 + r.IntN(3) {
			a := specs.LinuxSeccompArg{Index: uint(2 * i), Op: ops[r.IntN(len(ops))], Value: pick(), ValueTwo: pick()}
			args = append(args, a)
		}
		f, err := compileFilter(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"ioctl"}, Action: specs.ActErrno, Args: args}}})
		must(t, err)
		values := []uint64{pick(), pick(), pick(), pick(), pick(), pick()}
		want := uint32(unix.SECCOMP_RET_ERRNO | unix.EPERM)
		for _, a := range args {
			if !holds(a, values[a.Index]) {
				want = unix.SECCOMP_RET_ALLOW
			}
		}
		if got := decide(t, f, uint32(own.ID), number, values...); got != want {
			t.Fatalf("%+v with %#x: %#x, want %#x", args, values, got, want)
		}
		if got := decide(t, f, uint32(own.ID), number+1, values...); got != unix.SECCOMP_RET_ALLOW {
			t.Fatalf("another call: %#x", got)
		}
	}
}

// machinesOf are the architectures that the rules name and this machine has.
func machinesOf(t *testing.T, names []specs.Arch) []*arch.Info {
	own, err := arch.GetInfo("")
	must(t, err)
	machines := []*arch.Info{own}
	for n, m := range map[specs.Arch]*arch.Info{specs.ArchX86: arch.I386, specs.ArchX32: arch.X32} {
		if own == arch.X86_64 && slices.Contains(names, n) {
			machines = append(machines, m)
		}
	}
	return machines
}

// The filter decides for every call of every architecture as the list of rules does.
func TestDefaultFilterIsTheProfile(t *testing.T) {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: standard.CapabilityNames()}}}
	rules, err := profile.GetDefaultProfile(spec)
	must(t, err)
	f, err := defaultFilter()
	must(t, err)
	for _, m := range machinesOf(t, rules.Architectures) {
		allowed := map[string]bool{}
		conditional := map[string]bool{}
		for _, s := range rules.Syscalls {
			for _, n := range s.Names {
				allowed[n] = allowed[n] || s.Action == specs.ActAllow && len(s.Args) == 0
				conditional[n] = conditional[n] || len(s.Args) > 0 || s.Action != specs.ActAllow
			}
		}
		for name, n := range m.SyscallNames {
			if conditional[name] && !allowed[name] {
				continue
			}
			want := uint32(unix.SECCOMP_RET_ERRNO | unix.EPERM)
			if allowed[name] && name != "socketcall" {
				want = unix.SECCOMP_RET_ALLOW
			}
			if got := decide(t, f, uint32(m.ID), uint32(n|m.SeccompMask)); got != want {
				t.Errorf("%s %s: %#x, want %#x", m.Name, name, got, want)
			}
		}
	}
	if got := decide(t, f, 0x1234, 0); got != unix.SECCOMP_RET_KILL_PROCESS {
		t.Errorf("unknown architecture: %#x", got)
	}
}

func TestProfiles(t *testing.T) {
	own, err := arch.GetInfo("")
	must(t, err)
	call := func(f callFilter, name string, args ...uint64) uint32 {
		return decide(t, f, uint32(own.ID), uint32(own.SyscallNames[name]), args...)
	}
	for _, tc := range []struct {
		profile, call string
		args          []uint64
		want          uint32
	}{
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"mkdirat","action":"SCMP_ACT_ERRNO","errnoRet":5}]}`, "mkdirat", nil, unix.SECCOMP_RET_ERRNO | 5},
		{`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"syscalls":[]}`, "mkdirat", nil, unix.SECCOMP_RET_ERRNO | 38},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mkdirat"],"action":"SCMP_ACT_LOG"}]}`, "mkdirat", nil, unix.SECCOMP_RET_LOG},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mkdirat"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}}]}`, "mkdirat", nil, unix.SECCOMP_RET_ERRNO | 1},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mkdirat"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"]}}]}`, "mkdirat", nil, unix.SECCOMP_RET_ALLOW},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mkdirat"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"3.0"}}]}`, "mkdirat", nil, unix.SECCOMP_RET_ALLOW},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mkdirat"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"99.0"}}]}`, "mkdirat", nil, unix.SECCOMP_RET_ERRNO | 1},
		// A rule without conditions stands above one with some; two about one argument are alternatives.
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_KILL","args":[{"index":1,"value":3,"op":"SCMP_CMP_EQ"}]},{"names":["ioctl"],"action":"SCMP_ACT_ALLOW"}]}`, "ioctl", []uint64{0, 3}, unix.SECCOMP_RET_ALLOW},
		{`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":3,"op":"SCMP_CMP_EQ"},{"index":1,"value":4,"op":"SCMP_CMP_EQ"}]}]}`, "ioctl", []uint64{0, 4}, unix.SECCOMP_RET_ALLOW},
		{`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["socket"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]}]}`, "socket", []uint64{38 | 1<<40}, unix.SECCOMP_RET_ERRNO | 1},
	} {
		if got := call(filterOfJSON(t, tc.profile), tc.call, tc.args...); got != tc.want {
			t.Errorf("%s\n%s%v: %#x, want %#x", tc.profile, tc.call, tc.args, got, tc.want)
		}
	}
	if own == arch.X86_64 {
		f := filterOfJSON(t, `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["mkdirat"],"action":"SCMP_ACT_ERRNO"}]}`)
		if got := decide(t, f, uint32(arch.X32.ID), uint32(arch.X32.SyscallNames["mkdirat"]|arch.X32.SeccompMask)); got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("a call of x32, which the profile does not name: %#x", got)
		}
	}
}

func TestBadProfiles(t *testing.T) {
	many := make([]string, 3000)
	for i := range many {
		many[i] = fmt.Sprintf(`{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":%d,"op":"SCMP_CMP_EQ"}]}`, i)
	}
	for text, want := range map[string]string{
		"{\n\n\"defaultAction\": x}":                       "line 3 of the profile",
		`{"defaultAction":"SCMP_ACT_FOO"}`:                 "string SCMP_ACT_FOO is not a valid action for seccomp",
		`{"defaultAction":"SCMP_ACT_NOTIFY"}`:              "asks somebody outside",
		`{"defaultAction":"SCMP_ACT_ALLOW","flags":["X"]}`: "string X is not a valid flag",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":9,"op":"SCMP_CMP_EQ"}]}]}`: "there is no argument 9",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"<"}]}]}`:           "string < is not a valid operator",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[` + strings.Join(many, ",") + `]}`:                                                       "the kernel takes 4096",
		`{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":70000}`:                                                                            "errnoRet 70000",
	} {
		if _, err := seccompFilter(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

func FuzzProfile(f *testing.F) {
	f.Add(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ioctl"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":3,"op":"SCMP_CMP_MASKED_EQ"}]}]}`)
	own, err := arch.GetInfo("")
	if err != nil {
		f.Skip(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		if made, err := seccompFilter(text, nil); err == nil && len(made.program) > 0 {
			decide(t, made, uint32(own.ID), 16, 1, 2, 3, 4, 5, 6)
		}
	})
}
