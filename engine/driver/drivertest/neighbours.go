package drivertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

func listTests() []test {
	return []test{
		{"processes are listed with parent, user and command", func(t *testing.T, l *lab) {
			b := l.started(t, "sleep 100000 & echo up; read x")
			b.says("up\n")
			st, err := b.Status(t.Context())
			must(t, err)
			list, err := b.Task.(driver.Lister).Processes(t.Context())
			must(t, err)
			var argv []string
			for _, p := range list {
				argv = append(argv, strings.Join(p.Argv, " "))
				if p.UID != 0 || p.TTY != "?" || p.Pid <= 0 || p.StartedAt.IsZero() || p.Pid != st.Pid && p.PPid != st.Pid {
					t.Errorf("%+v, first process %d", p, st.Pid)
				}
			}
			if !slices.Contains(argv, "sleep 100000") || !strings.HasPrefix(argv[0], "sh -c sleep") || list[0].Pid != st.Pid {
				t.Errorf("%q", argv)
			}
		}},
		{"a further process is listed with its user", func(t *testing.T, l *lab) {
			b := l.up(t)
			p := process("sleep", "100000")
			p.UID, p.GID, p.Detach = 5, 5, true
			_, err := b.Task.(driver.Execer).Exec(t.Context(), p, driver.Streams{})
			must(t, err)
			list, err := b.Task.(driver.Lister).Processes(t.Context())
			if err != nil || !slices.ContainsFunc(list, func(p driver.ProcessInfo) bool {
				return p.UID == 5 && slices.Equal(p.Argv, []string{"sleep", "100000"})
			}) {
				t.Errorf("%+v, %v", list, err)
			}
		}},
		{"listing what has ended is ErrNotRunning", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			_, err := b.Task.(driver.Lister).Processes(t.Context())
			isNotRunning(t, err)
		}},
	}
}

func neighbourTests() []test {
	return []test{
		{"two containers see neither each other's files nor processes", func(t *testing.T, l *lab) {
			a, b := l.started(t, "echo a > /tmp/mine; echo up; read x"), l.up(t)
			a.says("up\n")
			if r := b.exec("cat /tmp/mine; ps -ef | grep -c '[e]cho a'"); r.out != "0\n" || !complaints(r.errs, noEntry) {
				t.Errorf("%+v", r)
			}
		}},
		{"two containers have different processes on the host", func(t *testing.T, l *lab) {
			a, b := l.started(t, "echo up; read x"), l.started(t, "echo up; read x")
			one, err := a.Status(t.Context())
			must(t, err)
			two, err := b.Status(t.Context())
			must(t, err)
			if one.Pid == two.Pid {
				t.Errorf("both are %d", one.Pid)
			}
		}},
		{"thirty containers at once", func(t *testing.T, l *lab) {
			ended := make(chan result, 30)
			var boxes []*box
			for range 30 {
				boxes = append(boxes, l.create(t, l.spec(t, script("echo hi; exit 2")...)))
			}
			for _, b := range boxes {
				go func() {
					r := result{}
					err := b.Start(t.Context(), b.streams(nil))
					if err == nil {
						r.Exit, err = b.Wait(t.Context())
					}
					if err != nil {
						t.Error(err)
					}
					r.out = b.out.String()
					ended <- r
				}()
			}
			for range boxes {
				if r := <-ended; r.Code != 2 || r.out != "hi\n" {
					t.Errorf("%+v", r)
				}
			}
		}},
	}
}
