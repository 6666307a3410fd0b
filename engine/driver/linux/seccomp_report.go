//go:build linux

package linux

import "github.com/learn-containers/learn/engine/driver/linux/filter"

// callsOfAStage are those that a stage makes between loading the filter and execve, and those of Go's runtime below it.
func callsOfAStage() []string {
	return []string{"sendmsg", "prctl", "capset", "execve", "futex", "close", "write", "read", "epoll_ctl", "epoll_pwait", "rt_sigprocmask", "rt_sigreturn", "rt_sigaction",
		"mmap", "munmap", "madvise", "nanosleep", "sched_yield", "getpid", "gettid", "tgkill"}
}

// reports tells whether refusals of a filter can be told to the supervisor. The stage has to hand the filter's listener over when the filter
// is in force already; one that refuses it would wait for an answer that nobody could give. Docker's default filter does not.
func reports(program []byte) bool {
	vm, err := filterVM(program)
	if err != nil {
		return false
	}
	numbers := filter.Native()
	for _, name := range callsOfAStage() {
		number, ok := numbers[name]
		if ok && (!vm.allows(number, 0) || !vm.allows(number, ^uint32(0))) {
			return false
		}
	}
	return true
}
