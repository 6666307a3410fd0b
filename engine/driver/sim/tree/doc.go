// Package tree keeps the file trees of the simulated machine: read-only layers and writable layers as plain files on the host's
// disk, and the union of both that a container sees, with copy-on-write told as it happens.
//
// It is not a kernel: it checks no permissions, follows no links on the way to a name and knows no mounts (package vfs), and it
// asks nothing of the host but ordinary files and folders. So the same home works on every system and needs no privilege.
//
// On disk, below snapshots/sim: layers/HEX holds one layer, keys/KEY one writable layer. Each has the content of its regular
// files under files, each under its own path where any host can hold that path, and all the rest (owners, modes, links, devices,
// times, attributes, whiteouts) in tree.jsonl, one JSON object a line.
//
// Invariants: a layer's folder gets its name when everything in it is written, and never changes afterwards; what a union shows
// is what overlayfs would show of the same layers after the same calls (no redirect_dir, no index, no metacopy); folding the
// reported events gives the same paths and kinds as Changes. No event is reported under a lock.
package tree
