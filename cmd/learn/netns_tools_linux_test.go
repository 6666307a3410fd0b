package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// netns is a network namespace of a test's own, and the tools that show what is in it: what an engine makes there is nobody else's business.
type netns struct {
	t        testing.TB
	variable string // by which programs find it
	path     string
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
	variable, stop := ownNetns(t)
	t.Cleanup(stop)
	_, path, _ := strings.Cut(variable, "=")
	return &netns{t, variable, path}
}

// run runs a command in it.
func (n *netns) run(argv ...string) (string, error) {
	out, err := exec.Command("nsenter", append([]string{"--net=" + n.path, "--"}, argv...)...).CombinedOutput()
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

// newNetworked is a machine in a namespace of its own, in which nothing may be left at the end.
func newNetworked(t testing.TB) (*machine, *netns) {
	t.Helper()
	n := newNetns(t)
	m := newMachine(t, nativeName)
	m.env = append(m.env, n.variable)
	t.Cleanup(func() {
		m.clear()
		eventually(5*time.Second, func() bool { return len(n.leftovers()) == 0 }) // one that removes itself is told gone a moment before its cable is
		for _, left := range n.leftovers() {
			t.Errorf("left behind: %s", left)
		}
	})
	return m, n
}
