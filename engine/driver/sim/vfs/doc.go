// Package vfs is what lies between a simulated program's system call on a path and a file system: the mount table of a
// container, the walk along a path with permissions, open files, and the file systems that a kernel brings itself (tmpfs, bind
// mounts of the host, /proc, /sys and /dev).
//
// It knows nothing of processes beyond the interface [Process], which tells who is calling and lends terminals and pipes, and
// nothing of layers: the root of a container comes from the caller as an fsys.FS.
//
// What always holds: a file system is asked only for names whose folders are real folders; no name leads out of the root; a
// name of the host is reached only through os.Root; every call of a [View] begins with Process.Enter. Errors of a View are
// *fs.PathError or *os.LinkError around a syscall.Errno, as package os gives them.
package vfs
