package drivertest

import (
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

func pauseTests() []test {
	return []test{
		{"paused, nothing runs; resumed, it goes on", func(t *testing.T, l *lab) {
			b := l.started(t, "while :; do echo tick; sleep 0.01; done")
			p := b.Task.(driver.Pauser)
			eventually(t, "the first tick", func() bool { return b.out.String() != "" })
			must(t, p.Pause(t.Context()))
			if state := b.state(); state != driver.Paused {
				t.Errorf("state %s", state)
			}
			time.Sleep(20 * time.Millisecond) // what was on its way arrives
			before := b.out.String()
			l.sleep(t, 100*time.Millisecond)
			if b.out.String() != before {
				t.Error("it runs while paused")
			}
			must(t, p.Resume(t.Context()))
			if state := b.state(); state != driver.Running {
				t.Errorf("state %s", state)
			}
			eventually(t, "another tick", func() bool { return b.out.String() != before })
		}},
		{"pausing what is paused and resuming what runs are refused or nothing", func(t *testing.T, l *lab) {
			b := l.up(t)
			p := b.Task.(driver.Pauser)
			_ = p.Resume(t.Context())
			must(t, p.Pause(t.Context()))
			_ = p.Pause(t.Context())
			if state := b.state(); state != driver.Paused {
				t.Errorf("state %s", state)
			}
			must(t, p.Resume(t.Context()))
			if r := b.exec("echo on"); r.out != "on\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"pausing what has ended is ErrNotRunning", func(t *testing.T, l *lab) {
			b := l.start(t, l.spec(t, "true"))
			b.wait()
			isNotRunning(t, b.Task.(driver.Pauser).Pause(t.Context()))
			isNotRunning(t, b.Task.(driver.Pauser).Resume(t.Context()))
		}},
	}
}

func pausedTests() []test {
	return []test{
		{"a signal to a paused container works when it is resumed", func(t *testing.T, l *lab) {
			b := l.started(t, idle+"trap 'echo trapped; exit 3' TERM; echo up; cat /tmp/idle & wait")
			b.says("up\n")
			p := b.Task.(driver.Pauser)
			must(t, p.Pause(t.Context()))
			must(t, b.Signal(t.Context(), sigTerm))
			time.Sleep(20 * time.Millisecond)
			if state := b.state(); state != driver.Paused {
				t.Errorf("state %s", state)
			}
			must(t, p.Resume(t.Context()))
			if r := b.wait(); r.Code != 3 || r.out != "up\ntrapped\n" {
				t.Errorf("%+v", r)
			}
		}},
		{"a further process of a paused container waits until it is resumed", func(t *testing.T, l *lab) {
			b := l.up(t)
			p := b.Task.(driver.Pauser)
			must(t, p.Pause(t.Context()))
			var out buffer
			ended := make(chan error, 1)
			go func() {
				_, err := b.Task.(driver.Execer).Exec(t.Context(), process("echo", "on"), driver.Streams{Stdout: &out})
				ended <- err
			}()
			time.Sleep(50 * time.Millisecond)
			if got := out.String(); got != "" {
				t.Errorf("it said %q while paused", got)
			}
			must(t, p.Resume(t.Context()))
			if err := <-ended; err != nil || out.String() != "on\n" {
				t.Errorf("%q, %v", out.String(), err)
			}
		}},
		{"a paused container can be deleted", func(t *testing.T, l *lab) {
			b := l.up(t)
			must(t, b.Task.(driver.Pauser).Pause(t.Context()))
			must(t, b.Delete(t.Context()))
		}},
	}
}
