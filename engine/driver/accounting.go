package driver

import (
	"context"
	"time"
)

// OOM is what the machine counted when memory ran out.
type OOM struct {
	LimitBytes int64 `json:"limit_bytes"` // 0: the container had no limit, and the machine had no more
	PeakBytes  int64 `json:"peak_bytes"`  // most that the container ever had; 0 if the kernel does not tell
	Kills      int64 `json:"kills"`       // processes killed
}

// Capacity is what a machine has, and which of the limits that not every kernel has it can keep.
type Capacity struct {
	CPUs        int    // that run
	CPUList     string // the same, and the memory nodes, as cpuset(7) lists
	MemList     string
	MemoryBytes int64 // of the whole machine
	Swap        bool  // Limits.MemorySwapBytes
	Swappiness  bool
	OOMKill     bool // Limits.OOMKillDisabled
	BlkioWeight bool
}

// Measurer is an ability that a Runtime may have besides: to tell what its machine has. It costs more than a start should, so it is asked
// only about limits that depend on it.
type Measurer interface {
	Capacity(ctx context.Context) (Capacity, error)
}

// Usage is what a container has used up to a moment, and what it uses at it. Counters begin with the container's start.
type Usage struct {
	At              time.Time     // of the machine; zero for a container that does not run
	CPU             time.Duration // of all processes
	SystemCPU       time.Duration // of all CPUs of the machine, since any moment; what they idle is in it
	CPUs            int           // that run
	MemoryBytes     int64         // with the pages of files that count as the container's
	InactiveBytes   int64         // those of them that nobody has used lately
	LimitBytes      int64         // of memory; without a limit, what the machine has
	ReadBytes       int64         // from disks
	WriteBytes      int64
	ReceivedBytes   int64 // by network interfaces but the loopback
	SentBytes       int64
	Pids, PidsLimit int64 // threads, and how many there may be (0: any number)
}

// Stater is an ability that a Runtime may have besides: to tell what containers use, many at once.
type Stater interface {
	// Stats gives one Usage for each id, in their order. One that does not run has a zero Usage.
	Stats(ctx context.Context, ids []string) ([]Usage, error)
}

// Updater is an ability that a Task may have besides: to change its limits while it runs. ErrNotRunning if it does not. After an error
// any part of them may have been changed.
type Updater interface {
	Update(ctx context.Context, limits Limits) error
}
