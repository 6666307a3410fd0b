package main

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/registry/registrytest"
)

type operation struct {
	name    string
	once    [][]string // on a fresh home
	prepare [][]string // before each run
	run     []string
}

// operations are the changes in whose middle a process may be killed. Each runs on a home that has been made ready and must be able
// to run again after the crash.
func operations(t *testing.T) []operation {
	hub := registrytest.New(t).Host()
	return []operation{
		plainBuild(),
		{"commit", nil, [][]string{{"run", "--name", "cc", "learn/base", "sh", "-c", "echo x >/f"}}, []string{"commit", "cc", "committed"}},
		{"load", [][]string{{"build", "-q", "-t", "saved", "."}, {"save", "-o", "a.tar", "saved"}}, [][]string{{"rmi", "-f", "saved"}, {"builder", "prune", "-f"}}, []string{"load", "-i", "a.tar"}},
		{"run", nil, nil, []string{"run", "--restart", "on-failure", "--name", "rr", "--log-opt", "max-size=1k", "--log-opt", "max-file=3", "--log-opt", "compress=true", "learn/base", "seq", "1", "100"}},
		{"run --rm", nil, nil, []string{"run", "--rm", "--memory", "64m", "learn/base", "echo", "hello"}},
		{"run -d", nil, nil, []string{"run", "-d", "--name", "dd", "learn/base", "sleep", "60"}},
		{"rename", nil, [][]string{{"create", "--name", "xx", "learn/base", "true"}}, []string{"rename", "xx", "zz"}},
		{"restart", nil, [][]string{{"run", "-d", "--name", "yy", "learn/base", "sleep", "60"}}, []string{"restart", "-s", "KILL", "yy"}},
		{"rm", nil, [][]string{{"create", "--name", "xx", "learn/base", "true"}}, []string{"rm", "xx"}},
		{"rm -f", nil, [][]string{{"run", "-d", "--name", "yy", "learn/base", "sleep", "60"}}, []string{"rm", "-f", "yy"}},
		{"update", nil, [][]string{{"run", "-d", "--name", "yy", "learn/base", "sleep", "60"}}, []string{"update", "--pids-limit", "50", "-m", "64m", "--memory-swap", "64m", "yy"}},
		{"rmi", nil, [][]string{{"build", "-q", "-t", "gone", "."}, {"builder", "prune", "-f"}}, []string{"rmi", "gone"}},
		{"import", [][]string{{"create", "--name", "xx", "learn/base"}, {"export", "-o", "tree.tar", "xx"}}, nil, []string{"import", "tree.tar", "imported"}},
		{"cp in", nil, [][]string{{"create", "--name", "xx", "learn/base"}}, []string{"cp", "Dockerfile", "xx:/copied"}},
		{"cp in, running", nil, [][]string{{"run", "-d", "--name", "xx", "learn/base", "sleep", "60"}}, []string{"cp", ".", "xx:/copied"}},
		{"cp out", nil, [][]string{{"create", "--name", "xx", "learn/base"}}, []string{"cp", "xx:/etc", "copied"}},
		{"prune --archives", [][]string{{"build", "-q", "-t", "split", "."}}, [][]string{{"save", "-o", "split.tar", "split"}, {"rmi", "-f", "split"}, {"builder", "prune", "-af"}, {"load", "-i", "split.tar"}, {"create", "--name", "zz", "split", "true"}},
			[]string{"system", "prune", "-f", "--archives"}},
		{"prune --unpacked", nil, [][]string{{"build", "-q", "-t", "split", "."}, {"create", "--name", "xx", "split", "true"}, {"rm", "xx"}}, []string{"system", "prune", "-f", "--unpacked"}},
		{"image attach", nil, [][]string{{"rmi", "-f", "signed"}, {"builder", "prune", "-af"}, {"build", "-q", "-t", "signed", "."}}, []string{"image", "attach", "--type", "text/plain", "signed", "Dockerfile"}},
		{"tag", nil, nil, []string{"tag", "learn/base", "other:1"}},
		{"image prune", nil, [][]string{{"build", "-q", "-t", "gone", "."}, {"builder", "prune", "-f"}}, []string{"image", "prune", "-a", "-f"}},
		{"build --cache-to", nil, nil, []string{"build", "--no-cache", "-q", "--cache-to", "type=local,dest=kept", "."}},
		{"build --cache-from", nil, [][]string{{"build", "-q", "-t", "gone", "--cache-to", "type=local,dest=kept", "."}, {"rmi", "-f", "gone"}, {"builder", "prune", "-f"}},
			[]string{"build", "-q", "-t", "gone", "--cache-from", "type=local,src=kept", "."}},
		{"build with mounts", nil, [][]string{{"builder", "prune", "-af"}}, []string{"build", "--no-cache", "-f", "mounts", "-t", "built", "."}},
		{"pull", [][]string{{"build", "-q", "--output", "type=registry,name=" + hub + "/pulled:1", "."}}, [][]string{{"rmi", "-f", hub + "/pulled:1"}, {"builder", "prune", "-af"}}, []string{"pull", hub + "/pulled:1"}},
		{"push", nil, [][]string{{"build", "-q", "--no-cache", "-t", hub + "/pushed:1", "."}}, []string{"push", hub + "/pushed:1"}},
		{"build from a registry", [][]string{{"build", "-q", "-t", "hub", "."}, {"build", "-q", "--output", "type=registry,name=" + hub + "/base:1", "."}, {"rmi", "-f", "hub"}},
			[][]string{{"rmi", "-f", "built", hub + "/base:1"}, {"builder", "prune", "-af"}}, []string{"build", "--pull", "-f", "pull", "--build-arg", "HUB=" + hub, "-t", "built", "."}},
	}
}

// failpoints finds the names of the points in the engine's source that want wants.
func failpoints(t *testing.T, want func(name string) bool) []string {
	call := regexp.MustCompile(`failpoint\.Hit\("([^"]+)"\)`)
	var names []string
	err := filepath.WalkDir("../../engine", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return err
		}
		text, err := os.ReadFile(p)
		for _, m := range call.FindAllSubmatch(text, -1) {
			if want(string(m[1])) {
				names = append(names, string(m[1]))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// TestKilledAtEveryPoint kills the program at each named moment of each operation, and wants the next command to find a home that
// verifies, with nothing left over, in which the same operation works. On the kernel a point is tried in three of the operations that pass it, and
// not in those that only repeat a plain build there; LEARN_TEST_LONG=1 tries it in all. On the simulator, whose engine is the same above the
// driver, every point is tried once. A process dies when it first passes a point.
func TestKilledAtEveryPoint(t *testing.T) {
	needRoot(t)
	var mu sync.Mutex
	reached, tries := map[string]bool{}, map[string]map[string]int{nativeName: {}, simName: {}}
	most := map[string]int{nativeName: 3, simName: 1}
	if whole() {
		most[nativeName] = math.MaxInt
	}
	all := slices.Concat(operations(t), volumeOperations(), networkOperations())
	onBothDrivers(t, func(t *testing.T, driver string) {
		for _, op := range all {
			t.Run(op.name, func(t *testing.T) {
				t.Parallel() // a home each
				m := newMachine(t, driver)
				m.warm()
				m.mustEach(op.once...)
				repeats := m.repeats(op)
				for _, p := range m.pointsOf(op) {
					mu.Lock()
					again := tries[driver][p] >= most[driver] || slices.Contains(repeats, p)
					reached[p] = true
					if op.tried(p) && !again {
						tries[driver][p]++
					}
					mu.Unlock()
					if op.tried(p) && !again {
						m.crash(op, p)
					}
				}
				m.ready(op)
				m.must(op.run...)
			})
		}
	})
	if len(reached) < 30 {
		t.Errorf("operations reach only %d failpoints, want at least 30", len(reached))
	}
	for _, p := range failpoints(t, func(name string) bool { return !isRegistryPoint(name) }) {
		if !reached[p] {
			t.Errorf("no operation reaches failpoint %s", p)
		}
	}
}

// warm makes the built-in image and a build context.
func (m *machine) warm() {
	m.t.Helper()
	m.write("Dockerfile", "FROM learn/base\nRUN echo one >/one\nCOPY Dockerfile /d\nCOPY --link Dockerfile /e\n")
	m.write("mounts", "FROM learn/base\nRUN --mount=type=cache,target=/c --mount=target=/ctx cat /ctx/Dockerfile >/c/d && echo new >/new\n")
	m.write("pull", "ARG HUB\nFROM $HUB/base:1\nRUN echo pulled >/pulled\n")
	m.mustEach([]string{"create", "--name", "warm", "learn/base", "true"}, []string{"rm", "warm"})
}

// ready brings the home into the state in which the operation starts.
func (m *machine) ready(op operation) {
	m.t.Helper()
	none := []string{"rm", "-f", "cc", "rr", "dd", "xx", "yy", "zz"}
	m.mustEach(append([][]string{none}, op.prepare...)...)
}

// pointsOf runs the operation once and notes which points it passes, in this process or in those it starts.
func (m *machine) pointsOf(op operation) []string {
	m.t.Helper()
	m.ready(op)
	log := filepath.Join(m.dir, ".points")
	defer os.Remove(log)
	r := m.run([]string{failpoint.Variable + "=log:" + log}, append([]string{"docker"}, op.run...)...)
	if r.code != 0 {
		m.t.Fatalf("%s: exit code %d\n%s", op.name, r.code, r.err)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		m.t.Fatal(err)
	}
	names := strings.Fields(string(text))
	slices.Sort(names)
	return slices.Compact(names)
}

// plainBuild is a build that others resemble.
func plainBuild() operation {
	return operation{"build", nil, nil, []string{"build", "--no-cache", "-t", "built", "."}}
}

// repeated tells, of an operation that does what a plain build does and more, at which points it is in the state of that one when it first passes them.
// LEARN_TEST_LONG=1 kills it there nevertheless. It is nil for the other operations.
func (op operation) repeated() func(point string) bool {
	one := func(prefixes ...string) func(string) bool {
		return func(point string) bool {
			return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(point, p) })
		}
	}
	switch op.name {
	case "build --cache-to": // which begins when the build is done
		return one("runtime.", "shim.", "snapshot.", "layer.", "blob.", "build.step.", "build.copy.", "image.unpack.")
	case "build with mounts": // which are there while a step runs
		return one("blob.", "build.image.", "image.create.")
	case "build from a registry": // whose base comes first
		return one("runtime.", "shim.", "snapshot.", "build.", "image.create.")
	}
	return nil
}

// repeats are the points at which the operation need not be killed.
func (m *machine) repeats(op operation) []string {
	in := op.repeated()
	if in == nil || whole() {
		return nil
	}
	return slices.DeleteFunc(m.pointsOf(plainBuild()), func(p string) bool { return !in(p) })
}

// crash kills the operation at one point and looks at what the next command makes of it.
func (m *machine) crash(op operation, point string) {
	m.t.Helper()
	m.ready(op)
	r := m.run([]string{failpoint.Variable + "=" + point}, append([]string{"docker"}, op.run...)...)
	if !r.killed && !elsewhere(point) {
		m.t.Errorf("%s was not killed at %s: exit code %d\n%s", op.name, point, r.code, r.err)
	}
	if r := m.docker("system", "check"); r.code != 0 {
		m.t.Errorf("%s killed at %s: check says\n%s%s", op.name, point, r.out, r.err)
	}
	for _, l := range m.remains() {
		m.t.Errorf("%s killed at %s: left behind: %s", op.name, point, l)
	}
	if look := lookAfter(op.name); look != nil {
		if text := look(m); text != "" {
			m.t.Errorf("%s killed at %s: %s", op.name, point, text)
		}
	}
}

// remains are the leftovers that stay: a supervisor takes a moment to notice that its client died. A container whose client died goes on.
func (m *machine) remains() []string {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := m.leftovers()
		if len(left) > 0 && m.docker("ps", "-q").out != "" {
			left = slices.DeleteFunc(left, func(l string) bool { return strings.HasPrefix(l, "process") })
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// elsewhere tells the points that supervisors and first stages pass: the command goes on without them.
func elsewhere(point string) bool {
	for _, prefix := range []string{"shim.", "init.", "sim.host.", "log."} {
		if strings.HasPrefix(point, prefix) {
			return true
		}
	}
	return false
}

// TestCheckMendsALostRecord takes a container's record away, as a disk may, and wants its writable layer to be found and removed.
func TestCheckMendsALostRecord(t *testing.T) {
	onBothDrivers(t, checkMendsALostRecord)
}

func checkMendsALostRecord(t *testing.T, driver string) {
	m := newMachine(t, driver)
	id := m.must("create", "learn/base", "true")
	if err := os.RemoveAll(filepath.Join(m.home, "containers", id)); err != nil {
		t.Fatal(err)
	}
	if r := m.docker("system", "check"); r.code != 0 {
		t.Errorf("check: exit code %d\n%s%s", r.code, r.out, r.err)
	}
	for _, keys := range []string{"keys", "sim/keys"} {
		if left, _ := os.ReadDir(filepath.Join(m.home, "snapshots", keys)); len(left) != 0 {
			t.Errorf("writable layers without a container: %v", left)
		}
	}
}
