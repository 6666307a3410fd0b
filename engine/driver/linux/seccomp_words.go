//go:build linux

package linux

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// actionCode is an action as a filter returns it. Where docker leaves the errno out it means EPERM.
func actionCode(action specs.LinuxSeccompAction, data *uint) (uint32, error) {
	value := uint32(unix.EPERM)
	if data != nil {
		if *data > unix.SECCOMP_RET_DATA {
			return 0, fmt.Errorf("errnoRet %d is more than %d", *data, unix.SECCOMP_RET_DATA)
		}
		value = uint32(*data)
	}
	switch action {
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | value, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | value, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActNotify:
		return 0, fmt.Errorf("%s asks somebody outside for each call, and there is nobody: use SCMP_ACT_ERRNO or SCMP_ACT_LOG", action)
	}
	return 0, fmt.Errorf("string %s is not a valid action for seccomp", action)
}

func filterFlags(names []specs.LinuxSeccompFlag) (uint32, error) {
	var flags uint32
	for _, n := range names {
		switch n {
		case specs.LinuxSeccompFlagLog:
			flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		default:
			return 0, fmt.Errorf("string %s is not a valid flag for seccomp", n)
		}
	}
	return flags, nil
}

// The instructions that filters are made of (bpf(4) of the BSDs, linux/filter.h).

func load(offset uint32) bpf.RawInstruction {
	return bpf.RawInstruction{Op: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

func mask(bits uint32) bpf.RawInstruction {
	return bpf.RawInstruction{Op: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: bits}
}

func result(action uint32) bpf.RawInstruction {
	return bpf.RawInstruction{Op: unix.BPF_RET | unix.BPF_K, K: action}
}

// always skips n instructions, however many.
func always(n int) bpf.RawInstruction {
	return bpf.RawInstruction{Op: unix.BPF_JMP | unix.BPF_JA, K: uint32(n)}
}

// jump compares by a test such as BPF_JEQ and skips so many instructions.
func jump(test uint16, k uint32, yes, no uint8) bpf.RawInstruction {
	return bpf.RawInstruction{Op: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: yes, Jf: no}
}
