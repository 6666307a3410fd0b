// Package sim is the driver that needs no kernel: a machine of its own, in pure Go, which any system can carry, without any privilege.
//
// It puts the parts of that machine together to containers: a file tree (package tree), mounts and permissions (vfs), processes (kernel), a
// network (lan). A container's processes live either in this process or in a supervisor process of their own, which keeps log and exit
// status, so that no daemon is needed and separate commands share one machine. In both places the same code serves the same requests.
//
// It is not a sandbox: what runs on it are learn's own small programs, never machine code from an image.
//
// Invariants: no path outside of the home is written, but for a socket whose name is too long for it and bind mounts; a supervisor lives as
// long as it holds the lock in its container's folder, and nothing of a container outlives its supervisor; the exit is recorded before
// anybody is told; the machine's time never goes back.
package sim
