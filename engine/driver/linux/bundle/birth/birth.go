//go:build linux

// Package birth remembers with what limit on open files this process was born. Go's package os raises it, and only os/exec puts it back for
// children; a runtime that forks by itself has to hand down what it got. It imports so little that it is initialised before os.
package birth

import "syscall"

// NoFile is RLIMIT_NOFILE as this process inherited it.
var NoFile = get()

func get() syscall.Rlimit {
	var l syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return l
}
