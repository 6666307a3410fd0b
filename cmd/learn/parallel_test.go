package main

import (
	"fmt"
	"sync"
	"testing"
)

// TestHundredAtOnce starts and removes a hundred containers in parallel, each by processes of its own.
func TestHundredAtOnce(t *testing.T) { onBothDrivers(t, hundredAtOnce) }

func hundredAtOnce(t *testing.T, driver string) {
	m := newMachine(t, driver)
	m.warm()
	const total, atOnce = 100, 16
	slots := make(chan struct{}, atOnce)
	var wait sync.WaitGroup
	for i := range total {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			name := fmt.Sprintf("p%d", i)
			if r := m.docker("run", "-d", "--name", name, "--memory", "64m", "learn/base", "sleep", "1000"); r.code != 0 {
				t.Errorf("run %s: %d %s", name, r.code, r.err)
				return
			}
			if r := m.docker("exec", name, "echo", name); r.code != 0 || r.out != name+"\n" {
				t.Errorf("exec in %s: %d %q %s", name, r.code, r.out, r.err)
			}
			if r := m.docker("rm", "-f", name); r.code != 0 {
				t.Errorf("rm %s: %d %s", name, r.code, r.err)
			}
		})
	}
	wait.Wait()
	if out := m.must("ps", "-aq"); out != "" {
		t.Errorf("containers are left: %s", out)
	}
	if r := m.docker("system", "check"); r.code != 0 {
		t.Errorf("check: %s%s", r.out, r.err)
	}
	for _, l := range m.remains() {
		t.Errorf("left behind: %s", l)
	}
}
