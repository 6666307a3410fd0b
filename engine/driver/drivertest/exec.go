package drivertest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// execCase is a further process in a container whose first process stays.
type execCase struct {
	rule      string
	script    string
	change    func(*driver.Process)
	stdin     string
	code      int
	out, errs string
}

func testExec(t *testing.T, l *lab) {
	b := l.started(t, "touch /tmp/roots; mkdir /own; touch /own/roots; chown 5 /own; mkdir /data; echo first > /data/f; chown 0:77 /data/f; chmod 640 /data/f; cd /data; A=1; export A; echo up; read x")
	b.says("up\n")
	t.Run("in", func(t *testing.T) {
		each(t, execCases(), func(c execCase) string { return c.rule }, func(t *testing.T, c execCase) { c.check(t, b) })
	})
	l.tests(t, execTests(), execEnds())
}

func (c execCase) check(t *testing.T, b *box) {
	p := process(script(c.script)...)
	if c.change != nil {
		c.change(&p)
	}
	var stdin io.Reader
	if c.stdin != "" {
		stdin = strings.NewReader(c.stdin)
	}
	own := &box{Task: b.Task, t: t, spec: b.spec}
	r, err := own.try(p, stdin)
	if err != nil || r.Code != c.code || r.out != c.out || !complaints(r.errs, c.errs) {
		t.Errorf("%v, code %d, output %q, errors %q; want %d, %q, %q", err, r.Code, r.out, r.errs, c.code, c.out, c.errs)
	}
}

func execCases() []execCase {
	user := func(uid, gid uint32, groups ...uint32) func(*driver.Process) {
		return func(p *driver.Process) { p.UID, p.GID, p.Groups = uid, gid, groups }
	}
	return []execCase{
		{rule: "in a sticky folder only the owner deletes", script: "rm /tmp/roots; mv /tmp/roots /tmp/x", change: user(5, 5), code: 1, errs: notAllowed + notAllowed},
		{rule: "a folder's owner deletes what is in it", script: "echo x > /own/roots2; rm /own/roots; ls /own", change: user(5, 5), out: "roots2\n"},
		{rule: "exit 0", script: "exit 0"},
		{rule: "exit 42", script: "exit 42", code: 42},
		{rule: "exit 255", script: "exit 255", code: 255},
		{rule: "killed by TERM: 143", script: "kill $$; sleep 1000", code: 143},
		{rule: "killed by KILL: 137", script: "kill -9 $$; sleep 1000", code: 137},
		{rule: "output and errors are apart", script: "echo out; echo err >&2", out: "out\n", errs: "err\n"},
		{rule: "input arrives, and its end", script: "cat", stdin: "hello", out: "hello"},
		{rule: "without input there is an end", script: "cat"},
		{rule: "it sees the files of the container", script: "cat /data/f", out: "first\n"},
		{rule: "it has its own variables, not the first process's", script: "echo $A-$B", change: func(p *driver.Process) { p.Env = append(p.Env, "B=2") }, out: "-2\n"},
		{rule: "it has its own working folder", script: "pwd", change: func(p *driver.Process) { p.Cwd = "/data" }, out: "/data\n"},
		{rule: "it has the host name of the container", script: "hostname", out: "lab\n"},
		{rule: "it sees the first process as number 1", script: "tr '\\0' ' ' < /proc/1/cmdline | cut -d' ' -f1,2; [ $$ -gt 1 ] && echo other", out: "sh -c\nother\n"},
		{rule: "it has no parent in the container", script: "grep PPid /proc/$$/status", out: "PPid:\t0\n"},
		{rule: "user, group and supplementary groups", script: "id -u; id -g; id -G", change: user(5, 6, 77), out: "5\n6\n6 77\n"},
		{rule: "a group opens what is the group's", script: "cat /data/f", change: user(5, 6, 77), out: "first\n"},
		{rule: "other users are refused", script: "cat /data/f", change: user(5, 6), code: 1, errs: denied},
		{rule: "a user may not signal another's process", script: "kill -9 1", change: user(5, 6), code: 1, errs: notAllowed},
		{rule: "a user may not look into another's process", script: "readlink /proc/1/cwd; cat /proc/1/environ", change: user(5, 6), code: 1, errs: denied},
		{rule: "the first process can't be killed from inside", script: "kill -9 1; kill -TERM 1; echo $?", out: "0\n"},
		{rule: "a terminal of its own", script: "tty | cut -c1-9", change: func(p *driver.Process) { p.Terminal = true }, out: "/dev/pts/\r\n"},
		{rule: "a binary megabyte passes through", script: "sha256sum", stdin: strings.Repeat("\x00\xff\n\r", 1<<18), out: "eead3b75af8521255d900094cfac7663995318fe3e072843e6602baab4e18f12  -\n"},
	}
}

func execTests() []test {
	return []test{
		{"what it changes stays", func(t *testing.T, l *lab) {
			b := l.up(t)
			b.exec("echo x > /made; rm /etc/issue")
			if r := b.exec("cat /made; cat /etc/issue"); r.out != "x\n" || !complaints(r.errs, noEntry) {
				t.Errorf("%+v", r)
			}
		}},
		{"in what has ended it is ErrNotRunning", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			_, err := b.try(process("true"), nil)
			isNotRunning(t, err)
		}},
		{"in what never started it is ErrNotRunning", func(t *testing.T, l *lab) {
			_, err := l.create(t, l.spec(t, "true")).try(process("true"), nil)
			isNotRunning(t, err)
		}},
		{"it ends though a child of its own goes on", func(t *testing.T, l *lab) {
			b := l.up(t)
			if r := b.exec("sleep 100000 > /dev/null 2>&1 & echo left"); r.out != "left\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"twenty at once", func(t *testing.T, l *lab) {
			b := l.up(t)
			ended := make(chan string, 20)
			for i := range 20 {
				go func() {
					var out buffer
					exit, err := b.Task.(driver.Execer).Exec(t.Context(), process(script("cat; exit 7")...), driver.Streams{Stdin: strings.NewReader(string(rune('a' + i))), Stdout: &out})
					if err != nil || exit.Code != 7 {
						t.Errorf("%+v, %v", exit, err)
					}
					ended <- out.String()
				}()
			}
			seen := map[string]bool{}
			for range 20 {
				seen[<-ended] = true
			}
			if len(seen) != 20 || seen[""] {
				t.Errorf("%v", seen)
			}
		}},
	}
}

func execEnds() []test {
	return []test{
		{"it dies with the first process: 137", func(t *testing.T, l *lab) {
			b := l.up(t)
			r, w := io.Pipe()
			defer w.Close()
			type end struct {
				exit driver.Exit
				err  error
			}
			ended := make(chan end, 1)
			var out buffer
			go func() {
				exit, err := b.Task.(driver.Execer).Exec(t.Context(), process(script("echo on; cat")...), driver.Streams{Stdin: r, Stdout: &out})
				ended <- end{exit, err}
			}()
			eventually(t, "the further process", func() bool { return out.String() == "on\n" })
			must(t, b.Signal(t.Context(), sigKill))
			select {
			case e := <-ended:
				if e.err == nil && e.exit.Code != 137 {
					t.Errorf("%+v", e)
				}
			case <-time.After(Patience()):
				t.Error("exec goes on")
			}
		}},
		{"detached it is not waited for, and runs", func(t *testing.T, l *lab) {
			b := l.up(t)
			p := process(script("sleep 0.02; echo done > /tmp/done")...)
			p.Detach = true
			exit, err := b.Task.(driver.Execer).Exec(t.Context(), p, driver.Streams{})
			if err != nil || exit.Code != 0 {
				t.Errorf("%+v, %v", exit, err)
			}
			l.sleep(t, 20*time.Millisecond)
			eventually(t, "the detached process's file", func() bool { return b.exec("cat /tmp/done 2>/dev/null").out == "done\n" })
		}},
		{"a wait that is cancelled leaves the process", func(t *testing.T, l *lab) {
			b := l.up(t)
			r, w := io.Pipe()
			defer w.Close()
			ctx, cancel := context.WithCancel(t.Context())
			var out buffer
			ended := make(chan error, 1)
			go func() {
				_, err := b.Task.(driver.Execer).Exec(ctx, process(script("echo on; cat")...), driver.Streams{Stdin: r, Stdout: &out})
				ended <- err
			}()
			eventually(t, "the further process", func() bool { return out.String() == "on\n" })
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
			if state := b.state(); state != driver.Running {
				t.Errorf("state %s", state)
			}
		}},
	}
}
