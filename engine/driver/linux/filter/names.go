//go:build linux

package filter

import "github.com/opencontainers/runtime-spec/specs-go"

// Actions, Operators, Flags and Architectures are the words that Compile knows on this machine.
func Actions() []string {
	return words(specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActTrace, specs.ActAllow, specs.ActLog, specs.ActNotify)
}

// Operators are the comparisons of arguments.
func Operators() []string {
	return words(specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual)
}

// Flags are those of seccomp(2).
func Flags() []string {
	return words(specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv)
}

// Architectures are the ways to call this machine's kernel.
func Architectures() []string {
	var names []string
	for _, a := range abis() {
		names = append(names, string(a.name))
	}
	return names
}

func words[T ~string](list ...T) []string {
	var out []string
	for _, w := range list {
		out = append(out, string(w))
	}
	return out
}
