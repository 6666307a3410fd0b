//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// setting is one value for one file of a controller, in either version. A version without a file leaves it out.
type setting struct {
	controller string
	v1, v2     string // file names
	val1, val2 string
	optional   bool // a kernel without that file does without
}

func both(controller, v1, v2, value string) setting {
	return setting{controller: controller, v1: v1, v2: v2, val1: value, val2: value}
}

// apply writes the limits. Devices are set at the start only when they are named; what the specification leaves open stays as it is.
func (gs groups) apply(r *specs.LinuxResources, first bool) error {
	if r == nil {
		return nil
	}
	list, err := settings(r)
	if err != nil {
		return err
	}
	for _, s := range list {
		if err := gs.write(s); err != nil {
			return err
		}
	}
	if err := gs.writeUnified(r.Unified); err != nil {
		return err
	}
	if len(r.Devices) > 0 {
		return gs.limitDevices(r.Devices, first)
	}
	return nil
}

func settings(r *specs.LinuxResources) ([]setting, error) {
	var list []setting
	list = append(list, memorySettings(r.Memory)...)
	list = append(list, cpuSettings(r.CPU)...)
	if r.Pids != nil && r.Pids.Limit != nil {
		list = append(list, both("pids", "pids.max", "pids.max", limit(*r.Pids.Limit, 1)))
	}
	list = append(list, ioSettings(r.BlockIO)...)
	huge, err := hugeSettings(r.HugepageLimits)
	if err != nil {
		return nil, err
	}
	list = append(list, huge...)
	if n := r.Network; n != nil {
		if n.ClassID != nil {
			list = append(list, setting{controller: "net_cls", v1: "net_cls.classid", val1: strconv.FormatUint(uint64(*n.ClassID), 10)})
		}
		for _, p := range n.Priorities {
			list = append(list, setting{controller: "net_prio", v1: "net_prio.ifpriomap", val1: fmt.Sprintf("%s %d", p.Name, p.Priority)})
		}
	}
	for _, dev := range slices.Sorted(maps.Keys(r.Rdma)) {
		v := dev
		if l := r.Rdma[dev]; l.HcaHandles != nil {
			v += fmt.Sprintf(" hca_handle=%d", *l.HcaHandles)
		}
		if l := r.Rdma[dev]; l.HcaObjects != nil {
			v += fmt.Sprintf(" hca_object=%d", *l.HcaObjects)
		}
		list = append(list, both("rdma", "rdma.max", "rdma.max", v))
	}
	return list, nil
}

// limit writes a number, or max for what is below least.
func limit(n, least int64) string {
	if n < least {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

func memorySettings(m *specs.LinuxMemory) []setting {
	if m == nil {
		return nil
	}
	var list []setting
	add := func(v1, v2, val1, val2 string) {
		list = append(list, setting{controller: "memory", v1: v1, v2: v2, val1: val1, val2: val2})
	}
	num := func(n int64) string { return strconv.FormatInt(n, 10) }
	if n := m.Limit; n != nil && *n != 0 {
		add("memory.limit_in_bytes", "memory.max", num(*n), limit(*n, 0))
	}
	if n := m.Swap; n != nil && *n != 0 {
		swap := "max" // version 2 counts it without the memory
		if *n > 0 && m.Limit != nil && *m.Limit > 0 {
			swap = num(max(*n-*m.Limit, 0))
		} else if *n > 0 {
			swap = num(*n)
		}
		add("memory.memsw.limit_in_bytes", "memory.swap.max", num(*n), swap)
	}
	if n := m.Reservation; n != nil && *n != 0 {
		add("memory.soft_limit_in_bytes", "memory.low", num(*n), limit(*n, 0))
	}
	if n := m.KernelTCP; n != nil && *n != 0 {
		add("memory.kmem.tcp.limit_in_bytes", "", num(*n), "")
	}
	if n := m.Swappiness; n != nil {
		add("memory.swappiness", "", strconv.FormatUint(*n, 10), "")
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		add("memory.oom_control", "", "1", "")
	}
	return list
}

func cpuSettings(c *specs.LinuxCPU) []setting {
	if c == nil {
		return nil
	}
	var list []setting
	u := func(n uint64) string { return strconv.FormatUint(n, 10) }
	if n := c.Shares; n != nil && *n != 0 {
		list = append(list, setting{controller: "cpu", v1: "cpu.shares", v2: "cpu.weight", val1: u(*n), val2: u(weightOfShares(*n))})
	}
	if c.Period != nil && *c.Period != 0 {
		list = append(list, setting{controller: "cpu", v1: "cpu.cfs_period_us", val1: u(*c.Period)})
	}
	if c.Quota != nil && *c.Quota != 0 {
		list = append(list, setting{controller: "cpu", v1: "cpu.cfs_quota_us", val1: strconv.FormatInt(*c.Quota, 10)})
	}
	if c.Period != nil && *c.Period != 0 || c.Quota != nil && *c.Quota != 0 {
		quota, period := "max", "100000"
		if c.Quota != nil && *c.Quota > 0 {
			quota = strconv.FormatInt(*c.Quota, 10)
		}
		if c.Period != nil && *c.Period != 0 {
			period = u(*c.Period)
		}
		list = append(list, setting{controller: "cpu", v2: "cpu.max", val2: quota + " " + period})
	}
	if c.Burst != nil {
		list = append(list, both("cpu", "cpu.cfs_burst_us", "cpu.max.burst", u(*c.Burst)))
	}
	if c.RealtimePeriod != nil && *c.RealtimePeriod != 0 {
		list = append(list, setting{controller: "cpu", v1: "cpu.rt_period_us", val1: u(*c.RealtimePeriod)})
	}
	if c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 {
		list = append(list, setting{controller: "cpu", v1: "cpu.rt_runtime_us", val1: strconv.FormatInt(*c.RealtimeRuntime, 10)})
	}
	if c.Idle != nil {
		list = append(list, both("cpu", "cpu.idle", "cpu.idle", strconv.FormatInt(*c.Idle, 10)))
	}
	if c.Cpus != "" {
		list = append(list, both("cpuset", "cpuset.cpus", "cpuset.cpus", c.Cpus))
	}
	if c.Mems != "" {
		list = append(list, both("cpuset", "cpuset.mems", "cpuset.mems", c.Mems))
	}
	return list
}

// weightOfShares maps version 1's 2..262144 to version 2's 1..10000, as the kernel's documentation for migrating and every runtime does.
func weightOfShares(shares uint64) uint64 {
	shares = min(max(shares, 2), 262144)
	return 1 + (shares-2)*9999/262142
}

func ioSettings(b *specs.LinuxBlockIO) []setting {
	if b == nil {
		return nil
	}
	var list []setting
	add := func(v1, v2, val1, val2 string) {
		list = append(list, setting{controller: "blkio", v1: v1, v2: v2, val1: val1, val2: val2})
	}
	if b.Weight != nil && *b.Weight != 0 {
		add("blkio.weight", "io.bfq.weight", strconv.Itoa(int(*b.Weight)), strconv.Itoa(int(*b.Weight)))
	}
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		add("blkio.leaf_weight", "", strconv.Itoa(int(*b.LeafWeight)), "")
	}
	for _, d := range b.WeightDevice {
		dev := fmt.Sprintf("%d:%d ", d.Major, d.Minor)
		if d.Weight != nil {
			add("blkio.weight_device", "io.bfq.weight", dev+strconv.Itoa(int(*d.Weight)), dev+strconv.Itoa(int(*d.Weight)))
		}
		if d.LeafWeight != nil {
			add("blkio.leaf_weight_device", "", dev+strconv.Itoa(int(*d.LeafWeight)), "")
		}
	}
	for _, t := range []struct {
		list    []specs.LinuxThrottleDevice
		v1, key string
	}{{b.ThrottleReadBpsDevice, "read_bps", "rbps"}, {b.ThrottleWriteBpsDevice, "write_bps", "wbps"},
		{b.ThrottleReadIOPSDevice, "read_iops", "riops"}, {b.ThrottleWriteIOPSDevice, "write_iops", "wiops"}} {
		for _, d := range t.list {
			add("blkio.throttle."+t.v1+"_device", "io.max", fmt.Sprintf("%d:%d %d", d.Major, d.Minor, d.Rate), fmt.Sprintf("%d:%d %s=%d", d.Major, d.Minor, t.key, d.Rate))
		}
	}
	return list
}

func hugeSettings(limits []specs.LinuxHugepageLimit) ([]setting, error) {
	var list []setting
	for _, l := range limits {
		if l.Pagesize == "" || strings.Trim(l.Pagesize, "0123456789KMGB") != "" {
			return nil, fmt.Errorf("hugepageLimits: no such page size: %q", l.Pagesize)
		}
		v, at := strconv.FormatUint(l.Limit, 10), "hugetlb."+l.Pagesize
		list = append(list, both("hugetlb", at+".limit_in_bytes", at+".max", v))
		rsvd := both("hugetlb", at+".rsvd.limit_in_bytes", at+".rsvd.max", v)
		rsvd.optional = true
		list = append(list, rsvd)
	}
	return list, nil
}

func (gs groups) write(s setting) error {
	g, ok := gs.find(s.controller)
	if !ok && s.controller == "blkio" {
		g, ok = gs.find("io")
	}
	if !ok {
		if s.optional {
			return nil
		}
		return fmt.Errorf("set %s%s: this machine has no control group for %s that can be used", s.v1, s.v2, s.controller)
	}
	file, value := s.v1, s.val1
	if g.Version == 2 {
		file, value = s.v2, s.val2
	}
	if file == "" {
		return nil
	}
	err := g.set(file, value)
	if errors.Is(err, fs.ErrNotExist) && (s.optional || strings.HasPrefix(file, "memory.kmem") || file == "memory.memsw.limit_in_bytes" && value == "-1" || file == "memory.swap.max" && value == "max") {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(file, "blkio.weight") {
		err = g.set(strings.Replace(file, "blkio.", "blkio.bfq.", 1), value)
	}
	if errors.Is(err, fs.ErrNotExist) && file == "io.bfq.weight" {
		err = g.set("io.weight", value)
	}
	return err
}

// set writes one file. Memory limits of version 1 depend on each other: the one with swap can never be below the one without.
func (g group) set(file, value string) error {
	name := filepath.Join(g.dir(), file)
	err := writeTo(name, value)
	if err != nil && file == "memory.limit_in_bytes" {
		// The old limit with swap is in the way of a higher one: it goes first.
		if writeTo(filepath.Join(g.dir(), "memory.memsw.limit_in_bytes"), value) == nil {
			err = writeTo(name, value)
		}
	}
	if err != nil {
		return fmt.Errorf("write %q to control group: %w", value, err)
	}
	return nil
}

// writeTo writes a file that must be there: cgroup file systems answer the wish to create one with a misleading error.
func writeTo(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

func (gs groups) writeUnified(files map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name == "" || strings.ContainsAny(name, "/\x00") {
			return fmt.Errorf("resources.unified: no such file: %q", name)
		}
		done := false
		for _, g := range gs {
			if g.Version != 2 {
				continue
			}
			for line := range strings.Lines(files[name]) { // files like io.max take one entry per write
				if err := g.set(name, line); err != nil {
					return fmt.Errorf("resources.unified: %w", err)
				}
			}
			done = true
		}
		if !done {
			return fmt.Errorf("resources.unified: %s: this machine has no version 2 control groups that can be used", name)
		}
	}
	return nil
}

// Update changes limits of a container.
func (c *Container) Update(r *specs.LinuxResources) error {
	unlock, err := c.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if st := c.Status(); st == specs.StateStopped || st == specs.StateCreating {
		return fmt.Errorf("update container %s: it is %s", c.rec.ID, st)
	}
	return groups(c.rec.Groups).apply(r, false)
}
