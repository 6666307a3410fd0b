//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// netns is a network namespace of a test's own: what an engine makes in it is nobody else's business, and goes with it.
type netns struct {
	t      testing.TB
	holder *exec.Cmd
}

// newNetns makes one whose loopback interface is up.
func newNetns(t testing.TB) *netns {
	t.Helper()
	needRoot(t)
	for _, tool := range []string{"ip", "nft", "ss", "nsenter", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			lacks(t, "the tests of networks need "+tool)
		}
	}
	n := &netns{t: t, holder: exec.Command("cat")}
	n.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	stdin, err := n.holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		n.holder.Wait()
	})
	n.must("ip", "link", "set", "lo", "up")
	return n
}

// path is the file that stands for the namespace.
func (n *netns) path() string { return fmt.Sprintf("/proc/%d/ns/net", n.holder.Process.Pid) }

// run runs a command in it.
func (n *netns) run(argv ...string) (string, error) {
	out, err := exec.Command("nsenter", append([]string{"--net=" + n.path(), "--"}, argv...)...).CombinedOutput()
	return string(out), err
}

func (n *netns) must(argv ...string) string {
	n.t.Helper()
	out, err := n.run(argv...)
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return out
}

// leftovers are the interfaces and rules that somebody has left in it.
func (n *netns) leftovers() []string {
	var found []string
	for line := range strings.Lines(n.must("ip", "-o", "link")) {
		if !strings.Contains(line, " lo:") && !strings.Contains(line, "uplink") {
			found = append(found, "interface "+strings.TrimSpace(line))
		}
	}
	if rules := n.must("nft", "list", "ruleset"); rules != "" {
		found = append(found, "rules "+rules)
	}
	if ports := n.must("ss", "-Hlntu"); ports != "" {
		found = append(found, "ports "+ports)
	}
	return found
}

// inside has the machine's commands run in the namespace. It is looked at before the machine's home is cleared away for the last time.
func (m *machine) inside(n *netns) {
	m.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	bin := m.t.TempDir()
	for _, name := range []string{"docker", "learn", eachName} {
		if err := os.Symlink(exe, filepath.Join(bin, name)); err != nil {
			m.t.Fatal(err)
		}
	}
	m.wrap = func(argv []string) []string {
		return append([]string{"nsenter", "--net=" + n.path(), "--", filepath.Join(bin, argv[0])}, argv[1:]...)
	}
}

// newNetworked is a machine in a namespace of its own, in which nothing may be left at the end.
func newNetworked(t testing.TB) (*machine, *netns) {
	t.Helper()
	n := newNetns(t)
	m := newMachine(t, nativeName)
	m.inside(n)
	t.Cleanup(func() {
		m.clear()
		for _, left := range n.leftovers() {
			t.Errorf("left behind: %s", left)
		}
	})
	return m, n
}
