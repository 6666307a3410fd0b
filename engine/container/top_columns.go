package container

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// psColumn is one column of ps(1).
type psColumn struct {
	names string // that -o knows it by, separated by blanks
	title string
	text  func(*driver.ProcessInfo, psMachine) string
}

func findColumn(name string) (psColumn, bool) {
	for _, c := range psTable() {
		for _, n := range strings.Fields(c.names) {
			if n == name {
				return c, true
			}
		}
	}
	return psColumn{}, false
}

// psTable is the part of ps(1)'s STANDARD FORMAT SPECIFIERS that needs no more than a Lister tells.
func psTable() []psColumn {
	return []psColumn{
		{"pid tgid", "PID", whole(func(p *driver.ProcessInfo) int { return p.Pid })},
		{"ppid", "PPID", whole(func(p *driver.ProcessInfo) int { return p.PPid })},
		{"pgid", "PGID", whole(func(p *driver.ProcessInfo) int { return p.PGID })},
		{"pgrp", "PGRP", whole(func(p *driver.ProcessInfo) int { return p.PGID })},
		{"sid", "SID", whole(func(p *driver.ProcessInfo) int { return p.SID })},
		{"sess session", "SESS", whole(func(p *driver.ProcessInfo) int { return p.SID })},
		{"user uname", "USER", userName}, {"euser", "EUSER", userName},
		{"uid", "UID", userID}, {"euid", "EUID", userID},
		{"comm ucomm", "COMMAND", command}, {"ucmd", "CMD", command},
		{"args command", "COMMAND", arguments}, {"cmd", "CMD", arguments},
		{"pcpu %cpu", "%CPU", cpuPercent}, {"c", "C", cpuWhole},
		{"pmem %mem", "%MEM", memoryPercent},
		{"vsz vsize", "VSZ", kibibytes(func(p *driver.ProcessInfo) int64 { return p.VSZ })},
		{"rss rssize", "RSS", kibibytes(func(p *driver.ProcessInfo) int64 { return p.RSS })},
		{"rsz", "RSZ", kibibytes(func(p *driver.ProcessInfo) int64 { return p.RSS })},
		{"tname", "TTY", terminal}, {"tty tt", "TT", terminal},
		{"stat", "STAT", func(p *driver.ProcessInfo, _ psMachine) string { return p.Stat }},
		{"s state", "S", func(p *driver.ProcessInfo, _ psMachine) string { return p.Stat[:min(1, len(p.Stat))] }},
		{"stime", "STIME", since("15:04")}, {"bsdstart start_time", "START", since("15:04")}, {"start", "STARTED", since("15:04:05")},
		{"lstart", "STARTED", func(p *driver.ProcessInfo, _ psMachine) string { return p.StartedAt.Local().Format(time.ANSIC) }},
		{"etime", "ELAPSED", func(p *driver.ProcessInfo, m psMachine) string { return elapsed(m.now.Sub(p.StartedAt), false) }},
		{"etimes", "ELAPSED", func(p *driver.ProcessInfo, m psMachine) string { return seconds(m.now.Sub(p.StartedAt)) }},
		{"time cputime", "TIME", func(p *driver.ProcessInfo, _ psMachine) string { return elapsed(p.CPU, true) }},
		{"bsdtime", "TIME", func(p *driver.ProcessInfo, _ psMachine) string {
			return fmt.Sprintf("%d:%02d", int(p.CPU.Minutes()), int(p.CPU.Seconds())%60)
		}},
		{"cputimes times", "TIME", func(p *driver.ProcessInfo, _ psMachine) string { return seconds(p.CPU) }},
		{"ni nice", "NI", whole(func(p *driver.ProcessInfo) int { return p.Nice })},
		{"pri", "PRI", whole(func(p *driver.ProcessInfo) int { return 39 - p.Priority })}, // upside down, as ps has it
		{"nlwp", "NLWP", whole(func(p *driver.ProcessInfo) int { return p.Threads })},
		{"thcount", "THCNT", whole(func(p *driver.ProcessInfo) int { return p.Threads })},
	}
}

func whole(of func(*driver.ProcessInfo) int) func(*driver.ProcessInfo, psMachine) string {
	return func(p *driver.ProcessInfo, _ psMachine) string { return strconv.Itoa(of(p)) }
}

func kibibytes(of func(*driver.ProcessInfo) int64) func(*driver.ProcessInfo, psMachine) string {
	return func(p *driver.ProcessInfo, _ psMachine) string { return strconv.FormatInt(of(p)>>10, 10) }
}

func userID(p *driver.ProcessInfo, _ psMachine) string { return strconv.FormatUint(uint64(p.UID), 10) }

// userName is cut as ps cuts it, to eight letters.
func userName(p *driver.ProcessInfo, m psMachine) string {
	const most = 8
	name := or(p.User, userID(p, m))
	if name == "0" {
		return "root" // whoever else has that name
	}
	if len(name) > most && p.User != "" {
		return name[:most-1] + "+"
	}
	return name
}

func command(p *driver.ProcessInfo, _ psMachine) string   { return p.Comm }
func arguments(p *driver.ProcessInfo, _ psMachine) string { return strings.Join(p.Argv, " ") }
func terminal(p *driver.ProcessInfo, _ psMachine) string  { return or(p.TTY, "?") }
func seconds(d time.Duration) string                      { return strconv.Itoa(int(d.Seconds())) }

// cpuShare is the part of its life that the process spent on CPUs, in percent.
func cpuShare(p *driver.ProcessInfo, m psMachine) float64 {
	life := m.now.Sub(p.StartedAt)
	if life <= 0 || p.StartedAt.IsZero() {
		return 0
	}
	return 100 * float64(p.CPU) / float64(life)
}

func cpuPercent(p *driver.ProcessInfo, m psMachine) string {
	return strconv.FormatFloat(cpuShare(p, m), 'f', 1, 64)
}

func cpuWhole(p *driver.ProcessInfo, m psMachine) string {
	return strconv.Itoa(int(math.Min(99, cpuShare(p, m))))
}

func memoryPercent(p *driver.ProcessInfo, m psMachine) string {
	if m.memory <= 0 {
		return "0.0"
	}
	return strconv.FormatFloat(100*float64(p.RSS)/float64(m.memory), 'f', 1, 64)
}

// since tells when it was started: the time within a day, the day within a year, and the year.
func since(clock string) func(*driver.ProcessInfo, psMachine) string {
	return func(p *driver.ProcessInfo, m psMachine) string {
		t := p.StartedAt.Local()
		switch {
		case t.IsZero():
			return "?"
		case m.now.Sub(t) < 24*time.Hour:
			return t.Format(clock)
		case t.Year() == m.now.Year():
			return t.Format("Jan02")
		}
		return t.Format("2006")
	}
}

// elapsed is [[DD-]HH:]MM:SS; whole keeps the hours.
func elapsed(d time.Duration, whole bool) string {
	s := max(0, int(d.Seconds()))
	text := fmt.Sprintf("%02d:%02d", s/60%60, s%60)
	hours, days := s/3600%24, s/86400
	if whole || hours > 0 || days > 0 {
		text = fmt.Sprintf("%02d:%s", hours, text)
	}
	if days > 0 {
		text = fmt.Sprintf("%d-%s", days, text)
	}
	return text
}
