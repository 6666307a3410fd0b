//go:build linux

package shim

import (
	"time"

	"github.com/learn-containers/learn/engine/driver/health"
	"github.com/learn-containers/learn/engine/driver/jsonfile"
	"github.com/learn-containers/learn/engine/driver/linux/ahead"
)

// StageVariable is the environment variable that turns a process of the engine's binary into a stage.
const StageVariable = ahead.StageVariable

// The stages.
const (
	StageShim   = ahead.StageShim // supervisor of one container
	StageInit   = "init"          // becomes a container's first process
	StageExec   = "exec"          // becomes a further process of a running container
	StageReap   = "reap"          // small init of a container
	StageUserNS = "userns"        // waits until its ids are mapped, then becomes the command again
	StageProbe  = "probe"         // tries something for doctor
	StageFiles  = "files"         // reaches into a container's files
)

// Config is everything a supervisor needs to run a container.
type Config struct {
	ID          string    `json:"id"`
	Dir         string    `json:"dir"`
	Key         string    `json:"key"`
	Hostname    string    `json:"hostname"`
	Domain      string    `json:"domain,omitempty"` // NIS
	Names       string    `json:"names,omitempty"`  // folder of the files of names, if it is not Dir
	Root        Root      `json:"root"`
	Process     Process   `json:"process"`
	Mounts      []Mount   `json:"mounts,omitempty"`
	Scratch     string    `json:"scratch"` // folder of ours to attach what gets its place later: nobody looks there
	Limits      Limits    `json:"limits"`
	ShmBytes    int64     `json:"shm_bytes,omitempty"`    // size of /dev/shm; 0: the usual
	Owner       string    `json:"owner,omitempty"`        // names the home in the names of control groups
	Privileged  bool      `json:"privileged,omitempty"`   // kernel files and control groups can be written
	Masked      []string  `json:"masked,omitempty"`       // kernel files that can't be read
	Unwritten   []string  `json:"unwritten,omitempty"`    // kernel files that can't be written
	Sysctls     []Setting `json:"sysctls,omitempty"`      // in order
	Devices     []Device  `json:"devices,omitempty"`      // besides the standard ones
	DeviceRules []string  `json:"device_rules,omitempty"` // what the control group lets the container do with devices; none: no such group
	NoShm       bool      `json:"no_shm,omitempty"`       // no /dev/shm
	ReadOnly    bool      `json:"read_only,omitempty"`
	OpenStdin   bool      `json:"open_stdin,omitempty"`
	StdinOnce   bool      `json:"stdin_once,omitempty"`
	Log         Log       `json:"log,omitzero"`
	Ephemeral   bool      `json:"ephemeral,omitempty"`
	OnExit      []string  `json:"on_exit,omitempty"`
	OnExitEnv   []string  `json:"on_exit_env,omitempty"`
	Spaces      Spaces    `json:"spaces"`
	Net         *Net      `json:"net,omitempty"` // nil: it is connected to nothing
	Rootless    bool      `json:"rootless,omitempty"`
	Trace       bool      `json:"trace,omitempty"`
	Foreign     *Foreign  `json:"foreign,omitempty"` // nil: no other runtime has a part in it

	OnEnd  []string      `json:"on_end,omitempty"` // with the environment of OnExit
	Rested time.Duration `json:"rested_ns,omitempty"`
	Health *health.Check `json:"health,omitempty"`
}

// Log says where the output is kept and how; the zero value keeps none.
type Log struct {
	Path     string            `json:"path"`
	MaxBytes int64             `json:"max_bytes,omitempty"`
	MaxFiles int               `json:"max_files,omitempty"`
	Compress bool              `json:"compress,omitempty"`
	Attrs    map[string]string `json:"attrs,omitempty"`
}

func (l Log) options() jsonfile.Options {
	return jsonfile.Options{Path: l.Path, Now: time.Now, MaxBytes: l.MaxBytes, MaxFiles: l.MaxFiles, Compress: l.Compress, Attrs: l.Attrs}
}

// Root says how the container's root is put together.
type Root struct {
	Lowers    []string `json:"lowers"` // top first
	DiffIDs   []string `json:"diff_ids,omitempty"`
	Upper     string   `json:"upper,omitempty"` // empty: it is read-only
	Work      string   `json:"work,omitempty"`
	UserXattr bool     `json:"user_xattr,omitempty"`
	Nodes     bool     `json:"nodes,omitempty"`    // device nodes in it work, as far as a control group lets them
	Volatile  bool     `json:"volatile,omitempty"` // nothing is synced to disk, also not at unmount
}

// Setting is one file under /proc/sys, by sysctl(8)'s name, and its value.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Device is a device node to make, or where none may be made, the host's to mount.
type Device struct {
	Source       string `json:"source"` // on the host
	Target       string `json:"target"`
	Block        bool   `json:"block,omitempty"`
	Major, Minor uint32
	Mode         uint32 `json:"mode"` // permissions
	UID, GID     uint32
	Access       string `json:"access"` // for its event; empty: it is one of a group that has one event
}

// Process is one process to run in the container.
type Process struct {
	Args         []string `json:"args"`
	Env          []string `json:"env,omitempty"`
	Cwd          string   `json:"cwd,omitempty"`
	UID          uint32   `json:"uid"`
	GID          uint32   `json:"gid"`
	Groups       []uint32 `json:"groups,omitempty"`
	Terminal     bool     `json:"terminal,omitempty"`
	Cols         uint16   `json:"cols,omitempty"`
	Rows         uint16   `json:"rows,omitempty"`
	NoNewPrivs   bool     `json:"no_new_privs,omitempty"`
	Init         bool     `json:"init,omitempty"`          // first process only: as the child of a small init of ours
	AppArmor     string   `json:"apparmor,omitempty"`      // profile for the program
	Powers       *Powers  `json:"powers,omitempty"`        // nil: all that the engine has
	Seccomp      []byte   `json:"seccomp,omitempty"`       // struct sock_filter[], native byte order
	SeccompFlags uint32   `json:"seccomp_flags,omitempty"` // of seccomp(2)
	Rlimits      []Rlimit `json:"rlimits,omitempty"`
	OOMScoreAdj  int      `json:"oom_score_adj,omitempty"` // 0: as the supervisor has it
	Refusals     bool     `json:"refusals,omitempty"`      // the supervisor is to know what Seccomp refuses
	Refused      []string `json:"refused,omitempty"`       // traced: the calls that Seccomp refuses whatever their arguments
}

// Rlimit is one limit of setrlimit(2).
type Rlimit struct {
	Name     string `json:"name"`
	Resource int    `json:"resource"`
	Soft     uint64 `json:"soft"`
	Hard     uint64 `json:"hard"`
}

// Mount is one file system to mount besides the standard ones: driver.Mount with everything looked up.
type Mount struct {
	Type     string   `json:"type"`
	Source   string   `json:"source,omitempty"` // on the host; of a tree: inside it
	Subpath  string   `json:"subpath,omitempty"`
	Target   string   `json:"target"`
	ReadOnly bool     `json:"read_only,omitempty"`
	Options  []string `json:"options,omitempty"`
	Name     string   `json:"name,omitempty"` // of a tree or folder, for its event
	Strict   bool     `json:"strict,omitempty"`
	Volume   string   `json:"volume,omitempty"`

	Propagation string `json:"propagation,omitempty"`
	Flat        bool   `json:"flat,omitempty"`
	FlatRO      bool   `json:"flat_ro,omitempty"`

	Tree *Root  `json:"tree,omitempty"`
	Data []byte `json:"data,omitempty"`
	Ours bool   `json:"ours,omitempty"` // socket: it lies in the home
	Mode uint32 `json:"mode,omitempty"`
	UID  uint32 `json:"uid,omitempty"`
	GID  uint32 `json:"gid,omitempty"`
}

// Limits bound a container; zero means none.
type Limits struct {
	MemoryBytes     int64         `json:"memory_bytes,omitempty"`
	MemorySwapBytes int64         `json:"memory_swap_bytes,omitempty"` // memory and swap together; -1: no limit
	MemoryLowBytes  int64         `json:"memory_low_bytes,omitempty"`
	Pids            int64         `json:"pids,omitempty"`
	CPUQuota        time.Duration `json:"cpu_quota_ns,omitempty"`
	CPUPeriod       time.Duration `json:"cpu_period_ns,omitempty"`
	CPUShares       int64         `json:"cpu_shares,omitempty"`
	CPUs            string        `json:"cpus,omitempty"`
	Mems            string        `json:"mems,omitempty"`
	BlkioWeight     uint16        `json:"blkio_weight,omitempty"`
	OOMKillDisabled bool          `json:"oom_kill_disabled,omitempty"`
	Swappiness      *int64        `json:"swappiness,omitempty"`
}

// Exit tells how a process ended.
type Exit struct {
	Code      int       `json:"code"`
	Signal    int       `json:"signal,omitempty"`
	OOMKilled bool      `json:"oom_killed,omitempty"`
	OOM       *OOM      `json:"oom,omitempty"`
	At        time.Time `json:"at"`
}

// OOM is what the control group counted when memory ran out.
type OOM struct {
	LimitBytes int64 `json:"limit_bytes"`
	PeakBytes  int64 `json:"peak_bytes"`
	Kills      int64 `json:"kills"`
}

// Hierarchy is one control group hierarchy that the container joins.
type Hierarchy struct {
	Controller string `json:"controller"` // unified for version 2
	Dir        string `json:"dir"`        // the container's group
	Version    int    `json:"version"`
}
