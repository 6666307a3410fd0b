package vfs

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// sysfs is /sys: the container's interfaces, the processors, and at fs/cgroup the container's own control group in the layout of
// version 2. It can be read and not written.
type sysfs struct {
	src  ProcSource
	boot func() time.Time

	mu    sync.Mutex
	tree  synth // for these interfaces and processors
	links []Interface
	cpus  int
}

// NewSys is /sys.
func NewSys(src ProcSource) fsys.FS {
	return &sysfs{src: src, boot: sync.OnceValue(func() time.Time { return src.System().Boot })}
}

// find gives the node of a name in the tree for the present state of the machine.
func (f *sysfs) find(name string) (*synthNode, *scene, error) {
	s := &scene{src: f.src}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := s.sys(); f.tree == nil || f.cpus != i.CPUs || !slices.EqualFunc(f.links, i.Links, Interface.same) {
		f.tree, f.cpus, f.links = sysTree(i), i.CPUs, slices.Clone(i.Links)
	}
	n := f.tree[name]
	if n == nil {
		return nil, nil, syscall.ENOENT
	}
	return n, s, nil
}

func (f *sysfs) Lstat(name string) (fsys.Attr, error) {
	n, _, err := f.find(name)
	if err != nil {
		return fsys.Attr{}, err
	}
	return n.attr(f.boot()), nil
}

func (f *sysfs) ReadDir(name string) ([]fsys.Dirent, error) {
	n, _, err := f.find(name)
	if err != nil {
		return nil, err
	}
	return n.list()
}

func (f *sysfs) Readlink(name string) (string, error) {
	n, s, err := f.find(name)
	if err != nil {
		return "", err
	}
	return n.readlink(s)
}

func (f *sysfs) Open(name string, how fsys.How) (fsys.Handle, error) {
	n, s, err := f.find(name)
	if err != nil {
		return nil, err
	}
	return n.open(s, n.attr(f.boot()), how)
}

func sysTree(i *SystemInfo) synth {
	t := newSynth()
	for _, name := range []string{"block", "bus", "class/net", "dev", "devices/virtual/net", "firmware", "fs/cgroup", "kernel", "module", "power"} {
		t.dir(name)
	}
	for at, l := range i.Links {
		sysInterface(t, at+1, l)
	}
	list := "0"
	if i.CPUs > 1 {
		list = "0-" + strconv.Itoa(i.CPUs-1)
	}
	for _, name := range []string{"online", "possible", "present"} {
		t.fixed("devices/system/cpu/"+name, 0o444, list+"\n")
	}
	for c := range i.CPUs {
		t.dir("devices/system/cpu/cpu" + strconv.Itoa(c))
	}
	sysGroup(t)
	for _, n := range t {
		if n.kind == fsys.Dir {
			n.mode = 0o755
		}
	}
	t["."].mode = 0o555
	return t
}

func sysInterface(t synth, index int, l Interface) {
	home := "devices/virtual/net/" + l.Name
	t.link("class/net/"+l.Name, func(*scene) string { return "../../" + home })
	kind, flags, state, mac := "1", "0x1003", "up", l.MAC
	if mac == "" {
		kind, flags, state, mac = "772", "0x9", "unknown", "00:00:00:00:00:00"
	}
	for name, value := range map[string]string{"address": mac, "mtu": strconv.Itoa(l.MTU), "operstate": state, "type": kind, "flags": flags,
		"ifindex": strconv.Itoa(index), "iflink": strconv.Itoa(index), "carrier": "1"} {
		t.fixed(home+"/"+name, 0o444, value+"\n")
	}
	for _, name := range []string{"rx_bytes", "rx_packets", "tx_bytes", "tx_packets"} {
		t.fixed(home+"/statistics/"+name, 0o444, "0\n")
	}
}

// sysGroup adds the container's control group (Documentation/admin-guide/cgroup-v2.rst).
func sysGroup(t synth) {
	of := func(name string, text func(*SystemInfo) string) {
		t.file("fs/cgroup/"+name, 0o644, func(s *scene) string { return text(s.sys()) + "\n" })
	}
	of("memory.max", func(i *SystemInfo) string { return orMax(i.Limits.MemoryBytes) })
	of("memory.low", func(i *SystemInfo) string { return strconv.FormatInt(i.Limits.MemoryLowBytes, 10) })
	of("memory.peak", func(i *SystemInfo) string { return strconv.FormatInt(i.Peak, 10) })
	of("memory.swap.max", func(i *SystemInfo) string {
		if l := i.Limits; l.MemoryBytes > 0 && l.MemorySwapBytes > 0 {
			return strconv.FormatInt(l.MemorySwapBytes-l.MemoryBytes, 10)
		}
		return "max"
	})
	of("memory.current", func(i *SystemInfo) string { return strconv.FormatInt(i.Used, 10) })
	of("memory.events", func(i *SystemInfo) string {
		n := strconv.Itoa(i.OOMKills)
		return "low 0\nhigh 0\nmax " + n + "\noom " + n + "\noom_kill " + n + "\noom_group_kill 0"
	})
	of("pids.max", func(i *SystemInfo) string { return orMax(i.Limits.Pids) })
	of("cpu.max", cpuMax)
	of("cpu.weight", func(i *SystemInfo) string { return strconv.FormatUint(standard.CPUWeight(i.Limits.CPUShares), 10) })
	of("cpuset.cpus", func(i *SystemInfo) string { return i.Limits.CPUs })
	of("cpuset.mems", func(i *SystemInfo) string { return i.Limits.Mems })
	of("cpu.stat", func(i *SystemInfo) string {
		n := strconv.FormatInt(i.CPU.Microseconds(), 10)
		return "usage_usec " + n + "\nuser_usec " + n + "\nsystem_usec 0"
	})
	t.file("fs/cgroup/pids.current", 0o444, func(s *scene) string { return strconv.Itoa(len(s.src.Processes())) + "\n" })
	t.file("fs/cgroup/cgroup.procs", 0o644, func(s *scene) string {
		var b strings.Builder
		for _, p := range s.src.Processes() {
			b.WriteString(strconv.Itoa(p.PID) + "\n")
		}
		return b.String()
	})
	t.fixed("fs/cgroup/cgroup.controllers", 0o444, "cpuset cpu memory pids\n")
	t.fixed("fs/cgroup/cgroup.subtree_control", 0o644, "\n")
	t.fixed("fs/cgroup/cgroup.type", 0o644, "domain\n")
	t.fixed("fs/cgroup/cgroup.events", 0o444, "populated 1\nfrozen 0\n")
}

func orMax(n int64) string {
	if n <= 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

// cpuMax is quota and period in microseconds.
func cpuMax(i *SystemInfo) string {
	period := i.Limits.CPUPeriod
	if period == 0 {
		period = 100 * time.Millisecond
	}
	return orMax(i.Limits.CPUQuota.Microseconds()) + " " + strconv.FormatInt(period.Microseconds(), 10)
}
