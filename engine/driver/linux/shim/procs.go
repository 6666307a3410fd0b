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

	User     string `json:"-"` // the command knows the machine's users
	Comm     string `json:"comm"`
	Stat     string `json:"stat"`
	PGID     int    `json:"pgid"`
	SID      int    `json:"sid"`
	Threads  int    `json:"threads"`
	Nice     int    `json:"nice"`
	Priority int    `json:"priority"`
	VSZ      int64  `json:"vsz"`
	RSS      int64  `json:"rss"`
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
	p := ProcessInfo{Pid: pid, PPid: st.ppid, CPU: ticks(st.utime + st.stime), StartedAt: boot.Add(ticks(st.start)), TTY: ttyName(st.tty),
		Comm: st.comm, Stat: st.letters(pid), PGID: st.pgrp, SID: st.session, Threads: int(st.threads), Nice: st.nice, Priority: st.priority,
		VSZ: st.vsize, RSS: st.rss * int64(os.Getpagesize())}
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

// letters is what ps(1) shows in its column STAT.
func (s *stat) letters(pid int) string {
	text := string(s.state)
	for _, add := range []struct {
		there  bool
		letter string
	}{{s.nice < 0, "<"}, {s.nice > 0, "N"}, {s.session == pid, "s"}, {s.threads > 1, "l"}, {s.tty != 0 && s.foreground == s.pgrp, "+"}} {
		if add.there {
			text += add.letter
		}
	}
	return text
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
