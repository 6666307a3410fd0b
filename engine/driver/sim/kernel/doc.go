// Package kernel is the process side of the simulated machine: processes, signals, groups and sessions, pipes, terminals,
// limits, the execution of programs, and the virtual clock.
//
// A [Machine] has boxes; a [Box] is what a container is to its processes: numbers from 1 on, a mount table, limits. A [Process]
// is a goroutine that runs one of the userland's programs with a world (userland.Env) whose every part leads back here.
//
// It is not a scheduler: goroutines run when the Go runtime lets them. It knows no layers, images or sockets, and it keeps
// nothing on disk; package sim builds boxes and tells their story.
//
// What always holds:
//
//   - One lock, the clock's, guards all tables. Nothing foreign (a file system, a stream of the caller, a callback) is called
//     while it is held; what has to be done is noted and done after it is released.
//   - A goroutine can't be stopped from outside, so a killed process is dead for everybody else at once: whoever waits is told,
//     its streams are closed, its children have another parent. Its own goroutine learns of it at its next call, which fails
//     and has no effect.
//   - The calls of a program are bound to its image, one execution of one program. An image that was replaced by execve is as
//     dead as that of a killed process.
//   - A thread that waits in the kernel is not running, and is running again from the moment that somebody woke it, so that
//     there is no gap in which a machine at work looks idle.
package kernel
