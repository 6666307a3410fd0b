//go:build linux

package linux

import (
	"encoding/binary"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/filter"
)

// The layout of struct seccomp_data (seccomp(2)): the call's number, the architecture, the instruction pointer, six arguments.
const (
	seccompDataSize = 64
	auditArchAt     = 4
)

// refusedCalls names the system calls that a filter refuses whatever their arguments, sorted: those to which it gives no leave with all
// arguments zero and with all bits of all arguments set. A filter that can't be read names none.
func refusedCalls(program []byte) []string {
	if len(program) == 0 {
		return nil
	}
	vm, err := filterVM(program)
	if err != nil {
		return nil
	}
	var names []string
	for name, number := range filter.Native() {
		if !vm.allows(number, 0) && !vm.allows(number, ^uint32(0)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// filterMachine runs a filter in this process, on made-up calls.
type filterMachine struct{ vm *bpf.VM }

func filterVM(program []byte) (filterMachine, error) {
	raw := make([]bpf.RawInstruction, len(program)/8)
	for i := range raw {
		b := program[8*i:]
		raw[i] = bpf.RawInstruction{Op: binary.NativeEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.NativeEndian.Uint32(b[4:])}
	}
	prog, _ := bpf.Disassemble(raw)
	vm, err := bpf.NewVM(prog)
	return filterMachine{vm}, err
}

// allows reports whether the filter lets a call through whose arguments have this word everywhere.
func (m filterMachine) allows(number, word uint32) bool {
	var data [seccompDataSize]byte // the machine reads words with the highest byte first
	for at := 0; at < len(data); at += 4 {
		binary.BigEndian.PutUint32(data[at:], word)
	}
	binary.BigEndian.PutUint32(data[:], number)
	binary.BigEndian.PutUint32(data[auditArchAt:], filter.NativeArchitecture())
	action, err := m.vm.Run(data[:])
	switch uint32(action) & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE:
		return err == nil
	}
	return false
}
