package drivertest

import (
	"errors"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// Numbers of signals on Linux.
const (
	sigHup  driver.Signal = 1
	sigInt  driver.Signal = 2
	sigQuit driver.Signal = 3
	sigKill driver.Signal = 9
	sigUsr1 driver.Signal = 10
	sigTerm driver.Signal = 15
	sigCont driver.Signal = 18
	sigStop driver.Signal = 19
)

// idle makes a pipe that nobody ever writes to: "cat /tmp/idle" waits without end, and without a clock.
const idle = "mkfifo /tmp/idle; "

func isNotRunning(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, driver.ErrNotRunning) {
		t.Errorf("error %v, want ErrNotRunning", err)
	}
}

// signalCase is a container that says "up", gets signals, and ends.
type signalCase struct {
	rule    string
	script  string
	signals []driver.Signal
	code    int
	signal  driver.Signal // what ended it
	out     string        // after "up\n"
}

func testSignals(t *testing.T, l *lab) {
	each(t, signalCases(), func(c signalCase) string { return c.rule }, func(t *testing.T, c signalCase) {
		b := l.started(t, c.script)
		b.says("up\n")
		for _, s := range c.signals {
			must(t, b.Signal(t.Context(), s))
		}
		if r := b.wait(); r.Code != c.code || r.Signal != c.signal || r.out != "up\n"+c.out || r.OOMKilled {
			t.Errorf("%+v, want code %d, signal %d, output %q", r, c.code, c.signal, c.out)
		}
	})
	each(t, jobCases(), func(c programCase) string { return c.rule }, func(t *testing.T, c programCase) {
		if r := l.sh(t, c.script); r.Code != c.code || r.out != c.out || !complaints(r.errs, c.errs) {
			t.Errorf("%+v, want code %d, output %q, errors %q", r, c.code, c.out, c.errs)
		}
	})
	l.tests(t, signalTests())
}

func signalCases() []signalCase {
	return []signalCase{
		{"KILL ends anything: 137", "echo up; read x", []driver.Signal{sigKill}, 137, sigKill, ""},
		{"the first process ignores TERM without a handler", "echo up; read x", []driver.Signal{sigTerm, sigKill}, 137, sigKill, ""},
		{"the first process ignores INT, HUP, QUIT and USR1 without a handler", "echo up; read x", []driver.Signal{sigInt, sigHup, sigQuit, sigUsr1, sigKill}, 137, sigKill, ""},
		{"a trap runs", idle + "trap 'echo trapped; exit 5' TERM; echo up; cat /tmp/idle & wait", []driver.Signal{sigTerm}, 5, 0, "trapped\n"},
		{"a trap on INT", idle + "trap 'echo int; exit 6' INT; echo up; cat /tmp/idle & wait", []driver.Signal{sigInt}, 6, 0, "int\n"},
		{"a trap that does not exit lets the script go on", idle + "trap 'echo usr; kill $!' USR1; cat /tmp/idle & echo up; wait; echo on", []driver.Signal{sigUsr1}, 0, 0, "usr\non\n"},
		{"an ignored signal stays without effect", "trap '' TERM; echo up; read x; echo never", []driver.Signal{sigTerm, sigTerm, sigKill}, 137, sigKill, ""},
		{"a stopped first process is continued or killed", "echo up; read x", []driver.Signal{sigStop, sigCont, sigKill}, 137, sigKill, ""},
		{"a trap on EXIT runs at the end", idle + "trap 'echo bye' EXIT; trap 'exit 3' TERM; echo up; cat /tmp/idle & wait", []driver.Signal{sigTerm}, 3, 0, "bye\n"},
	}
}

func jobCases() []programCase {
	return []programCase{
		{rule: "a child that TERM ends: 143", script: "sleep 1000 & kill $!; wait $!; echo $?", out: "143\n"},
		{rule: "a child that KILL ends: 137", script: "sleep 1000 & kill -9 $!; wait $!; echo $?", out: "137\n"},
		{rule: "a child that INT ends: 130", script: "sh -c 'kill -INT $$; sleep 1000'; echo $?", out: "130\n"},
		{rule: "a child's trap runs", script: "sh -c 'trap \"echo caught; exit 4\" TERM; sleep 1000 & kill $$; wait; wait'; echo $?", out: "caught\n4\n"},
		{rule: "signal 0 asks whether a process is there", script: "sleep 1000 & kill -0 $! && echo there; kill $!; wait $!; kill -0 $!; echo $?", out: "there\n1\n", errs: noProcess},
		{rule: "the code of a background job", script: "(exit 7) & wait $!; echo $?; sh -c 'exit 8' & wait $!; echo $?", out: "7\n8\n"},
		{rule: "wait waits for all", script: "(sleep 0.05; touch /tmp/a) & (sleep 0.1; touch /tmp/b) & wait; ls /tmp/a /tmp/b; echo c", out: "/tmp/a\n/tmp/b\nc\n"},
		{rule: "a stopped child does nothing until it is continued", script: "(while :; do echo x; sleep 0.01; done > /tmp/n) & until [ -s /tmp/n ]; do sleep 0.01; done; kill -STOP $!; sleep 0.05; a=$(wc -l < /tmp/n); sleep 0.1; b=$(wc -l < /tmp/n); [ $a = $b ] && echo stopped; kill -CONT $!; until [ $(wc -l < /tmp/n) -gt $b ]; do sleep 0.01; done; echo on; kill -9 $!",
			out: "stopped\non\n"},
		{rule: "a signal to all spares the sender and the first process", script: "sleep 1000 & sleep 1000 & sh -c 'sh -c \"kill -TERM -1\"; echo $?'; wait; pgrep -x sleep | wc -l", out: "0\n"},
		{rule: "orphans belong to the first process", script: "sh -c 'sleep 1000 & echo $! > /tmp/p'; grep PPid /proc/$(cat /tmp/p)/status", out: "PPid:\t1\n"},
		{rule: "a writer whose reader is gone ends by PIPE", script: "yes | true; (yes; echo $? >&2) | head -n 1", out: "y\n", errs: "141\n"},
		{rule: "a time limit ends a program: 124", script: "timeout 0.05 sleep 1000; echo $?", out: "124\n"},
		{rule: "children have numbers of their own", script: "sh -c 'echo $PPID'; sh -c '[ $$ -gt 1 ] && echo more'", out: "1\nmore\n"},
	}
}

func signalTests() []test {
	return []test{
		{"a signal to what has ended is ErrNotRunning", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			isNotRunning(t, b.Signal(t.Context(), sigTerm))
		}},
		{"a signal to what never started is ErrNotRunning", func(t *testing.T, l *lab) {
			isNotRunning(t, l.create(t, l.spec(t, "true")).Signal(t.Context(), sigKill))
		}},
		{"a number that is no signal is refused", func(t *testing.T, l *lab) {
			b := l.up(t)
			for _, s := range []driver.Signal{-1, 65, 1000} {
				if err := b.Signal(t.Context(), s); err == nil {
					t.Errorf("%d: no error", s)
				}
			}
			if state := b.state(); state != driver.Running {
				t.Errorf("state %s", state)
			}
		}},
		{"children die with the first process", func(t *testing.T, l *lab) {
			b := l.started(t, "(trap '' TERM HUP INT; echo up; while :; do echo x >> /tmp/ticks; sleep 0.01; done) & cat")
			b.says("up\n")
			must(t, b.Signal(t.Context(), sigKill))
			b.wait()
			if list, err := b.Task.(driver.Lister).Processes(t.Context()); err == nil && len(list) > 0 {
				t.Errorf("still there: %v", list)
			}
			size := func() int { data, _ := l.archiveOf(t, b.spec.Key); return len(data) }
			before := size()
			l.sleep(t, 50*time.Millisecond)
			if size() != before {
				t.Error("a child goes on")
			}
		}},
	}
}
