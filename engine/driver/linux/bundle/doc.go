// Package bundle is an OCI runtime: it makes containers of bundles, folders with a config.json and a root file system, as the runtime
// specification (opencontainers/runtime-spec v1.3) has it, with the life cycle and the command line words of runc and crun. So podman,
// containerd and the specification's own tests can use what the engine is made of.
//
// It is not the engine: it knows no images, no layers, no logs and no supervisor. A container here is a process that the caller adopts
// (a subreaper like conmon), and a folder of ours with the state that the next command needs.
//
// Three processes take part. The command (create, exec) forks a stage of the same binary into the new namespaces, answers what it asks for
// (hooks of the runtime's namespaces, the terminal's socket), and leaves. The stage becomes the container's process when start connects to
// the socket in the state folder that it waits at.
//
// Invariants: a config.json is input from outside: it is bounded in size, checked before anything is made, and kept as it was at create.
// Every path inside the root is resolved by the kernel with that root as the root. No descriptor but the standard streams and those that
// the caller asked to hand down outlives execve. A hook and a helper get the environment that the config or this package names, never the
// image's or the process's.
package bundle
