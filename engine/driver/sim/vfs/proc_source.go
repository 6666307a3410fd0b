package vfs

import (
	"net/netip"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/userland"
)

// ProcSource tells /proc and /sys what there is to show. Its answers are copies.
type ProcSource interface {
	// Processes lists the processes of the container, sorted by PID.
	Processes() []ProcInfo
	// Process is one of them; false if there is none of that number.
	Process(pid int) (ProcInfo, bool)
	// System tells facts of the machine and of the container.
	System() SystemInfo
}

// ProcInfo is one process. Its numbers are those inside the container.
type ProcInfo struct {
	userland.Process // Start is the time since boot; memory is in bytes

	GID     int
	Groups  []int
	Env     []string // KEY=value
	Cwd     string   // absolute, inside
	Exe     string   // absolute, inside; empty for a zombie
	Umask   int
	Threads int
	Files   map[int]string // open descriptors and what they lead to: "/dev/pts/0", "pipe:[17]", "/etc/hosts"
	Ignored uint64         // signals, bit n-1 for signal n
	Caught  uint64
	NoNew   bool   // no new privileges
	Bound   uint64 // the capabilities that it has, when it is root
	Filter  bool   // has a filter for system calls

	Rlimits     map[string]driver.Rlimit // by their names; never changed
	OOMScoreAdj int
}

// SystemInfo are the facts that are not of one process.
type SystemInfo struct {
	ID       string // of the container
	Uname    userland.Uname
	Boot     time.Time     // wall clock at which the machine started
	Uptime   time.Duration // since then
	Idle     time.Duration // time in which the processors had nothing to do, of all together
	CPUs     int
	Memory   userland.Usage // of the machine
	Load     [3]float64
	LastPID  int
	Limits   driver.Limits // of the container
	Used     int64         // bytes of memory that the container has
	Peak     int64         // most that it ever had
	CPU      time.Duration // that the container has used
	OOMKills int
	Links    []Interface
	Sockets  []Socket // sorted
	// Namespaces are the numbers of the container's own namespaces: pid, mnt, uts, ipc, net, cgroup.
	Namespaces map[string]uint64
}

// Interface is a network interface of the container.
type Interface struct {
	Name      string // "lo", "eth0"
	MAC       string // empty for the loopback: all zero
	MTU       int
	Addresses []netip.Prefix
	Gateways  []netip.Addr // of the default routes that lead through it
}

func (i Interface) same(o Interface) bool {
	return i.Name == o.Name && i.MAC == o.MAC && i.MTU == o.MTU
}

// Socket is one of TCP that listens or is connected.
type Socket struct {
	Local, Remote netip.AddrPort // Remote is not valid of one that listens
}
