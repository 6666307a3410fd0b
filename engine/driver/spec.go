package driver

import (
	"time"

	"github.com/opencontainers/go-digest"
)

// Spec is everything a runtime needs to run a container: plain data, with nothing left to look up.
type Spec struct {
	ID        string
	Dir       string // folder of the container's own files: the runtime keeps its state, events and log here
	Key       string // writable layer that becomes the root; it must be prepared
	Hostname  string
	Network   string   // NetworkPrivate or NetworkHost
	Hosts     []string // further names in /etc/hosts, as NAME:ADDRESS
	Process   Process
	Mounts    []Mount // besides the standard ones (/proc, /dev, /sys ...), in order
	Limits    Limits
	ReadOnly  bool     // the root can't be written
	OpenStdin bool     // keep standard input open even when nobody is connected
	StdinOnce bool     // close standard input when the first client leaves
	Log       string   // file for the output in docker's json-file format; empty: output is not kept
	Ephemeral bool     // record of a build step or the like: needs not survive a power cut
	OnExit    []string // command (argv) the supervisor runs after the task ended when no client is connected
}

// The networks that a container may have.
const (
	NetworkPrivate = ""     // one of its own with nothing but the loopback interface
	NetworkHost    = "host" // the host's, with everything that listens and is reachable there
)

// Process is one process to run. Names are resolved: ids, not user names; a path or a name searched in PATH.
type Process struct {
	Args       []string
	Env        []string // KEY=value
	Cwd        string   // made if it is not there (first process only)
	UID, GID   uint32
	Groups     []uint32 // supplementary
	Terminal   bool
	Privileged bool
	NoNewPrivs bool
	Detach     bool // exec only: do not wait
}

// Mount is one file system to mount inside, besides the standard ones. Type says what it is and which fields count:
//
//	bind    what lies at Source, an absolute path on the host
//	tmpfs   an empty file system in memory; Options
//	tree    the tree of the read-only Chain, or that of the writable layer Key with everything below it; Source is a path in
//	        that tree, whose links are followed inside it. What is written through a Key stays in Key, which its owner removes.
//	folder  the folder called Source that Folders keeps, or Subpath in it
//	file    a file that holds Data, in memory only: it reaches no disk and no event
//	socket  the listening unix socket at Source, an absolute path on the host
//
// A target that is not there is made for the mount (a folder, or an empty file where a file is mounted), and so are its parents. What was
// made only to mount on never shows in the changes of the root's writable layer, unless the container put something there besides.
type Mount struct {
	Type     string
	Source   string
	Subpath  string // folder: slash-separated path in it, made if it is missing; links are followed inside the folder
	Target   string // absolute path inside; links are followed inside the container's root
	ReadOnly bool
	Options  []string      // tmpfs: size=..., mode=...
	Chain    digest.Digest // tree; empty besides an empty Key: an empty tree
	Key      string        // tree
	Data     []byte        // file
	Mode     uint32        // file, socket: permissions, 0 to 0777
	UID, GID uint32        // file, socket: owner inside
}

// Limits bound what a container may use. Zero means no limit.
type Limits struct {
	MemoryBytes int64
	Pids        int64
	CPUQuota    time.Duration // CPU time per CPUPeriod
	CPUPeriod   time.Duration // 100 ms if zero
}
