//go:build linux

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const otherBoot = "00000000-0000-4000-8000-000000000000"

// TestRebootWithContainersUp does to a home what a sudden end of the machine does: every process of it is gone at once, and the next run of the
// machine has another boot id.
func TestRebootWithContainersUp(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		m := newMachine(t, driver)
		m.must("run", "-d", "--name", "up", "--memory", "64m", "learn/base", "sh", "-c", "echo kept >/file; sleep 1000")
		m.must("exec", "up", "sh", "-c", "until [ -s /file ]; do sleep 0.05; done")
		m.must("run", "-d", "--name", "frozen", "learn/base", "sleep", "1000")
		m.must("pause", "frozen")
		m.must("run", "-d", "--rm", "--name", "passing", "learn/base", "sleep", "1000")
		m.powerCut()
		m.otherBootID()

		if out := m.must("ps", "-q"); out != "" {
			t.Errorf("they run: %q", out)
		}
		for _, name := range []string{"up", "frozen"} {
			if out := m.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}", name); out != "exited 255 0" {
				t.Errorf("%s: %s", name, out)
			}
			why := m.run(nil, "learn", "why", name)
			if !strings.Contains(why.out, "255 stands for that") {
				t.Errorf("why %s: %s%s", name, why.out, why.err)
			}
		}
		m.must("start", "up")
		if out := m.must("exec", "up", "cat", "/file"); out != "kept" {
			t.Errorf("its file holds %q", out)
		}
		m.must("rm", "-f", "up", "frozen")
		m.docker("rm", "-f", "passing")
		m.must("run", "--rm", "--name", "passing", "learn/base", "true")
		if r := m.docker("system", "check"); r.code != 0 {
			t.Errorf("check: %s%s", r.out, r.err)
		}
	})
}

// TestProcessOfAnotherBootIsLeftAlone: after a reboot the numbers in a record may be those of anybody's processes.
func TestProcessOfAnotherBootIsLeftAlone(t *testing.T) {
	m := newMachine(t, nativeName)
	m.must("run", "-d", "--name", "up", "learn/base", "sleep", "1000")
	var pids []int
	for _, p := range m.processIDs() {
		pids = append(pids, p)
		defer syscall.Kill(p, syscall.SIGKILL)
	}
	m.otherBootID()
	if out := m.must("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "up"); out != "exited 255" {
		t.Errorf("state %s", out)
	}
	m.must("rm", "up")
	for _, p := range pids {
		if err := syscall.Kill(p, 0); err != nil {
			t.Errorf("process %d was ended: %v", p, err)
		}
	}
	m.powerCut(pids...)
}

// processIDs are the supervisors of the home and their containers' first processes.
func (m *machine) processIDs() []int {
	numbers := regexp.MustCompile(`"(?:shim_pid|pid|supervisor)":\s*(\d+)`)
	var list []int
	files, _ := filepath.Glob(filepath.Join(m.home, "containers", "[0-9a-f]*", "*.json"))
	for _, f := range files {
		if base := filepath.Base(f); base != "task.json" && base != "sim.json" {
			continue
		}
		text, _ := os.ReadFile(f)
		for _, n := range numbers.FindAllSubmatch(text, -1) {
			if p, err := strconv.Atoi(string(n[1])); err == nil && p > 1 && !(strings.HasSuffix(f, "sim.json") && strings.HasPrefix(string(n[0]), `"pid"`)) {
				list = append(list, p) // the pid in sim.json is one of the simulated machine
			}
		}
	}
	return list
}

// powerCut kills all processes of the home at once, or the given ones, and waits until they are gone.
func (m *machine) powerCut(pids ...int) {
	m.t.Helper()
	if pids == nil {
		pids = m.processIDs()
	}
	if len(pids) == 0 {
		m.t.Fatal("nothing runs")
	}
	for _, p := range pids {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	for end := time.Now().Add(10 * time.Second); len(m.processes()) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("they do not end: %q", m.processes())
		}
	}
}

// otherBootID makes every record that of an earlier run of the machine.
func (m *machine) otherBootID() {
	m.t.Helper()
	current, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		m.t.Fatal(err)
	}
	id := strings.TrimSpace(string(current))
	files, _ := filepath.Glob(filepath.Join(m.home, "containers", "[0-9a-f]*", "task.json"))
	for _, f := range append(files, filepath.Join(m.home, "boot-id")) {
		text, err := os.ReadFile(f)
		if err != nil {
			m.t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(strings.ReplaceAll(string(text), id, otherBoot)), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
}
