package kernel

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

func TestScripts(t *testing.T) {
	for _, tc := range []struct {
		name, script, want string
		code               int
	}{
		{"echo", `echo hi`, "hi\n", 0},
		{"exit code", `exit 7`, "", 7},
		{"child's code", `sh -c 'exit 9'; echo $?`, "9\n", 0},
		{"not found", `nosuch; echo $?`, "sh: nosuch: not found\n127\n", 0},
		{"pipeline", `seq 1 5 | tail -n 2`, "4\n5\n", 0},
		{"endless writer", `yes | head -n 1`, "y\n", 0},
		{"long pipeline", `yes | head -n 20000 | cat | cat | wc -l`, "20000\n", 0},
		{"file", `echo a > /tmp/f; echo b >> /tmp/f; cat < /tmp/f`, "a\nb\n", 0},
		{"file outlives its shell", `sh -c 'sleep 1 && echo late > /tmp/x &' ; sleep 2; cat /tmp/x`, "late\n", 0},
		{"substitution", `echo $(echo a; sh -c 'echo b'); true`, "a b\n", 0},
		{"signal", `sleep 100 & kill -TERM $!; wait $!; echo $?`, "143\n", 0},
		{"kill", `sleep 100 & kill -KILL $!; wait $!; echo $?`, "137\n", 0},
		{"nobody there", `kill -KILL 999; echo $?`, "sh: kill: can't kill pid 999: No such process\n1\n", 0},
		{"init is spared", `kill -TERM $$; kill -KILL $$; echo alive`, "alive\n", 0},
		{"trap", `trap 'echo got' TERM; kill -TERM $$; echo after`, "got\nafter\n", 0},
		{"stop and continue", `sleep 5 & kill -STOP $!; kill -CONT $!; wait $!; echo $?`, "0\n", 0},
		{"exec", `exec echo replaced`, "replaced\n", 0},
		{"exec keeps the pid", `sh -c 'echo $$; exec sh -c "echo \$\$"' | uniq | wc -l`, "1\n", 0},
		{"fifo", `mkfifo /tmp/p; sh -c 'echo through > /tmp/p' & cat /tmp/p`, "through\n", 0},
		{"null", `echo lost > /dev/null; cat /dev/null; echo $?`, "0\n", 0},
		{"timeout", `timeout 5 sleep 100; echo $?`, "124\n", 0},
		{"interpreter line", `printf '#!/bin/sh -e\necho $0 $@\n' > /tmp/z; chmod +x /tmp/z; /tmp/z a b`, "/tmp/z a b\n", 0},
		{"no interpreter line", `echo 'echo plain' > /tmp/s; chmod +x /tmp/s; /tmp/s`, "plain\n", 0},
		{"interpreter missing", `echo '#!/nosuch' > /tmp/y; chmod +x /tmp/y; /tmp/y; echo $?`, "sh: /tmp/y: No such file or directory\n127\n", 0},
		{"interpreter loop", `echo '#!/tmp/l' > /tmp/l; chmod +x /tmp/l; /tmp/l; echo $?`, "sh: /tmp/l: Too many levels of symbolic links\n126\n", 0},
		{"host", `hostname; uname -sr`, "box\nLinux 6.12.0-learn\n", 0},
		{"own number", `echo $$; sh -c 'echo $PPID'`, "1\n1\n", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, exit := newLab(t, true, driver.Limits{}).script(tc.script)
			if diff := cmp.Diff(tc.want, out); diff != "" {
				t.Error(diff)
			}
			if exit.Code != tc.code {
				t.Errorf("exit code %d, want %d", exit.Code, tc.code)
			}
		})
	}
}

func TestCannotStart(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	view := l.ns.View(vfs.Cred{Privileged: true}, nil)
	elf := "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x01\x00\x00\x00" + strings.Repeat("\x00", 28) + "\x40\x00\x38\x00\x00\x00\x40\x00\x00\x00\x00\x00"
	for name, text := range map[string]string{"/text": "echo hi\n", "/empty": "", "/broken": "\x7fELFxxxx", "/lost": "#!/nosuch\n", "/python3": elf, "/mac": "\xcf\xfa\xed\xfe", "/win": "MZ"} {
		l.file(view, name, text, 0o755)
	}
	l.file(view, "/plain", "", 0o644)
	l.must(view.Mkdir("/sub", 0o700))
	l.file(view, "/sub/no", "", 0o644)
	for _, tc := range []struct {
		program string
		uid     uint32
		code    int
		want    string
	}{
		{"", 0, 127, `exec: "": executable file not found in $PATH`},
		{"nosuch", 0, 127, `exec: "nosuch": executable file not found in $PATH`},
		{"no", 0, 126, `exec: "no": permission denied`},
		{"/nosuch", 0, 127, `exec: "/nosuch": stat /nosuch: no such file or directory`},
		{"/tmp", 0, 126, `exec: "/tmp": is a directory`},
		{"/plain", 0, 126, `exec: "/plain": permission denied`},
		{"/sub/no", 5, 126, `exec: "/sub/no": permission denied`},
		{"/text", 0, 126, "exec /text: exec format error"},
		{"/empty", 0, 126, "exec /empty: exec format error"},
		{"/broken", 0, 126, "exec /broken: exec format error"},
		{"/lost", 0, 127, "exec /lost: no such file or directory"},
		{"/python3", 0, 126, "exec /python3: it is a Linux program, and the sim driver runs only learn's own; run it with --driver linux on a Linux machine"},
		{"/mac", 0, 126, "exec /mac: it is a macOS program, and the sim driver runs only learn's own"},
		{"/win", 0, 126, "exec /win: it is a Windows program, and the sim driver runs only learn's own"},
	} {
		_, err := l.box.Start(ProcessConfig{Process: driver.Process{Args: []string{tc.program}, UID: tc.uid, Env: []string{"PATH=/sub:/bin"}}})
		var cmd *driver.CommandError
		if !errors.As(err, &cmd) || cmd.Code != tc.code || cmd.Msg != tc.want {
			t.Errorf("%q: %v, want %d %s", tc.program, err, tc.code, tc.want)
		}
	}
}

func TestWorkingFolder(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	first := l.startAs(driver.Process{Args: []string{"sh", "-c", "pwd; sleep 1000"}, Env: []string{"PATH=/bin"}, Cwd: "/new/dir"})
	first.until("/new/dir\n")
	_, err := l.box.Start(ProcessConfig{Process: driver.Process{Args: []string{"pwd"}, Cwd: "/other"}})
	if err == nil || !strings.HasPrefix(err.Error(), "set working folder /other: ") {
		t.Errorf("a later process's folder was made: %v", err)
	}
}

func TestExecIsNoChild(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	first := l.start("sh", "-c", "trap 'echo bye; exit 3' TERM; while :; do sleep 1000; done")
	defer l.box.Hurry()()
	second := l.start("sh", "-c", "echo $PPID")
	second.wait()
	if got := second.all(); got != "0\n" {
		t.Errorf("parent %q", got)
	}
	if second.PID() != 2 || first.HostPID() == 0 {
		t.Errorf("numbers %d %d", second.PID(), first.HostPID())
	}
	third := l.start("sleep", "100000")
	l.box.Kill()
	if e := third.wait(); e.Code != 137 || e.Signal != 9 {
		t.Errorf("others end by SIGKILL, not %+v", e)
	}
	<-l.box.Done()
	if _, err := l.box.Start(ProcessConfig{}); !errors.Is(err, driver.ErrNotRunning) {
		t.Errorf("start after the end: %v", err)
	}
}

func TestBusyProgramIsKilled(t *testing.T) {
	l := newLab(t, false, driver.Limits{})
	r := l.start("cat", "/dev/zero")
	time.Sleep(5 * time.Millisecond)
	if err := r.Signal(9); err != nil {
		t.Fatal(err)
	}
	if e := r.wait(); e.Code != 137 {
		t.Errorf("%+v", e)
	}
	select {
	case <-l.box.Done():
	case <-time.After(2 * time.Second):
		t.Error("the program goes on")
	}
	if !errors.Is(r.Signal(15), driver.ErrNotRunning) {
		t.Error("an ended process takes signals")
	}
}
