//go:build linux

package linux

import "github.com/elastic/go-seccomp-bpf/arch"

// callsOfAStage are those that a stage makes between loading the filter and execve, and those of Go's runtime below it.
func callsOfAStage() []string {
	return []string{"sendmsg", "prctl", "capset", "execve", "futex", "close", "write", "read", "epoll_ctl", "epoll_pwait", "rt_sigprocmask", "rt_sigreturn", "rt_sigaction",
		"mmap", "munmap", "madvise", "nanosleep", "sched_yield", "getpid", "gettid", "tgkill"}
}

// reports tells whether refusals of a filter can be told to the supervisor. The stage has to hand the filter's listener over when the filter
// is in force already; one that refuses it would wait for an answer that nobody could give. Docker's default filter does not.
func reports(filter []byte) bool {
	machine, err := arch.GetInfo("")
	if err != nil {
		return false
	}
	vm, err := filterVM(filter)
	if err != nil {
		return false
	}
	for _, name := range callsOfAStage() {
		number, ok := machine.SyscallNames[name]
		if ok && (!vm.allows(machine, number, 0) || !vm.allows(machine, number, ^uint32(0))) {
			return false
		}
	}
	return true
}
