package vfs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// tick is the unit of times in /proc: sysconf(_SC_CLK_TCK) is 100 everywhere.
const tick = 10 * time.Millisecond

func ticks(d time.Duration) string { return strconv.FormatInt(int64(d/tick), 10) }

// procProcess is the folder of a process (proc(5)).
func procProcess() synth {
	t := newSynth()
	t.dir("fd").mode = 0o500
	t.dir("task")
	t.file("cmdline", 0o444, func(s *scene) string { return nulEnded(s.proc.Args) })
	t.file("environ", 0o400, func(s *scene) string { return nulEnded(s.proc.Env) })
	t.file("comm", 0o644, func(s *scene) string { return comm(s.proc.Name) + "\n" })
	t.file("stat", 0o444, procStat)
	t.file("statm", 0o444, procStatm)
	t.file("status", 0o444, procStatus)
	t.file("limits", 0o444, procLimits)
	t.fixed("cgroup", 0o444, "0::/\n")
	t.fixed("cpuset", 0o444, "/\n")
	t.fixed("loginuid", 0o644, "4294967295")
	t.fixed("sessionid", 0o444, "4294967295")
	t.file("oom_score_adj", 0o644, func(s *scene) string { return strconv.Itoa(s.proc.OOMScoreAdj) + "\n" })
	t.fixed("oom_adj", 0o644, "0\n")
	t.file("oom_score", 0o444, oomScore)
	t.fixed("setgroups", 0o644, "allow\n")
	t.fixed("wchan", 0o444, "0")
	t.fixed("personality", 0o400, "00000000\n")
	for _, ids := range []string{"uid_map", "gid_map", "projid_map"} {
		t.fixed(ids, 0o644, "         0          0 4294967295\n")
	}
	t.file("mounts", 0o444, mountsText)
	t.file("mountinfo", 0o444, func(s *scene) string {
		if s.ns == nil {
			return ""
		}
		return s.ns.mountInfo()
	})
	t.link("exe", func(s *scene) string { return s.proc.Exe })
	t.link("cwd", func(s *scene) string { return s.proc.Cwd })
	t.link("root", func(s *scene) string { return "/" })
	procNamespaces(t)
	procNet(t)
	return t
}

// procNamespaces adds ns/; the numbers are those of a first namespace of each kind where the system tells no other.
func procNamespaces(t synth) {
	t.dir("ns").mode = 0o511
	for name, first := range map[string]uint64{"time": 4026531834, "cgroup": 4026531835, "pid": 4026531836, "user": 4026531837,
		"uts": 4026531838, "ipc": 4026531839, "net": 4026531840, "mnt": 4026531841} {
		link := func(s *scene) string {
			number := first
			if own := s.sys().Namespaces[name]; own != 0 {
				number = own
			}
			return name + ":[" + strconv.FormatUint(number, 10) + "]"
		}
		t.link("ns/"+name, link)
		if name == "pid" || name == "time" {
			t.link("ns/"+name+"_for_children", link)
		}
	}
}

// comm is a program's name as the kernel keeps it.
func comm(name string) string { return name[:min(len(name), 15)] }

func nulEnded(words []string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(w)
		b.WriteByte(0)
	}
	return b.String()
}

func mountsText(s *scene) string {
	if s.ns == nil {
		return ""
	}
	var b strings.Builder
	for _, m := range s.ns.Mounts() {
		b.WriteString(escape(m.Source) + " " + escape(m.Target) + " " + m.Type + " " + escape(m.Options) + " 0 0\n")
	}
	return b.String()
}

func procStat(s *scene) string {
	p := &s.proc
	tty, group := 0, -1
	if number, ok := strings.CutPrefix(p.TTY, "pts/"); ok {
		n, _ := decimal(number)
		tty, group = int(fsys.MakeDev(ptsMajor, uint32(n))), p.PGID
	}
	return fmt.Sprintf("%d (%s) %c %d %d %d %d %d 4194560 0 0 0 0 %s 0 0 0 20 0 %d 0 %s %d %d 18446744073709551615 0 0 0 0 0 0 0 %d %d 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		p.PID, comm(p.Name), p.State, p.PPID, p.PGID, p.SID, tty, group, ticks(p.CPU), max(1, p.Threads), ticks(p.Start),
		p.VSZ, p.RSS/pageSize, p.Ignored, p.Caught)
}

func procStatm(s *scene) string {
	size, resident := s.proc.VSZ/pageSize, s.proc.RSS/pageSize
	return fmt.Sprintf("%d %d 0 0 0 %d 0\n", size, resident, resident)
}

func oomScore(s *scene) string {
	total := s.sys().Memory.Total
	if limit := s.sys().Limits.MemoryBytes; limit > 0 {
		total = limit
	}
	if total <= 0 {
		return "0\n"
	}
	return strconv.FormatInt(max(0, min(2000, s.proc.RSS*1000/total+int64(s.proc.OOMScoreAdj))), 10) + "\n"
}

func stateName(state byte) string {
	switch state {
	case 'R':
		return "R (running)"
	case 'S':
		return "S (sleeping)"
	case 'D':
		return "D (disk sleep)"
	case 'T':
		return "T (stopped)"
	case 'Z':
		return "Z (zombie)"
	}
	return string(state) + " (unknown)"
}

func procStatus(s *scene) string {
	p := &s.proc
	var b strings.Builder
	row := func(name, value string) { b.WriteString(name + ":\t" + value + "\n") }
	number := func(name string, n int) { row(name, strconv.Itoa(n)) }
	size := func(name string, bytes int64) { row(name, fmt.Sprintf("%8d kB", bytes>>10)) }
	four := func(n int) string { return strings.TrimSuffix(strings.Repeat(strconv.Itoa(n)+"\t", 4), "\t") }
	groups := ""
	for _, g := range p.Groups {
		groups += strconv.Itoa(g) + " "
	}
	if groups == "" {
		groups = " "
	}
	row("Name", comm(p.Name))
	row("Umask", fmt.Sprintf("%04o", p.Umask))
	row("State", stateName(p.State))
	number("Tgid", p.PID)
	number("Ngid", 0)
	number("Pid", p.PID)
	number("PPid", p.PPID)
	number("TracerPid", 0)
	row("Uid", four(p.UID))
	row("Gid", four(p.GID))
	number("FDSize", 64)
	row("Groups", groups)
	number("NStgid", p.PID)
	number("NSpid", p.PID)
	number("NSpgid", p.PGID)
	number("NSsid", p.SID)
	if p.State != 'Z' {
		size("VmPeak", p.VSZ)
		size("VmSize", p.VSZ)
		size("VmHWM", p.RSS)
		size("VmRSS", p.RSS)
		size("VmSwap", 0)
	}
	number("Threads", max(1, p.Threads))
	row("SigQ", "0/96343")
	for _, set := range []struct {
		name string
		bits uint64
	}{{"SigPnd", 0}, {"ShdPnd", 0}, {"SigBlk", 0}, {"SigIgn", p.Ignored}, {"SigCgt", p.Caught}} {
		row(set.name, fmt.Sprintf("%016x", set.bits))
	}
	b.WriteString(capabilityRows(p))
	b.WriteString(cpuRows(s.sys().CPUs))
	return b.String()
}

func capabilityRows(p *ProcInfo) string {
	bound, noNew, filter := p.Bound, 0, 0
	if p.Filter {
		filter = 2
	}
	if p.NoNew {
		noNew = 1
	}
	has := bound
	if p.UID != 0 {
		has = 0
	}
	return fmt.Sprintf("CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x\nNoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%d\n",
		0, has, has, bound, 0, noNew, filter, filter/2)
}

func cpuRows(n int) string {
	list := "0"
	if n > 1 {
		list = "0-" + strconv.Itoa(n-1)
	}
	return fmt.Sprintf("Cpus_allowed:\t%x\nCpus_allowed_list:\t%s\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n",
		uint64(1)<<min(n, 63)-1, list)
}
