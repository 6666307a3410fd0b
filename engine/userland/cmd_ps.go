package userland

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// psView is what one ps shows.
type psView struct {
	t      *task
	names  directory
	up     time.Duration
	memory int64
}

func runPs(t *task, args []string) int {
	if t.Procs == nil {
		return t.unable("process table")
	}
	columns, everyone, pids, ok := psArgs(t, args)
	if !ok {
		return 1
	}
	all, err := t.Procs.List()
	if err != nil {
		return t.errorf("%s", reason(err))
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	v := &psView{t: t, names: directory{t: t}}
	if t.Host != nil {
		if u, up, err := t.Host.Memory(); err == nil {
			v.memory, v.up = u.Total, up
		}
	}
	self, _ := t.Procs.Self()
	tty := ""
	for _, p := range all {
		if p.PID == self {
			tty = p.TTY
		}
	}
	rows := [][]string{psHead(columns)}
	for _, p := range all {
		if len(pids) > 0 && !slices.Contains(pids, p.PID) || len(pids) == 0 && !everyone && (p.TTY != tty || p.UID != t.User.UID) {
			continue
		}
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = v.cell(columnName(c), p)
		}
		rows = append(rows, row)
	}
	t.psPrint(columns, rows)
	if len(rows) == 1 && len(pids) > 0 {
		return 1
	}
	return 0
}

// psArgs understands ps, ps aux, ps -ef, ps -e -o columns, ps -p pids.
func psArgs(t *task, args []string) (columns []string, everyone bool, pids []int, ok bool) {
	columns = []string{"pid", "tty", "time", "comm=CMD"}
	user, full, custom := false, false, []string(nil)
	for i := 0; i < len(args); i++ {
		letters := strings.TrimPrefix(args[i], "-")
		dash := letters != args[i]
		if _, err := strconv.Atoi(letters); err == nil {
			pids = append(pids, int(number(letters)))
			continue
		}
		for n, c := range letters {
			value := letters[n+1:]
			if strings.ContainsRune("opq", c) && value == "" && i+1 < len(args) {
				i++
				value = args[i]
			}
			switch c {
			case 'a', 'x', 'e', 'A':
				everyone = true
			case 'u':
				user = !dash || user
			case 'f':
				full = true
			case 'o':
				custom = append(custom, strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })...)
			case 'p', 'q':
				for _, s := range strings.Split(value, ",") {
					pids = append(pids, int(number(s)))
				}
			case 'l', 'w', 'h', 'T', 'L', 'H', 'j':
			default:
				t.errorf("unsupported option '%c'", c)
				return nil, false, nil, false
			}
			if strings.ContainsRune("opq", c) {
				break
			}
		}
	}
	switch {
	case custom != nil:
		columns = custom
	case user:
		columns = []string{"user", "pid", "pcpu", "pmem", "vsz", "rss", "tty", "stat", "start", "time", "args"}
	case full:
		columns = []string{"user=UID", "pid", "ppid", "c", "stime", "tty", "time", "args=CMD"}
	case everyone:
		columns = []string{"pid", "tty", "time", "comm=CMD"}
		if slices.Contains(args, "ax") {
			columns = []string{"pid", "tty", "stat", "time", "args"}
		}
	}
	return columns, everyone, pids, true
}

func columnName(c string) string {
	name, _, _ := strings.Cut(c, "=")
	switch name {
	case "cmd", "command":
		return "args"
	case "ucmd":
		return "comm"
	case "%cpu":
		return "pcpu"
	case "%mem":
		return "pmem"
	case "tt", "tname":
		return "tty"
	case "s", "state":
		return "state"
	case "euser", "uname", "ruser":
		return "user"
	}
	return name
}

func psHead(columns []string) []string {
	head := make([]string, len(columns))
	for i, c := range columns {
		name, title, given := strings.Cut(c, "=")
		if !given {
			title = map[string]string{"args": "COMMAND", "comm": "COMMAND", "pcpu": "%CPU", "pmem": "%MEM", "tty": "TTY", "cmd": "CMD", "state": "S", "s": "S", "etime": "ELAPSED", "ni": "NI"}[name]
			if title == "" {
				title = strings.ToUpper(name)
			}
		}
		head[i] = title
	}
	return head
}

func (t *task) psPrint(columns []string, rows [][]string) {
	if strings.Join(rows[0], "") == "" {
		rows = rows[1:]
	}
	widths := make([]int, len(columns))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], len(c))
		}
	}
	for _, r := range rows {
		line := ""
		for i, c := range r {
			switch {
			case i == len(r)-1 && !psRight(columns[i]):
				line += c
			case psRight(columns[i]):
				line += fmt.Sprintf("%*s ", max(widths[i], psWidth(columns[i])), c)
			default:
				line += fmt.Sprintf("%-*s ", max(widths[i], psWidth(columns[i])), c)
			}
		}
		t.print(strings.TrimRight(line, " ") + "\n")
	}
}

func psRight(c string) bool {
	switch columnName(c) {
	case "pid", "ppid", "pgid", "sid", "pcpu", "pmem", "vsz", "rss", "time", "etime", "uid", "c":
		return true
	}
	return false
}

func psWidth(c string) int {
	switch columnName(c) {
	case "pid", "ppid", "pgid", "sid":
		return 5
	case "tty", "user":
		return 8
	case "time":
		return 8
	}
	return 0
}

func (v *psView) cell(column string, p Process) string {
	switch column {
	case "pid":
		return strconv.Itoa(p.PID)
	case "ppid":
		return strconv.Itoa(p.PPID)
	case "pgid":
		return strconv.Itoa(p.PGID)
	case "sid", "sess":
		return strconv.Itoa(p.SID)
	case "uid":
		return strconv.Itoa(p.UID)
	case "user":
		return v.names.user(p.UID)
	case "tty":
		return p.TTY
	case "comm":
		return processName(p)
	case "args":
		return commandLine(p)
	case "stat", "state":
		if column == "stat" && p.PID == p.SID {
			return string(p.State) + "s"
		}
		return string(p.State)
	case "vsz":
		return strconv.FormatInt(p.VSZ>>10, 10)
	case "rss":
		return strconv.FormatInt(p.RSS>>10, 10)
	}
	return v.times(column, p)
}

func (v *psView) times(column string, p Process) string {
	age := max(v.up-p.Start, 0)
	switch column {
	case "time":
		s := int(p.CPU.Seconds())
		return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
	case "etime":
		s := int(age.Seconds())
		if s >= 3600 {
			return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
		}
		return fmt.Sprintf("%02d:%02d", s/60, s%60)
	case "start", "stime":
		began := v.t.now().Add(-age)
		if age > 24*time.Hour {
			return began.Format("Jan02")
		}
		return began.Format("15:04")
	case "pcpu", "c":
		share := 0.0
		if age > 0 {
			share = p.CPU.Seconds() / age.Seconds() * 100
		}
		if column == "c" {
			return strconv.Itoa(int(share))
		}
		return strconv.FormatFloat(share, 'f', 1, 64)
	case "pmem":
		if v.memory == 0 {
			return "0.0"
		}
		return strconv.FormatFloat(float64(p.RSS)/float64(v.memory)*100, 'f', 1, 64)
	case "ni":
		return "0"
	}
	return "-"
}

// commandLine is a process's arguments; a kernel thread or zombie has its name in brackets.
func commandLine(p Process) string {
	if len(p.Args) == 0 {
		return "[" + p.Name + "]"
	}
	return strings.Join(p.Args, " ")
}
