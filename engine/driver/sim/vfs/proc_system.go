package vfs

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// procSystem is /proc without the folders of processes.
func procSystem(settings map[string]string) synth {
	t := newSynth()
	t.link("self", func(s *scene) string { return strconv.Itoa(s.proc.PID) })
	t.link("thread-self", func(s *scene) string { return fmt.Sprintf("%d/task/%d", s.proc.PID, s.proc.PID) })
	t.link("mounts", func(*scene) string { return "self/mounts" })
	t.link("net", func(*scene) string { return "self/net" })
	t.file("cpuinfo", 0o444, cpuinfo)
	t.file("meminfo", 0o444, meminfo)
	t.file("uptime", 0o444, func(s *scene) string {
		return fmt.Sprintf("%.2f %.2f\n", s.sys().Uptime.Seconds(), s.sys().Idle.Seconds())
	})
	t.file("loadavg", 0o444, loadavg)
	t.file("version", 0o444, func(s *scene) string {
		u := s.sys().Uname
		return u.Sysname + " version " + u.Release + " (learn@localhost) (gc) " + u.Version + "\n"
	})
	t.file("stat", 0o444, systemStat)
	t.fixed("cmdline", 0o444, "console=tty0 quiet\n")
	t.fixed("filesystems", 0o444, "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevpts\nnodev\toverlay\nnodev\tmqueue\n")
	t.fixed("swaps", 0o444, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")
	t.fixed("partitions", 0o444, "major minor  #blocks  name\n\n")
	t.fixed("diskstats", 0o444, "")
	t.fixed("devices", 0o444, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n")
	t.fixed("misc", 0o444, "")
	t.fixed("locks", 0o444, "")
	// Files that tell of the machine outside, which a container does not get to see.
	for _, name := range []string{"interrupts", "keys", "timer_list"} {
		t.fixed(name, 0o444, "")
	}
	for _, name := range []string{"acpi", "bus", "fs", "irq", "sysvipc", "tty"} {
		t.dir(name)
	}
	procSys(t, settings)
	return t
}

// procSys adds /proc/sys: what a container is told of the kernel's settings.
func procSys(t synth, own map[string]string) {
	of := func(name string, text func(*SystemInfo) string) {
		t.file("sys/kernel/"+name, 0o444, func(s *scene) string { return text(s.sys()) + "\n" })
	}
	of("ostype", func(i *SystemInfo) string { return i.Uname.Sysname })
	of("osrelease", func(i *SystemInfo) string { return i.Uname.Release })
	of("version", func(i *SystemInfo) string { return i.Uname.Version })
	of("arch", func(i *SystemInfo) string { return i.Uname.Machine })
	of("random/boot_id", func(i *SystemInfo) string { return bootID(i.Boot) })
	of("random/uuid", func(*SystemInfo) string {
		var b [16]byte
		rand.Read(b[:])
		return uuid(b)
	})
	t.file("sys/kernel/hostname", 0o644, func(s *scene) string { return s.sys().Uname.Nodename + "\n" })
	for name, value := range map[string]string{
		"kernel/pid_max": "4194304", "kernel/threads-max": "192686", "kernel/domainname": "(none)", "kernel/core_pattern": "core",
		"kernel/randomize_va_space": "2", "kernel/overflowuid": "65534", "kernel/overflowgid": "65534", "kernel/shmmax": "18446744073692774399",
		"kernel/shmall": "18446744073692774399", "kernel/panic": "0", "fs/file-max": "9223372036854775807", "fs/nr_open": "1048576",
		"fs/protected_hardlinks": "1", "fs/protected_symlinks": "1", "vm/overcommit_memory": "0", "vm/swappiness": "60",
		"vm/max_map_count": "65530", "net/core/somaxconn": "4096", "net/ipv4/ip_forward": "0", "net/ipv4/ip_unprivileged_port_start": "0",
		"net/ipv4/ping_group_range": "0\t2147483647", "net/ipv4/ip_local_port_range": "32768\t60999",
		"kernel/msgmax": "8192", "kernel/msgmnb": "16384", "kernel/msgmni": "32000", "kernel/sem": "32000\t1024000000\t500\t32000",
		"kernel/shmmni": "4096", "kernel/shm_rmid_forced": "0", "fs/mqueue/queues_max": "256", "fs/mqueue/msg_max": "10", "fs/mqueue/msgsize_max": "8192",
		"fs/mqueue/msg_default": "10", "fs/mqueue/msgsize_default": "8192",
	} {
		if v, ok := own[strings.ReplaceAll(name, "/", ".")]; ok {
			value = v
		}
		t.fixed("sys/"+name, 0o644, value+"\n")
	}
	for name, value := range map[string]string{"cap_last_cap": "40", "ngroups_max": "65536", "random/entropy_avail": "256", "random/poolsize": "256"} {
		t.fixed("sys/kernel/"+name, 0o444, value+"\n")
	}
}

// bootID is the same as long as the machine runs.
func bootID(boot time.Time) string {
	sum := sha256.Sum256([]byte(boot.UTC().Format(time.RFC3339Nano)))
	return uuid([16]byte(sum[:16]))
}

// uuid writes bytes as a random UUID (RFC 9562, version 4).
func uuid(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func meminfo(s *scene) string {
	m := s.sys().Memory
	var b strings.Builder
	for _, row := range []struct {
		name  string
		bytes int64
	}{
		{"MemTotal", m.Total}, {"MemFree", m.Free}, {"MemAvailable", m.Available}, {"Buffers", 0}, {"Cached", m.Buffers}, {"SwapCached", 0},
		{"Active", 0}, {"Inactive", 0}, {"Unevictable", 0}, {"Mlocked", 0}, {"SwapTotal", m.SwapTotal}, {"SwapFree", m.SwapFree},
		{"Dirty", 0}, {"Writeback", 0}, {"AnonPages", max(0, m.Total-m.Free-m.Buffers)}, {"Mapped", 0}, {"Shmem", m.Shared}, {"KReclaimable", 0},
		{"Slab", 0}, {"SReclaimable", 0}, {"SUnreclaim", 0}, {"KernelStack", 0}, {"PageTables", 0}, {"CommitLimit", m.Total / 2},
		{"Committed_AS", max(0, m.Total-m.Free)},
	} {
		fmt.Fprintf(&b, "%-16s%8d kB\n", row.name+":", row.bytes>>10)
	}
	return b.String()
}

func cpuinfo(s *scene) string {
	n := s.sys().CPUs
	var b strings.Builder
	for i := range n {
		if s.sys().Uname.Machine == "aarch64" {
			fmt.Fprintf(&b, "processor\t: %d\nBogoMIPS\t: 4000.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x00\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0x000\nCPU revision\t: 0\n\n", i)
			continue
		}
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: learn\ncpu family\t: 6\nmodel\t\t: 1\nmodel name\t: Simulated processor\nstepping\t: 1\ncpu MHz\t\t: 2000.000\n"+
			"physical id\t: 0\nsiblings\t: %d\ncore id\t\t: %d\ncpu cores\t: %d\nfpu\t\t: yes\nflags\t\t: fpu\nbogomips\t: 4000.00\n\n", i, n, i, n)
	}
	return b.String()
}

func loadavg(s *scene) string {
	all := s.src.Processes()
	running := 0
	for _, p := range all {
		if p.State == 'R' {
			running++
		}
	}
	l := s.sys().Load
	return fmt.Sprintf("%.2f %.2f %.2f %d/%d %d\n", l[0], l[1], l[2], running, len(all), s.sys().LastPID)
}

// systemStat is /proc/stat: all time is either the container's or idle.
func systemStat(s *scene) string {
	i := s.sys()
	n := max(1, i.CPUs)
	var b strings.Builder
	row := func(name string, busy, idle time.Duration) {
		fmt.Fprintf(&b, "%s %s 0 0 %s 0 0 0 0 0 0\n", name, ticks(busy), ticks(idle))
	}
	row("cpu ", i.CPU, i.Idle)
	for c := range n {
		row("cpu"+strconv.Itoa(c), i.CPU/time.Duration(n), i.Idle/time.Duration(n))
	}
	running := 0
	for _, p := range s.src.Processes() {
		if p.State == 'R' {
			running++
		}
	}
	fmt.Fprintf(&b, "intr 0\nctxt 0\nbtime %d\nprocesses %d\nprocs_running %d\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n",
		i.Boot.Unix(), i.LastPID, running)
	return b.String()
}

// procNet adds net/ of a process: the interfaces, and tables without rows.
func procNet(t synth) {
	t.file("net/dev", 0o444, func(s *scene) string {
		var b strings.Builder
		b.WriteString("Inter-|   Receive                                                |  Transmit\n" +
			" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n")
		for _, l := range s.sys().Links {
			fmt.Fprintf(&b, "%6s:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n", l.Name)
		}
		return b.String()
	})
	t.file("net/tcp", 0o444, func(s *scene) string { return tcpTable(s.sys().Sockets, netip.Addr.Is4) })
	t.file("net/tcp6", 0o444, func(s *scene) string { return tcpTable(s.sys().Sockets, netip.Addr.Is6) })
	t.file("net/route", 0o444, func(s *scene) string { return routeTable(s.sys().Links) })
	t.file("net/if_inet6", 0o444, func(s *scene) string { return inet6Table(s.sys().Links) })
	for name, head := range map[string]string{
		"udp": fmt.Sprintf("%-127s", tcpHead+" ref pointer drops"), "udp6": tcp6Head + " ref pointer drops",
		"unix": "Num       RefCount Protocol Flags    Type St Inode Path",
		"arp":  "IP address       HW type     Flags       HW address            Mask     Device",
	} {
		t.fixed("net/"+name, 0o444, head+"\n")
	}
}
