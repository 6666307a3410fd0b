//go:build linux

package shim

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockTicks is the unit of times in /proc: 1/100 s on every machine that Linux calls a user space ABI.
const clockTicks = 100

// ProcessInfo is one process of a container.
type ProcessInfo struct {
	Pid       int           `json:"pid"`
	PPid      int           `json:"ppid"`
	UID       uint32        `json:"uid"`
	CPU       time.Duration `json:"cpu_ns"`
	StartedAt time.Time     `json:"started_at"`
	TTY       string        `json:"tty"`
	Argv      []string      `json:"argv"`
}

// descendants lists all processes below root, parents first. Everything in a container descends from its shim, since
// orphans are given to the container's own first process.
func descendants(root int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := map[int][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if st, err := readStat(pid); err == nil && st.state != 'Z' {
			children[st.ppid] = append(children[st.ppid], pid)
		}
	}
	found := append([]int(nil), children[root]...)
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i]]...)
	}
	return found
}

func describeProcess(pid int, boot time.Time) (ProcessInfo, bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	st, err := readStat(pid)
	if err != nil {
		return ProcessInfo{}, false
	}
	tick := func(n uint64) time.Duration { return time.Duration(n) * time.Second / clockTicks }
	p := ProcessInfo{Pid: pid, PPid: st.ppid, CPU: tick(st.utime + st.stime), StartedAt: boot.Add(tick(st.start)), TTY: ttyName(st.tty)}
	var fst unix.Stat_t
	if unix.Stat(dir, &fst) == nil {
		p.UID = fst.Uid
	}
	if data, err := os.ReadFile(dir + "/cmdline"); err == nil && len(data) > 0 {
		for _, a := range bytes.Split(bytes.TrimSuffix(data, []byte{0}), []byte{0}) {
			p.Argv = append(p.Argv, string(a))
		}
	}
	if len(p.Argv) == 0 {
		p.Argv = []string{"[" + st.comm + "]"}
	}
	return p, true
}

func ttyName(dev int) string {
	major, minor := dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
	if major >= 136 && major <= 143 {
		return "pts/" + strconv.Itoa((major-136)*256+minor)
	}
	return "?"
}

// bootTime is when the machine started.
func bootTime() time.Time {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "btime "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return time.Unix(n, 0)
		}
	}
	return time.Time{}
}
