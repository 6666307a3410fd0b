//go:build linux

package linux

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/net/bpf"
)

func TestRefusalsAreToldOnlyWhereTheStageCanTellThem(t *testing.T) {
	made, err := defaultFilter()
	if err != nil {
		t.Fatal(err)
	}
	standard := made.program
	if !reports(standard) {
		t.Error("the default filter keeps a stage from handing over its listener")
	}
	if list := refusedCalls(standard); !slices.Contains(list, "mount") || slices.Contains(list, "read") || slices.Contains(list, "clone") {
		t.Errorf("refused: %q", list)
	}
	for _, call := range []string{"sendmsg", "futex", "capset"} {
		policy := seccomp.Policy{DefaultAction: seccomp.ActionAllow, Syscalls: []seccomp.SyscallGroup{{Action: seccomp.ActionErrno, Names: []string{call}}}}
		prog, err := policy.Assemble()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := bpf.Assemble(prog)
		if err != nil {
			t.Fatal(err)
		}
		var program []byte
		for _, r := range raw {
			program = binary.NativeEndian.AppendUint16(program, r.Op)
			program = append(program, r.Jt, r.Jf)
			program = binary.NativeEndian.AppendUint32(program, r.K)
		}
		if reports(program) {
			t.Errorf("a filter that refuses %s can't report", call)
		}
		if list := refusedCalls(program); !slices.Equal(list, []string{call}) {
			t.Errorf("refused: %q", list)
		}
	}
	if reports(nil) || reports([]byte("not a filter....")) || refusedCalls([]byte("12345678")) != nil {
		t.Error("what is no filter reports")
	}
}
