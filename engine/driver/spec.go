package driver

import "time"

// Spec is everything a runtime needs to run a container: plain data, with nothing left to look up.
type Spec struct {
	ID        string
	Dir       string // folder of the container's own files: the runtime keeps its state, events and log here
	Key       string // writable layer that becomes the root; it must be prepared
	Hostname  string
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

// Mount is one file system to mount inside, besides the standard ones.
type Mount struct {
	Type     string // bind or tmpfs
	Source   string // bind: absolute path on the host
	Target   string // absolute path inside
	ReadOnly bool
	Options  []string // tmpfs: size=..., mode=...
}

// Limits bound what a container may use. Zero means no limit.
type Limits struct {
	MemoryBytes int64
	Pids        int64
	CPUQuota    time.Duration // CPU time per CPUPeriod
	CPUPeriod   time.Duration // 100 ms if zero
}
