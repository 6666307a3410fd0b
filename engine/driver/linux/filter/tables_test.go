//go:build linux

package filter

import (
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// The numbers are the kernel's: another package that was made from its source has the same.
func TestTables(t *testing.T) {
	for text, info := range map[string]*arch.Info{amd64Calls: arch.X86_64, x32Calls: arch.X32, i386Calls: arch.I386, arm64Calls: arch.AARCH64, armCalls: arch.ARM} {
		count := 0
		for name, numbers := range table(text) {
			count += len(numbers)
			for _, n := range numbers {
				if info.SyscallNumbers[int(n)] != name {
					t.Errorf("%s: %d is %s, want %s", info.Name, n, name, info.SyscallNumbers[int(n)])
				}
			}
		}
		if count != len(info.SyscallNumbers) {
			t.Errorf("%s: %d numbers, want %d", info.Name, count, len(info.SyscallNumbers))
		}
	}
}
