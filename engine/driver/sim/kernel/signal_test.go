package kernel

import (
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

// What a signal does to init depends on where it comes from and on whether init handles it.
func TestSignalsToInit(t *testing.T) {
	for _, tc := range []struct {
		name, trap string
		signal     int
		outside    bool
		want       driver.Exit
	}{
		{"TERM inside", "", 15, false, driver.Exit{}},
		{"KILL inside", "", sigKILL, false, driver.Exit{}},
		{"STOP inside", "", sigSTOP, false, driver.Exit{}},
		{"TERM outside", "", 15, true, driver.Exit{}},
		{"INT outside", "", sigINT, true, driver.Exit{}},
		{"KILL outside", "", sigKILL, true, driver.Exit{Code: 137, Signal: sigKILL}},
		{"trapped inside", "trap 'exit 5' TERM; ", 15, false, driver.Exit{Code: 5}},
		{"trapped outside", "trap 'exit 6' TERM; ", 15, true, driver.Exit{Code: 6}},
		{"ignored outside", "trap '' TERM; ", 15, true, driver.Exit{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t, true, driver.Limits{})
			defer l.clock.Hurry()()
			r := l.start("sh", "-c", tc.trap+"echo up; read x; sleep 1; echo on; exit 0")
			r.until("up")
			if tc.outside {
				l.must(r.Signal(driver.Signal(tc.signal)))
			} else {
				l.start("kill", "-"+strconv.Itoa(tc.signal), "1").wait()
			}
			io.WriteString(r.stdin, "go\n")
			exit := r.wait()
			if exit.Code != tc.want.Code || exit.Signal != tc.want.Signal {
				t.Errorf("%+v, want %+v; output %q", exit, tc.want, r.output)
			}
		})
	}
}

func TestNoSignal(t *testing.T) {
	r := newLab(t, true, driver.Limits{}).start("sleep", "1000")
	for _, n := range []driver.Signal{-1, 65, 1000} {
		if err := r.Signal(n); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("signal %d: %v", n, err)
		}
	}
	if err := r.Signal(0); err != nil {
		t.Error(err)
	}
}

func TestGroupsAndFamilies(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"negative number is a group", `setsid sh -c 'sleep 100 & sleep 100 & wait' & sleep 1; kill -TERM -$!; wait $!; echo $?; ps -o stat > /tmp/o; grep -c Z /tmp/o`, "143\n2\n"},
		{"no such group", `kill -TERM -99; echo $?`, "sh: kill: can't kill pid -99: No such process\n1\n"},
		{"everybody but init and itself", `sleep 100 & sleep 100 & sleep 1; sh -c 'kill -TERM -1; echo sent'; wait; ps -o comm > /tmp/o; sort /tmp/o`, "sent\nCOMMAND\nps\nsh\n"},
		{"a session of its own", `setsid sh -c 'ps -o pid,pgid,sid,comm' | grep ps | tr -s ' ' | sed 's/^ //' > /tmp/o; read a b c d < /tmp/o; [ $a = $b ] && [ $b = $c ] && echo leader`, "leader\n"},
		{"a leader needs a child for that", `setsid setsid -w sh -c 'exit 4'; echo $?`, "4\n"},
		{"SIGPIPE", `set -o pipefail; yes | head -n 1; echo $?; while :; do echo z; done | head -n 1; echo $?`, "y\n141\nz\n141\n"},
		{"SIGPIPE ignored", `trap '' PIPE; set -o pipefail; (while echo y 2>/dev/null; do :; done; exit 3) | head -n 1; echo $?`, "y\n3\n"},
		{"init adopts orphans", `sh -c 'sleep 3 & echo $! > /tmp/p'; read p < /tmp/p; ps -o pid,ppid | tr -s ' ' | grep "^ *$p 1$" > /dev/null && echo adopted`, "adopted\n"},
		{"a zombie stays until it is waited for", `sh -c 'sleep 1 & exec sleep 3' & sleep 2; ps -o stat,comm | grep -c '^Z'; wait`, "1\n"},
		{"stop and continue", `sleep 2 & kill -STOP $!; sleep 1; ps -o stat,comm | grep sleep | cut -c1; kill -CONT $!; wait $!; echo $?`, "T\n0\n"},
		{"limits are handed on", `ulimit -n 50; sh -c 'ulimit -n'; ulimit -n 60 2>/dev/null; echo $?; ulimit -c`, "50\n1\n0\n"},
		{"descriptors are handed on", `echo text > /tmp/f; exec 5</tmp/f; sh -c 'cat <&5'; exec 5<&-; echo dev | cat /proc/self/fd/0`, "text\ndev\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, _ := newLab(t, true, driver.Limits{}).script(tc.script)
			if diff := cmp.Diff(tc.want, out); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSignalsByUser(t *testing.T) {
	l := newLab(t, true, driver.Limits{})
	defer l.clock.Hurry()()
	start := func(uid uint32, args ...string) *running {
		return l.startAs(driver.Process{Args: args, UID: uid, GID: uid, Env: []string{"PATH=/bin"}, Cwd: "/"})
	}
	start(0, "sh", "-c", "read x")
	other, own := start(7, "sh", "-c", "read x"), start(8, "sh", "-c", "read x")
	kill := start(8, "sh", "-c", "kill "+strconv.Itoa(other.PID())+"; kill "+strconv.Itoa(own.PID())+" && echo sent; kill 1")
	kill.wait()
	want := "sh: kill: can't kill pid 2: Operation not permitted\nsent\nsh: kill: can't kill pid 1: Operation not permitted\n"
	if diff := cmp.Diff(want, kill.all()); diff != "" {
		t.Error(diff)
	}
	if e := own.wait(); e.Signal != 15 {
		t.Errorf("%+v", e)
	}
}

func TestSetIDPrograms(t *testing.T) {
	for _, tc := range []struct {
		noNew bool
		want  string
	}{{false, "0\n"}, {true, "9\n"}} {
		l := newLab(t, true, driver.Limits{})
		view := l.ns.View(vfs.Cred{Privileged: true}, nil)
		l.file(view, "/tmp/id", "#!learn\n", 0o755)
		l.must(view.Chmod("/tmp/id", 0o755|fs.ModeSetuid))
		r := l.startAs(driver.Process{Args: []string{"sh", "-c", "/tmp/id -u"}, UID: 9, GID: 9, NoNewPrivs: tc.noNew, Env: []string{"PATH=/bin"}, Cwd: "/"})
		if r.wait(); r.all() != tc.want {
			t.Errorf("no new rights %v: %q", tc.noNew, r.all())
		}
	}
}

func TestSubstitutionOverMemory(t *testing.T) {
	l := newLab(t, true, driver.Limits{MemoryBytes: 32 << 20})
	if _, exit := l.script("x=$(cat /dev/zero); echo no"); exit.Code != 137 || !exit.OOMKilled {
		t.Errorf("%+v", exit)
	}
	select {
	case <-l.box.Done():
	case <-time.After(5 * time.Second):
		t.Error("a program goes on")
	}
	l.clock.lock()
	defer l.clock.unlock()
	if l.box.goroutines != 0 {
		t.Errorf("%d goroutines are left", l.box.goroutines)
	}
}

// What goes into a pipe comes out of it, whole and in order, however it is cut.
func TestPipeKeepsOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := New(Options{Clock: NewClock(time.Now, false, nil), NextPID: func() int { return 1 }})
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 9000), 0, 20).Draw(rt, "parts")
		size := rapid.IntRange(1, 9000).Draw(rt, "size")
		r, w := m.Pipe()
		var want strings.Builder
		for _, p := range parts {
			want.Write(p)
		}
		go func() {
			defer w.Close()
			for _, p := range parts {
				if n, err := w.Write(p); n != len(p) || err != nil {
					return // the reader misses it
				}
			}
		}()
		var got strings.Builder
		for b := make([]byte, size); ; {
			n, err := r.Read(b)
			got.Write(b[:n])
			if err == io.EOF {
				break
			}
			if err != nil || n == 0 {
				rt.Fatalf("%d bytes and %v", n, err)
			}
		}
		if got.String() != want.String() {
			rt.Errorf("%d bytes came of %d", got.Len(), want.Len())
		}
		r.Close()
		if r, w := m.Pipe(); r.Close() == nil {
			if _, err := w.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
				rt.Errorf("writing to nobody: %v", err)
			}
		}
	})
}

func FuzzInterpreterLine(f *testing.F) {
	for _, line := range []string{"#!/bin/sh", "#! /bin/sh -e  x ", "#!", "#!\t", "#!/bin/sh\x00y", "#!" + strings.Repeat("a", headSize)} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) < 2 {
			return
		}
		words, err := interpreterOf(line[:min(len(line), headSize)], len(line) >= headSize)
		switch {
		case err != nil && words != nil, err == nil && (len(words) == 0 || len(words) > 2):
			t.Fatalf("%q: %q, %v", line, words, err)
		case err == nil && (words[0] == "" || strings.ContainsAny(words[0], " \t\x00")):
			t.Fatalf("%q: program %q", line, words[0])
		}
	})
}
