// Package userland is the shell and the small programs of the built-in image learn/base.
//
// Every program is a function over an [Env]: a file system, a process table, streams, variables and a
// working directory, each behind a small interface. With [OS] the same code is the user land of a real
// container; with memory trees it is the user land of the simulator.
//
// It is not a complete POSIX system: a program has the flags that tutorials and scripts use, and prints,
// fails and exits as the GNU or busybox program of that name does. What it does not know it refuses.
//
// Invariants: a program touches nothing but its Env; names given to an [FS] are absolute and clean;
// sizes are bytes; a program never ends the process, it returns its exit code.
package userland
