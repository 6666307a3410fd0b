package drivertest

import (
	"fmt"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
)

func evidenceTests() []test {
	return []test{
		{"signals are kept with who wanted them, and with what the process had arranged", func(t *testing.T, l *lab) {
			before := l.now()
			b := l.started(t, idle+"trap : USR1; trap '' USR2; echo up; while :; do sleep 1; done")
			b.says("up\n")
			must(t, driver.Send(t.Context(), b.Task, sigUsr1, "kill"))
			must(t, driver.Send(t.Context(), b.Task, 12, "kill"))
			must(t, driver.Send(t.Context(), b.Task, sigKill, "stop-timeout"))
			b.wait()
			signals := b.evidence().Signals
			got := ""
			for _, s := range signals {
				got += fmt.Sprintln(s.Signal, s.Why, s.Fate)
				if s.At.Before(before) || s.At.After(l.now()) || s.Client == 0 {
					t.Errorf("%+v", s)
				}
			}
			if want := "10 kill handler\n12 kill ignored\n9 stop-timeout forced\n"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}},
		{"many signals are kept as the last ones", func(t *testing.T, l *lab) {
			b := l.started(t, idle+"trap : USR1; echo up; while :; do sleep 1; done")
			b.says("up\n")
			for i := range driver.MaxSignals + 4 {
				must(t, driver.Send(t.Context(), b.Task, sigUsr1, fmt.Sprint(i)))
			}
			if s := b.evidence().Signals; len(s) != driver.MaxSignals || s[0].Why != "4" {
				t.Errorf("%d signals, the first is %+v", len(s), s[0])
			}
		}},
		{"refused calls are counted, also those of further processes", func(t *testing.T, l *lab) {
			b := l.started(t, "mount -t tmpfs x /mnt; mount -t tmpfs x /mnt; hostname other; echo up; read x")
			b.says("up\n")
			if r := b.exec("mount -t tmpfs x /mnt"); r.Code == 0 {
				t.Error("a container may mount")
			}
			must(t, b.Signal(t.Context(), sigKill))
			b.wait()
			got := map[string]int{}
			for _, r := range b.evidence().Refused {
				got[r.Name] = r.Count
				if r.Program == "" || r.PID == 0 {
					t.Errorf("%+v", r)
				}
			}
			if got["mount"] != 3 || got["sethostname"] != 1 || len(got) != 2 {
				t.Errorf("%v", got)
			}
		}},
		{"nothing is kept of a quiet run, and nothing of an earlier one", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			if e := b.evidence(); e.Signals != nil || e.Refused != nil {
				t.Errorf("%+v", e)
			}
			b = l.started(t, "hostname other; echo up; read x")
			b.says("up\n")
			must(t, b.Delete(t.Context()))
			if e := b.evidence(); e.Signals != nil || e.Refused != nil {
				t.Errorf("%+v", e)
			}
		}},
	}
}

func (b *box) evidence() driver.Evidence {
	b.t.Helper()
	e, err := b.Task.(driver.Witness).Evidence(b.t.Context())
	must(b.t, err)
	return e
}
