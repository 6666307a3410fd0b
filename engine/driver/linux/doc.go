// Package linux is the driver that uses the kernel: overlay mounts for layers, namespaces, control groups, capabilities and a
// seccomp filter for containers, as root or inside a user namespace.
//
// It knows no images and no records. Layers and Snapshots keep trees, Runtime runs them; a supervisor process per container (package
// shim) keeps log and exit status, so that no daemon is needed.
//
// Invariants: no mount of a container is ever made in the caller's mount namespace; every path inside a tree is resolved by openat2 with
// RESOLVE_IN_ROOT; a layer is complete before it has its final name, and synced before a container that stays stands on it.
package linux
