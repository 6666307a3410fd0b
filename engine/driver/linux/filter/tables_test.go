//go:build linux

package filter

import (
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// The numbers are the kernel's: another package that was made from its source has the same.
func TestTables(t *testing.T) {
	for text, info := range map[string]*arch.Info{amd64Calls: arch.X86_64, x32Calls: arch.X32, i386Calls: arch.I386, arm64Calls: arch.AARCH64, armCalls: arch.ARM} {
		count, seen := 0, map[uint32]bool{}
		for name, n := range table(text) {
			count++
			if seen[n] {
				t.Errorf("%s: %d comes twice", info.Name, n)
			}
			seen[n] = true
			if info.SyscallNumbers[int(n)] != name {
				t.Errorf("%s: %d is %s, want %s", info.Name, n, name, info.SyscallNumbers[int(n)])
			}
		}
		if count != len(info.SyscallNumbers) {
			t.Errorf("%s: %d numbers, want %d", info.Name, count, len(info.SyscallNumbers))
		}
	}
}
