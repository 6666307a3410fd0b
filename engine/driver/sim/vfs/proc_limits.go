package vfs

import (
	"fmt"
	"strconv"
	"strings"
)

// limitRows are the rows of /proc/PID/limits, in the kernel's order.
var limitRows = []struct{ name, title, unit string }{
	{"cpu", "Max cpu time", "seconds"}, {"fsize", "Max file size", "bytes"}, {"data", "Max data size", "bytes"}, {"stack", "Max stack size", "bytes"},
	{"core", "Max core file size", "bytes"}, {"rss", "Max resident set", "bytes"}, {"nproc", "Max processes", "processes"},
	{"nofile", "Max open files", "files"}, {"memlock", "Max locked memory", "bytes"}, {"as", "Max address space", "bytes"},
	{"locks", "Max file locks", "locks"}, {"sigpending", "Max pending signals", "signals"}, {"msgqueue", "Max msgqueue size", "bytes"},
	{"nice", "Max nice priority", ""}, {"rtprio", "Max realtime priority", ""}, {"rttime", "Max realtime timeout", "us"},
}

func procLimits(s *scene) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
	for _, r := range limitRows {
		l := s.proc.Rlimits[r.name]
		fmt.Fprintf(&b, "%-25s %-20s %-20s %-10s\n", r.title, limitText(l.Soft), limitText(l.Hard), r.unit)
	}
	return b.String()
}

func limitText(n int64) string {
	if n < 0 {
		return "unlimited"
	}
	return strconv.FormatInt(n, 10)
}
