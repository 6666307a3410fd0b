package container

import (
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

func TestPsColumns(t *testing.T) {
	for options, want := range map[string]string{
		"":                            "UID PID PPID C STIME TTY TIME CMD",
		"-ef":                         "UID PID PPID C STIME TTY TIME CMD",
		"-e -f":                       "UID PID PPID C STIME TTY TIME CMD",
		"-efww":                       "UID PID PPID C STIME TTY TIME CMD",
		"aux":                         "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND",
		"-aux":                        "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND",
		"ax":                          "PID TTY STAT TIME COMMAND",
		"-x":                          "PID TTY STAT TIME COMMAND",
		"-e":                          "PID TTY TIME CMD",
		"-ej":                         "PID PGID SID TTY TIME CMD",
		"-o pid,comm":                 "PID COMMAND",
		"-opid,comm":                  "PID COMMAND",
		"-eo pid,cmd=WHAT":            "PID WHAT",
		"axo pid,user":                "PID USER",
		"o pid,s":                     "PID S",
		"-o pid -o ppid":              "PID PPID",
		"--format pid,etime":          "PID ELAPSED",
		"--format=pid,lstart,nlwp,ni": "PID STARTED NLWP NI",
		"-o tgid,vsz,rss,pmem,pcpu":   "PID VSZ RSS %MEM %CPU",
	} {
		columns, err := psColumns(strings.Fields(options))
		var titles []string
		for _, c := range columns {
			titles = append(titles, c.title)
		}
		if got := strings.Join(titles, " "); err != nil || got != want {
			t.Errorf("ps %s: %q, %v, want %q", options, got, err, want)
		}
	}
	for options, want := range map[string]string{
		"-o comm":       "Couldn't find PID field in ps output",
		"-o pid=ID":     `specifying "pid=ID" is not allowed`,
		"-o pid,,comm":  `unknown user-defined format specifier ""`,
		"-o":            "list of columns must follow -o",
		"-o pid,colour": `unknown user-defined format specifier "colour"`,
		"-L":            `ps option "-L" is not known here`,
		"--forest":      `ps option "--forest" is not known here`,
		"rubbish":       `ps option "rubbish" is not known here`,
		"-":             `Couldn't find`,
	} {
		if _, err := psColumns(strings.Fields(options)); options != "-" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("ps %s: %v, want %q", options, err, want)
		}
	}
}

func TestPsRow(t *testing.T) {
	now := time.Date(2026, 3, 4, 15, 6, 7, 0, time.Local)
	p := driver.ProcessInfo{Pid: 12, PPid: 3, UID: 7, CPU: 90 * time.Second, StartedAt: now.Add(-30 * time.Minute), TTY: "pts/1", Argv: []string{"a", "b c"},
		User: "longusername", Comm: "a", Stat: "Ssl+", PGID: 12, SID: 11, Threads: 4, Nice: -5, Priority: 15, VSZ: 8 << 20, RSS: 2 << 20}
	list := "pid,ppid,user,uid,pcpu,c,pmem,vsz,rss,tty,stat,s,stime,start,etime,etimes,time,bsdtime,ni,pri,nlwp,pgid,sess,comm,args"
	columns, err := parseColumns(list)
	if err != nil {
		t.Fatal(err)
	}
	var row []string
	for _, c := range columns {
		row = append(row, c.text(&p, psMachine{now: now, memory: 100 << 20}))
	}
	want := "12|3|longuse+|7|5.0|5|2.0|8192|2048|pts/1|Ssl+|S|14:36|14:36:07|30:00|1800|00:01:30|1:30|-5|24|4|12|11|a|a b c"
	if got := strings.Join(row, "|"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	p.StartedAt, p.CPU = now.Add(-50*time.Hour), 26*time.Hour
	for name, want := range map[string]string{"stime": "Mar02", "etime": "2-02:00:00", "time": "1-02:00:00"} {
		if c, _ := findColumn(name); c.text(&p, psMachine{now: now}) != want {
			t.Errorf("%s: %s, want %s", name, c.text(&p, psMachine{now: now}), want)
		}
	}
	var none driver.ProcessInfo // a driver that knows little
	for _, c := range psTable() {
		_ = c.text(&none, psMachine{})
	}
}

func FuzzPsColumns(f *testing.F) {
	for _, s := range []string{"-ef", "aux", "-o pid,comm=X", "-eo", "--format=pid"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, options string) {
		columns, err := psColumns(strings.Fields(options))
		if err == nil && len(columns) == 0 {
			t.Errorf("ps %q: no columns", options)
		}
	})
}
