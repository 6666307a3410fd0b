package userland

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// osProcs reads /proc.
type osProcs struct{}

func (osProcs) Self() (int, int) { return os.Getpid(), os.Getppid() }

func (osProcs) Kill(pid, signal int) error { return syscall.Kill(pid, syscall.Signal(signal)) }

func (osProcs) List() ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			if p, ok := readProcess(pid); ok {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// readProcess reads one process; a process that ended meanwhile is none.
func readProcess(pid int) (Process, bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Process{}, false
	}
	p, ok := parseStat(string(stat))
	if !ok {
		return p, false
	}
	if info, err := os.Stat(dir); err == nil {
		p.UID = osAttr(info).UID
	}
	if args, err := os.ReadFile(dir + "/cmdline"); err == nil && len(args) > 0 {
		p.Args = strings.Split(string(bytes.TrimRight(args, "\x00")), "\x00")
	}
	return p, true
}

// parseStat reads the line of /proc/PID/stat, see proc_pid_stat(5). Its clock ticks are a hundredth of a second.
func parseStat(stat string) (Process, bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return Process{}, false
	}
	f := strings.Fields(stat[end+1:])
	if len(f) < 22 {
		return Process{}, false
	}
	const tick = 10 * time.Millisecond
	field := func(n int) int { return int(number(f[n-3])) }
	return Process{PID: int(number(strings.TrimSpace(stat[:open]))), Name: stat[open+1 : end], State: f[0][0], PPID: field(4), PGID: field(5),
		SID: field(6), TTY: ttyName(field(7)), CPU: time.Duration(field(14)+field(15)) * tick, Start: time.Duration(field(22)) * tick,
		VSZ: number(f[20]), RSS: number(f[21]) * int64(os.Getpagesize())}, true
}

func ttyName(dev int) string {
	major, minor := dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
	switch {
	case dev == 0:
		return "?"
	case major >= 136 && major <= 143:
		return "pts/" + strconv.Itoa(minor+(major-136)<<8)
	case major == 4:
		return "tty" + strconv.Itoa(minor)
	}
	return "?"
}
