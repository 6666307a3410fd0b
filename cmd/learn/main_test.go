package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver/sim"
	"github.com/learn-containers/learn/engine/userland"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be the program: under the name learn, docker, or that of a small program of the built-in image,
// whose file it then is.
func TestMain(m *testing.M) {
	if err := enterNetns(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	name := filepath.Base(os.Args[0])
	if name == eachName {
		os.Exit(runEach(os.Args[1:]))
	}
	if name == "learn" || name == "exe" || name == sim.SupervisorName || strings.HasPrefix(name, "docker") || userland.Has(name) {
		os.Exit(run(os.Args))
	}
	testscript.Main(m, map[string]func(){
		"learn":  func() { os.Exit(run(os.Args)) },
		"docker": func() { os.Exit(run(os.Args)) },
	})
}

// eachName is the name under which the test binary runs several docker command lines in one process, which is for what only prepares: to start a
// process costs more than most commands do.
const eachName = "docker-each"

// runEach runs the command lines, of which each ends with the word ";", up to the first that fails.
func runEach(words []string) int {
	for len(words) > 0 {
		end := slices.Index(words, ";")
		if code := run(append([]string{"docker"}, words[:end]...)); code != 0 {
			fmt.Fprintf(os.Stderr, "docker %s: exit code %d\n", strings.Join(words[:end], " "), code)
			return code
		}
		words = words[end+1:]
	}
	return 0
}

// machine is one engine home that a test drives by whole processes, as a user does.
type machine struct {
	t    testing.TB
	home string
	dir  string
	env  []string
}

func newMachine(t testing.TB, driver string) *machine {
	t.Helper()
	if driver == nativeName {
		needRoot(t)
	}
	m := &machine{t: t, home: filepath.Join(t.TempDir(), "home"), dir: t.TempDir(), env: []string{"LEARN_DRIVER=" + driver}}
	t.Cleanup(m.clear)
	return m
}

// whole tells whether the tests are to do what repeats what they do anyway, which takes several times as long: LEARN_TEST_LONG=1 says so. What is
// left out without it is told where it is left out.
func whole() bool { return os.Getenv("LEARN_TEST_LONG") != "" }

// onBothDrivers runs a test on the kernel and on the simulator.
func onBothDrivers(t *testing.T, test func(t *testing.T, driver string)) {
	for _, driver := range []string{nativeName, simName} {
		t.Run(driver, func(t *testing.T) { test(t, driver) })
	}
}

// needRoot skips where the kernel can't be used as root; under CI that is a failure.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("these tests need root")
	}
	t.Skip("needs root for namespaces and overlay mounts")
}

// lacks skips for want of something that the machine does not have; under CI that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
	killed   bool
}

// docker runs one docker command line in a process of its own.
func (m *machine) docker(words ...string) result {
	return m.run(nil, append([]string{"docker"}, words...)...)
}

func (m *machine) run(env []string, argv ...string) result {
	m.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(exe)
	cmd.Args = argv
	cmd.Dir = m.dir
	cmd.Env = append(append(os.Environ(), "LEARN_HOME="+m.home, "LEARN_TRACE=", "LEARN_OFFLINE=1"), append(m.env, env...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	runErr := cmd.Run()
	if cmd.ProcessState == nil {
		m.t.Fatalf("%q: %v", argv, runErr)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode(), cmd.ProcessState.ExitCode() == -1}
}

// must runs a command that has to succeed and returns its output without the last line end.
func (m *machine) must(words ...string) string {
	m.t.Helper()
	r := m.docker(words...)
	if r.code != 0 {
		m.t.Fatalf("docker %s: exit code %d\n%s%s", strings.Join(words, " "), r.code, r.out, r.err)
	}
	return strings.TrimSuffix(r.out, "\n")
}

// mustEach runs commands that have to succeed, in one process.
func (m *machine) mustEach(lines ...[]string) {
	m.t.Helper()
	if len(lines) == 0 {
		return
	}
	argv := []string{eachName}
	for _, l := range lines {
		argv = append(append(argv, l...), ";")
	}
	if r := m.run(nil, argv...); r.code != 0 {
		m.t.Fatalf("%s%s", r.out, r.err)
	}
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	p := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// clear ends every container and looks for what must not be left of them.
func (m *machine) clear() {
	ids := strings.Fields(m.docker("ps", "-aq").out)
	if len(ids) > 0 {
		m.docker(append([]string{"rm", "-f"}, ids...)...)
	}
	for _, left := range m.remains() {
		m.t.Errorf("left behind: %s", left)
	}
}

// leftovers looks at the machine itself, not at the engine's records: mounts, control groups and processes that belong to this home.
func (m *machine) leftovers() []string {
	var found []string
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, m.home) {
			found = append(found, "mount "+strings.TrimSpace(line))
		}
	}
	found = append(found, m.processes()...)
	found = append(found, m.controlGroups()...)
	found = append(found, m.interfaces()...)
	builds, _ := filepath.Glob(filepath.Join(m.home, "containers", "build-*"))
	for _, b := range builds {
		found = append(found, "build folder "+b)
	}
	tmp, _ := os.ReadDir(filepath.Join(m.home, "tmp"))
	for _, e := range tmp {
		found = append(found, "temporary folder "+e.Name())
	}
	return found
}

// controlGroups lists the home's groups without a process; their names begin with a tag that stands for the home.
func (m *machine) controlGroups() []string {
	tag := fnv.New32a()
	_, _ = tag.Write([]byte(m.home))
	dirs, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/*/learn/%08x-*", tag.Sum32()))
	var found []string
	for _, d := range dirs {
		if procs, err := os.ReadFile(filepath.Join(d, "cgroup.procs")); err == nil && len(procs) == 0 {
			found = append(found, "control group "+d)
		}
	}
	return found
}

// processes lists those whose open files, arguments or environment name the home: supervisors, init processes, stray commands.
func (m *machine) processes() []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		if p == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		if m.owns(p) {
			argv, _ := os.ReadFile(filepath.Join(p, "cmdline"))
			found = append(found, "process "+p+" "+strings.ReplaceAll(string(argv), "\x00", " "))
		}
	}
	return found
}

func (m *machine) owns(proc string) bool {
	links, _ := filepath.Glob(proc + "/fd/*")
	for _, l := range append(links, proc+"/cwd", proc+"/root") {
		if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, m.home) {
			return true
		}
	}
	return false
}
