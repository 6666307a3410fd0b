//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// alwaysAllowed are the devices of every container (runtime-spec, config-linux.md, "Default Devices"), making nodes, and terminals.
func alwaysAllowed() []specs.LinuxDeviceCgroup {
	n := func(v int64) *int64 { return &v }
	rules := []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Access: "m"}, {Allow: true, Type: "b", Access: "m"}}
	for _, d := range [][2]int64{{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}} {
		rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: n(d[0]), Minor: n(d[1]), Access: "rwm"})
	}
	return append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: n(136), Access: "rwm"})
}

// limitDevices sets which devices may be used. At the start what every container needs is allowed besides.
func (gs groups) limitDevices(rules []specs.LinuxDeviceCgroup, first bool) error {
	if first {
		rules = append(append([]specs.LinuxDeviceCgroup(nil), rules...), alwaysAllowed()...)
	}
	for i := range rules {
		if err := checkRule(&rules[i]); err != nil {
			return err
		}
	}
	if g, ok := gs.find("devices"); ok {
		return g.writeDevices(rules)
	}
	for _, g := range gs {
		if g.Version != 2 {
			continue
		}
		err := g.attachDevices(rules)
		if errors.Is(err, unix.EPERM) && !initialUsers() {
			return nil // nobody in a user namespace can make a device that works
		}
		return err
	}
	if !initialUsers() || os.Geteuid() != 0 {
		return nil
	}
	return errors.New("resources.devices: this machine has no control group that governs devices")
}

func checkRule(r *specs.LinuxDeviceCgroup) error {
	if r.Type == "" {
		r.Type = "a"
	}
	if !strings.Contains("abc", r.Type) || len(r.Type) != 1 {
		return fmt.Errorf("resources.devices: the type must be a, b or c, not %q", r.Type)
	}
	if r.Access == "" {
		r.Access = "rwm"
	}
	if strings.Trim(r.Access, "rwm") != "" {
		return fmt.Errorf("resources.devices: access must be of r, w and m, not %q", r.Access)
	}
	return nil
}

// ruleText is a rule in the language of devices.allow.
func ruleText(r *specs.LinuxDeviceCgroup) string {
	if r.Type == "a" {
		return "a"
	}
	num := func(n *int64) string {
		if n == nil || *n < 0 {
			return "*"
		}
		return fmt.Sprint(*n)
	}
	return fmt.Sprintf("%s %s:%s %s", r.Type, num(r.Major), num(r.Minor), r.Access)
}

func (g group) writeDevices(rules []specs.LinuxDeviceCgroup) error {
	for i := range rules {
		file := "devices.deny"
		if rules[i].Allow {
			file = "devices.allow"
		}
		err := writeTo(filepath.Join(g.dir(), file), ruleText(&rules[i]))
		if errors.Is(err, unix.EPERM) && !initialUsers() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("resources.devices: write %q to %s: %w", ruleText(&rules[i]), file, err)
		}
	}
	return nil
}

// attachDevices sets the rules as a program of the version 2 group, the last rule that fits deciding.
func (g group) attachDevices(rules []specs.LinuxDeviceCgroup) error {
	prog := deviceProgram(rules)
	license := unsafe.StringData("Apache\x00") // it stays where it is
	load := struct {
		progType, count uint32
		insns, license  uint64
		logLevel, size  uint32
		log             uint64
		version, flags  uint32
		_               [64]byte
	}{progType: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(prog)), insns: uint64(uintptr(unsafe.Pointer(&prog[0]))), license: uint64(uintptr(unsafe.Pointer(license)))}
	fd, err := shim.LoadProgram(unsafe.Pointer(&load), unsafe.Sizeof(load))
	runtime.KeepAlive(prog)
	if err != nil {
		return fmt.Errorf("resources.devices: load program: %w", err)
	}
	defer unix.Close(fd)
	dir, err := unix.Open(g.dir(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	attach := struct{ target, prog, kind, flags, replace uint32 }{uint32(dir), uint32(fd), unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI, 0}
	if _, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&attach)), unsafe.Sizeof(attach)); errno != 0 {
		return fmt.Errorf("resources.devices: attach program: %w", errno)
	}
	return nil
}

// bpfInsn is struct bpf_insn.
type bpfInsn struct {
	code uint8
	regs uint8 // source << 4 | destination
	off  int16
	imm  int32
}

// deviceProgram looks at struct bpf_cgroup_dev_ctx: type and access in one word, major, minor. Rules are tried from the last to the first.
func deviceProgram(rules []specs.LinuxDeviceCgroup) []bpfInsn {
	prog := []bpfInsn{
		{code: unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W, regs: 1<<4 | 2}, // r2: type in the lower half
		{code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, regs: 2, imm: 0xffff},
		{code: unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W, regs: 1<<4 | 3},
		{code: unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K, regs: 3, imm: 16},       // r3: access
		{code: unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W, regs: 1<<4 | 4, off: 4}, // r4: major
		{code: unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W, regs: 1<<4 | 5, off: 8}, // r5: minor
	}
	for i := len(rules) - 1; i >= 0; i-- {
		prog = append(prog, ruleBlock(&rules[i])...)
	}
	return append(prog, verdict(true)...)
}

func verdict(allow bool) []bpfInsn {
	n := int32(0)
	if allow {
		n = 1
	}
	return []bpfInsn{{code: unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K, regs: 0, imm: n}, {code: unix.BPF_JMP | unix.BPF_EXIT}}
}

// ruleBlock decides if the rule fits; otherwise it falls through to what follows. An allowing rule fits if all that is asked for is in it, a
// denying one if any is.
func ruleBlock(r *specs.LinuxDeviceCgroup) []bpfInsn {
	const access = int32(unix.BPF_DEVCG_ACC_MKNOD | unix.BPF_DEVCG_ACC_READ | unix.BPF_DEVCG_ACC_WRITE)
	var b []bpfInsn
	unless := func(op uint8, reg uint8, imm int32) {
		b = append(b, bpfInsn{code: unix.BPF_JMP | op | unix.BPF_K, regs: reg, imm: imm})
	}
	if r.Type != "a" {
		kind := int32(unix.BPF_DEVCG_DEV_CHAR)
		if r.Type == "b" {
			kind = unix.BPF_DEVCG_DEV_BLOCK
		}
		unless(unix.BPF_JNE, 2, kind)
		var have int32
		for c, bit := range map[rune]int32{'m': unix.BPF_DEVCG_ACC_MKNOD, 'r': unix.BPF_DEVCG_ACC_READ, 'w': unix.BPF_DEVCG_ACC_WRITE} {
			if strings.ContainsRune(r.Access, c) {
				have |= bit
			}
		}
		if have != access {
			b = append(b, bpfInsn{code: unix.BPF_ALU | unix.BPF_MOV | unix.BPF_X, regs: 3<<4 | 1})
			if r.Allow {
				b = append(b, bpfInsn{code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, regs: 1, imm: ^have & access})
				unless(unix.BPF_JNE, 1, 0)
			} else {
				b = append(b, bpfInsn{code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, regs: 1, imm: have})
				unless(unix.BPF_JEQ, 1, 0)
			}
		}
		if r.Major != nil && *r.Major >= 0 {
			unless(unix.BPF_JNE, 4, int32(*r.Major))
		}
		if r.Minor != nil && *r.Minor >= 0 {
			unless(unix.BPF_JNE, 5, int32(*r.Minor))
		}
	}
	b = append(b, verdict(r.Allow)...)
	for i := range b {
		if op := b[i].code & 0xf0; b[i].code&0x07 == unix.BPF_JMP && (op == unix.BPF_JNE || op == unix.BPF_JEQ) {
			b[i].off = int16(len(b) - i - 1)
		}
	}
	return b
}
