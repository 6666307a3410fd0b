//go:build linux

package shim

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// allowed runs a device program: the few instructions that it is made of.
func allowed(t *testing.T, program []byte, kind, access, major, minor uint32) bool {
	t.Helper()
	ctx := [3]uint32{access<<16 | kind, major, minor}
	var regs [11]uint64
	for at := 0; at < len(program)/8; at++ {
		ins := program[8*at:]
		op, dst, src := ins[0], ins[1]&15, ins[1]>>4
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
			dst, src = src, dst
		}
		off, value := int16(binary.NativeEndian.Uint16(ins[2:])), binary.NativeEndian.Uint32(ins[4:])
		switch op {
		case unix.BPF_LDX | unix.BPF_W | unix.BPF_MEM:
			regs[dst] = uint64(ctx[off/4])
		case unix.BPF_ALU | unix.BPF_MOV | unix.BPF_X:
			regs[dst] = uint64(uint32(regs[src]))
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			regs[dst] = uint64(uint32(regs[dst]) & value)
		case unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K:
			regs[dst] = uint64(uint32(regs[dst]) >> value)
		case unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K:
			regs[dst] = uint64(value)
		case unix.BPF_JMP | unix.BPF_JNE | unix.BPF_K:
			if regs[dst] != uint64(value) {
				at += int(off)
			}
		case unix.BPF_JMP | unix.BPF_EXIT:
			return regs[0] == 1
		default:
			t.Fatalf("instruction %d: %#x", at, op)
		}
	}
	t.Fatal("the program does not end")
	return false
}

func TestDeviceProgram(t *testing.T) {
	program, err := deviceProgram([]string{"c *:* m", "b 8:0 r", "c 10:* rw", "a 7:7 rwm"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		kind, access, major, minor uint32
		want                       bool
	}{
		{devChar, devMknod, 99, 1, true}, {devBlock, devMknod, 99, 1, false}, {devChar, devMknod | devRead, 99, 1, false},
		{devBlock, devRead, 8, 0, true}, {devBlock, devWrite, 8, 0, false}, {devBlock, devRead, 8, 1, false}, {devChar, devRead, 8, 0, false},
		{devChar, devRead | devWrite, 10, 200, true}, {devChar, devRead, 11, 200, false},
		{devBlock, devRead | devWrite | devMknod, 7, 7, true}, {devChar, devRead | devWrite | devMknod, 7, 7, true}, {devChar, devRead, 7, 8, false},
	} {
		if got := allowed(t, program, tc.kind, tc.access, tc.major, tc.minor); got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

// The kernel's verifier takes the program, and the group keeps to it.
func TestDeviceProgramIsTaken(t *testing.T) {
	program, err := deviceProgram([]string{"c *:* m", "c 1:3 rwm"})
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		lacks(t, "needs root, to load a program")
	}
	fd, err := loadDeviceProgram(program)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	at := slices.IndexFunc(Hierarchies(false), func(h MountedHierarchy) bool { return h.Version == 2 })
	if at < 0 {
		lacks(t, "needs control groups of version 2")
	}
	dir := filepath.Join(Hierarchies(false)[at].Dir, "learn-device-test")
	if err := os.Mkdir(dir, 0o755); err != nil {
		lacks(t, "needs a writable control group of version 2: "+err.Error())
	}
	defer os.Remove(dir)
	group, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(group)
	if err := attachDeviceProgram(fd, group); err != nil {
		t.Fatal(err)
	}
	const inside = `echo 0 >"$1"/cgroup.procs || exit 2; cat /dev/null || exit 3; if head -c 1 /dev/zero >/dev/null 2>&1; then exit 4; fi`
	if out, err := exec.Command("sh", "-c", inside, "sh", dir).CombinedOutput(); err != nil {
		t.Errorf("of null and zero a process in the group may use null only: %v\n%s", err, out)
	}
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func FuzzDeviceRule(f *testing.F) {
	for _, s := range []string{"c 1:3 rwm", "b *:* m", "a 7:7 r", "c 1 r", "x 1:1 r", "c 99999999999:1 r", "c 1:-1 r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseDeviceRule(text)
		if err == nil && (r.major < -1 || r.minor < -1 || r.access > 7 || r.kind > devChar) {
			t.Errorf("%q: %+v", text, r)
		}
	})
}
