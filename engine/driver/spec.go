package driver

import (
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver/health"
	"github.com/learn-containers/learn/engine/network"
)

// Spec is everything a runtime needs to run a container: plain data, with nothing left to look up.
type Spec struct {
	ID       string
	Dir      string // folder of the container's own files: the runtime keeps its state, events and log here
	Key      string // writable layer that becomes the root; it must be prepared
	Hostname string
	Domain   string        // NIS domain name; empty: none
	Network  string        // NetworkPrivate, NetworkHost, or the word Of gives for another container's
	Shared   Namespaces    // which further namespaces are not the container's own
	Net      *network.Plan // what it is connected to, beside the loopback interface; nil: nothing. Network is NetworkPrivate then
	Hosts    []string      // further names in /etc/hosts, as NAME:ADDRESS
	Process  Process
	Init     bool    // a small init of ours is the first process: it runs Process, passes signals on, and reaps what is left to it
	Mounts   []Mount // besides the standard ones (/proc, /dev, /sys ...), in order
	Devices  []Device
	// DeviceRules allow more of devices than Devices do, in the words of the devices control group: "c 10:* rwm".
	DeviceRules []string
	Sysctls     map[string]string // settings of the container's own namespaces (sysctl(8)'s names with dots)
	Masked      []string          // kernel files that can't be read; nil: standard.MaskedPaths
	Unwritten   []string          // kernel files that can't be written; nil: standard.ReadOnlyPaths
	ShmBytes    int64             // size of /dev/shm; 0: 64 MiB
	Limits      Limits
	Health      *Health           // nil: no check
	ReadOnly    bool              // the root can't be written
	OpenStdin   bool              // keep standard input open even when nobody is connected
	StdinOnce   bool              // close standard input when the first client leaves
	Log         string            // file for the output in docker's json-file format; empty: output is not kept
	Rotation    Rotation          // of the log
	LogAttrs    map[string]string // written beside each line, for docker logs --details
	Ephemeral   bool              // record of a build step or the like: needs not survive a power cut
	OnExit      []string          // command (argv) the supervisor runs after the task ended when no client is connected
	Runtime     string            // name of the OCI runtime that makes it, of those that Runtimes finds; empty: the driver's own
	OnEnd       []string          // command (argv) the supervisor runs some time after the task ended, whoever is connected: it may start the container again
	Rested      time.Duration     // how long OnEnd waited the last time; respawn.Next says from it how long it waits now
}

// The networks that a container may have.
const (
	NetworkPrivate = ""     // one of its own with nothing but the loopback interface
	NetworkHost    = "host" // the host's, with everything that listens and is reachable there
)

// Namespaces says of each kind that may be shared whose it is: empty for the container's own, NamespaceHost, or what Of gives.
type Namespaces struct{ PID, IPC, UTS, Cgroup string }

// NamespaceHost stands for the machine's own namespace. In a rootless engine that is the one that the engine was started in.
const NamespaceHost = "host"

// NamespaceNone is an IPC namespace of the container's own without a /dev/shm.
const NamespaceNone = "none"

// Of names the namespace of the running container id.
func Of(id string) string { return "container:" + id }

// OwnerOf is the container that a word of Of names.
func OwnerOf(word string) (id string, ok bool) { return strings.CutPrefix(word, "container:") }

// Device is a device of the host that a container may use.
type Device struct {
	Source string // on the host, absolute; a folder stands for every device in it
	Target string // inside
	Access string // of r, w and m (mknod)
}

// Rotation bounds a log. Once the file has MaxBytes, and before it gets another line, it is renamed to Log.1, that to Log.2 and so on, and at
// most MaxFiles are kept with the current one. Zero: one file without end.
type Rotation struct {
	MaxBytes int64
	MaxFiles int
	Compress bool // those that are replaced, with gzip: Log.1.gz
}

// Health is how a supervisor finds out whether the container does its work. It keeps what it found in health.File of Spec.Dir.
type Health = health.Check

// Rlimit is one limit of setrlimit(2); -1 is no limit.
type Rlimit struct {
	Name       string // without RLIMIT_, in lower case: nofile
	Soft, Hard int64
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
	// Powers are the capabilities that it and its descendants can have ("CAP_CHOWN"); nil: standard.Capabilities. Without meaning for a
	// privileged one, which has all.
	Powers []string
	// Seccomp is the system call filter: empty for docker's default one, Unconfined, or a profile in docker's JSON format.
	Seccomp     string
	AppArmor    string // profile to run under, where the machine has AppArmor; empty or Unconfined: none
	Rlimits     []Rlimit
	OOMScoreAdj int  // -1000 to 1000 (proc_pid_oom_score_adj(5)), added to nothing: the value itself
	Detach      bool // exec only: do not wait
}

// Unconfined means no system call filter at all.
const Unconfined = "unconfined"

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
	Strict   bool   // folder: a Subpath that is missing is not made but an error; it may be a file
	Volume   string // folder: name of the volume that it is, for events of what is written to it; empty: nobody is told
	Target   string // absolute path inside; links are followed inside the container's root
	ReadOnly bool
	Options  []string      // tmpfs: size=..., mode=...
	Chain    digest.Digest // tree; empty besides an empty Key: an empty tree
	Key      string        // tree
	Data     []byte        // file
	Mode     uint32        // file, socket: permissions, 0 to 0777
	UID, GID uint32        // file, socket: owner inside
	// Propagation of a bind or folder (mount_namespaces(7)): private, rprivate (also if empty), slave, rslave, shared, rshared.
	Propagation string
	Flat        bool // bind: without the mounts below Source
	FlatRO      bool // bind: read-only itself, but not the mounts below Source
}

// Limits bound what a container may use. Zero means no limit.
type Limits struct {
	MemoryBytes     int64
	MemorySwapBytes int64 // memory and swap together; -1: as much swap as there is
	MemoryLowBytes  int64 // what is kept for the container when memory gets scarce (docker's --memory-reservation)
	Pids            int64
	CPUQuota        time.Duration // CPU time per CPUPeriod
	CPUPeriod       time.Duration // 100 ms if zero
	CPUShares       int64         // weight against others, 2 to 262144; 1024 is usual
	CPUs, Mems      string        // cpuset(7) lists: "0-2,4"
	BlkioWeight     uint16        // 10 to 1000
	OOMKillDisabled bool          // processes wait for memory instead (version 1 of control groups only)
	Swappiness      *int64        // 0 to 100: how readily pages are swapped out (version 1 only); nil: as the machine has it
}
