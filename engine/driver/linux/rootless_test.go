//go:build linux

package linux

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/learn-containers/learn/engine/driver/drivertest"
)

// The tests of this package run again as an ordinary user: once with subordinate ids, once with a single id, and once as the
// root of a nested namespace.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 || Detect().Rootless {
		lacks(t, "needs root, to become an ordinary user")
	}
	// One copy before anything is forked: a file that is open for writing in any process can't be executed.
	shared, err := os.MkdirTemp("", "learn-rootless-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(shared)) })
	must(t, os.Chmod(shared, 0o755))
	program := filepath.Join(shared, "linux.test")
	binary, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(program, binary, 0o755))
	for name, setup := range map[string]func(*exec.Cmd){
		"subordinate": func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Credential: learner()} },
		"single": func(c *exec.Cmd) {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4711, Gid: 4711}}
		},
		"nested": func(c *exec.Cmd) {
			c.Env = c.Env[:len(c.Env)-1]
			c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
				UidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: 0, Size: 1}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "learn-rootless-")
			must(t, err)
			t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
			must(t, os.Chmod(dir, 0o777))
			cmd := exec.Command(program, "-test.v", fmt.Sprint("-test.short=", !drivertest.Long()), "-test.run", "^Test(Run|Command|Attach|Resize|Names|Capab|Only|Masked|Seccomp|Exec|Terminal|Dead|Pause|Signal|Trace|Suppl|Mount|Folder|Network|Shared|HostNamespaces|ProfileIs)")
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir, enterVariable + "=1"}
			setup(cmd)
			out, err := cmd.CombinedOutput()
			for _, must := range append([]string{"TestRunPrintsAndExits"}, networkTestsOf(t, name)...) { // what is skipped has not passed
				if err != nil || !strings.Contains(string(out), "--- PASS: "+must) {
					t.Errorf("%s: %v\n%s", must, err, out)
				}
			}
		})
	}
}

// learner is a user with subordinate ids, if the machine has one.
func learner() *syscall.Credential {
	data, _ := os.ReadFile("/etc/subuid")
	name, _, _ := strings.Cut(string(data), ":")
	passwd, _ := os.ReadFile("/etc/passwd")
	for _, line := range strings.Split(string(passwd), "\n") {
		if f := strings.Split(line, ":"); len(f) > 3 && f[0] == name && name != "" {
			return &syscall.Credential{Uid: atoi(f[2]), Gid: atoi(f[3])}
		}
	}
	return &syscall.Credential{Uid: 4712, Gid: 4712}
}

func atoi(s string) uint32 {
	var n uint32
	for _, c := range s {
		n = n*10 + uint32(c-'0')
	}
	return n
}

func TestParseRange(t *testing.T) {
	for _, tc := range []struct {
		line string
		want idRange
		ok   bool
	}{
		{"ann:100000:65536", idRange{100000, 65536}, true},
		{"1000:5:1", idRange{5, 1}, true},
		{"bob:100000:65536", idRange{}, false},
		{"ann:100000", idRange{}, false},
		{"ann:100000:0", idRange{}, false},
		{"# ann", idRange{}, false},
	} {
		if got, ok := parseRange(tc.line, "ann", "1000"); ok != tc.ok || ok && got != tc.want {
			t.Errorf("parseRange(%q) = %v, %v", tc.line, got, ok)
		}
	}
}
