//go:build linux

// Package wiring carries out what package network plans, on the kernel of this machine: bridges, virtual cables, addresses and routes by
// rtnetlink(7), published ports and isolation by nftables. It works in the network namespace of the thread that calls it, keeps no file, and
// knows containers by their ids alone.
//
// Each home has one table, inet learn-<tag>. Its chains and rules are always the same; what differs from container to container is elements of
// its sets and maps, so that one container is added or removed in one atomic batch. Every element carries in its comment whose it is, every
// interface in its alias (ip-link(8)).
//
// Invariants: a container's rules are there before its cables are, and go after them, or after nothing passes there any more; one call at a time changes a namespace, whichever
// process it comes from; a call that fails takes back what it has made.
//
// The first network that needs it switches forwarding on. Where it was off, table learn-forward then refuses to forward between interfaces
// that are not ours, and the last network switches it off again.
package wiring
