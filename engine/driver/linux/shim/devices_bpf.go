//go:build linux

package shim

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What struct bpf_cgroup_dev_ctx says of an access (linux/bpf.h).
const (
	devBlock, devChar           = 1, 2
	devMknod, devRead, devWrite = 1, 2, 4
)

// deviceRule is one rule; -1 stands for any number.
type deviceRule struct {
	kind         uint32 // 0: any
	major, minor int64
	access       uint32
}

// parseDeviceRule reads a rule of the devices control group: a kind of c, b or a, numbers, and a subset of rwm.
func parseDeviceRule(text string) (deviceRule, error) {
	bad := fmt.Errorf("device rule %q: expected such as \"c 1:3 rwm\"", text)
	f := strings.Fields(text)
	if len(f) != 3 {
		return deviceRule{}, bad
	}
	kind, ok := map[string]uint32{"a": 0, "b": devBlock, "c": devChar}[f[0]]
	major, minor, two := strings.Cut(f[1], ":")
	r := deviceRule{kind: kind}
	var err1, err2 error
	r.major, err1 = deviceNumber(major)
	r.minor, err2 = deviceNumber(minor)
	if !ok || !two || err1 != nil || err2 != nil {
		return deviceRule{}, bad
	}
	for _, c := range f[2] {
		bit, ok := map[rune]uint32{'r': devRead, 'w': devWrite, 'm': devMknod}[c]
		if !ok {
			return deviceRule{}, bad
		}
		r.access |= bit
	}
	return r, nil
}

func deviceNumber(text string) (int64, error) {
	if text == "*" {
		return -1, nil
	}
	return strconv.ParseInt(text, 10, 31)
}

// Registers of the program: 1 is the context that it gets.
const (
	regResult, regContext, regKind, regAccess, regMajor, regMinor, regRest = 0, 1, 2, 3, 4, 5, 6
)

// bpfInstruction is struct bpf_insn, in the machine's own order.
func bpfInstruction(op uint8, dst, src uint8, offset int16, value int32) []byte {
	regs := dst | src<<4
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		regs = dst<<4 | src
	}
	b := []byte{op, regs}
	b = binary.NativeEndian.AppendUint16(b, uint16(offset))
	return binary.NativeEndian.AppendUint32(b, uint32(value))
}

// deviceProgram makes a program that returns 1 for what a rule allows, and 0 for the rest.
func deviceProgram(rules []string) ([]byte, error) {
	var p []byte
	add := func(op int, dst, src uint8, offset int16, value int32) {
		p = append(p, bpfInstruction(uint8(op), dst, src, offset, value)...)
	}
	word := unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM
	add(word, regKind, regContext, 0, 0)
	add(unix.BPF_ALU|unix.BPF_MOV|unix.BPF_X, regAccess, regKind, 0, 0)
	add(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, regKind, 0, 0, 0xffff)
	add(unix.BPF_ALU|unix.BPF_RSH|unix.BPF_K, regAccess, 0, 0, 16)
	add(word, regMajor, regContext, 4, 0)
	add(word, regMinor, regContext, 8, 0)
	for _, text := range rules {
		r, err := parseDeviceRule(text)
		if err != nil {
			return nil, err
		}
		p = append(p, r.program()...)
	}
	add(unix.BPF_ALU64|unix.BPF_MOV|unix.BPF_K, regResult, 0, 0, 0)
	add(unix.BPF_JMP|unix.BPF_EXIT, 0, 0, 0, 0)
	return p, nil
}

// program returns 1 if the rule allows the access, and goes on behind itself if not.
func (r deviceRule) program() []byte {
	type test struct {
		reg   uint8
		value int64
	}
	var tests []test
	if r.kind != 0 {
		tests = append(tests, test{regKind, int64(r.kind)})
	}
	for _, t := range []test{{regMajor, r.major}, {regMinor, r.minor}} {
		if t.value >= 0 {
			tests = append(tests, t)
		}
	}
	left := int16(len(tests) + 3 + 2) // instructions of the rule that are still to come
	var p []byte
	for _, t := range tests {
		left--
		p = append(p, bpfInstruction(unix.BPF_JMP|unix.BPF_JNE|unix.BPF_K, t.reg, 0, left, int32(t.value))...)
	}
	p = append(p, bpfInstruction(unix.BPF_ALU|unix.BPF_MOV|unix.BPF_X, regRest, regAccess, 0, 0)...)
	p = append(p, bpfInstruction(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, regRest, 0, 0, int32(^r.access))...)
	p = append(p, bpfInstruction(unix.BPF_JMP|unix.BPF_JNE|unix.BPF_K, regRest, 0, 2, 0)...)
	p = append(p, bpfInstruction(unix.BPF_ALU64|unix.BPF_MOV|unix.BPF_K, regResult, 0, 0, 1)...)
	return append(p, bpfInstruction(unix.BPF_JMP|unix.BPF_EXIT, 0, 0, 0, 0)...)
}

// loadDeviceProgram is bpf(2), BPF_PROG_LOAD.
func loadDeviceProgram(program []byte) (int, error) {
	instructions := len(program) / 8
	program = append(program, "MIT\x00"...) // the license, in memory that stays where it is
	attr := struct {
		kind, count   uint32
		code, license uint64
		logLevel      uint32
		logSize       uint32
		logBuffer     uint64
		version       uint32
		flags         uint32
		name          [16]byte
	}{kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(instructions)}
	attr.code, attr.license = uint64(uintptr(unsafe.Pointer(&program[0]))), uint64(uintptr(unsafe.Pointer(&program[8*instructions])))
	copy(attr.name[:], "learn_devices")
	fd, err := LoadProgram(unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	runtime.KeepAlive(program)
	if err != nil {
		return -1, fmt.Errorf("load device program: %w", err)
	}
	return fd, nil
}

// LoadProgram is bpf(2), BPF_PROG_LOAD, with attributes of a size. The kernel stops looking at a program, with EAGAIN, when a signal is there
// to be taken, and Go's scheduler sends such: it is asked again. The descriptor is close-on-exec.
func LoadProgram(attr unsafe.Pointer, size uintptr) (int, error) {
	for tries := 1; ; tries++ {
		fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(attr), size)
		if errno == unix.EAGAIN && tries < 30 {
			continue
		}
		if errno != 0 {
			return -1, errno
		}
		unix.CloseOnExec(int(fd))
		return int(fd), nil
	}
}

// attachDeviceProgram is bpf(2), BPF_PROG_ATTACH, to an open group.
func attachDeviceProgram(program, group int) error {
	attr := struct{ target, program, kind, flags uint32 }{uint32(group), uint32(program), unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI}
	if _, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr)); errno != 0 {
		return fmt.Errorf("attach device program: %w", errno)
	}
	return nil
}
