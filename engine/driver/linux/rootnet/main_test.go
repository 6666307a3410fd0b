//go:build linux

package rootnet

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// enterVariable makes the test binary enter a user namespace first, as an ordinary user's command does: "plain", or "hidden" for one on whose
// machine there is no /dev/net/tun.
const enterVariable = "LEARN_TEST_ENTER"

func TestMain(m *testing.M) {
	how := os.Getenv(enterVariable)
	if how == "" || how == insideMachine {
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 || !entered() {
		os.Exit(enter())
	}
	if how == "hidden" {
		if err := unix.Mount("none", filepath.Dir(tunDevice), "tmpfs", 0, ""); err != nil {
			fmt.Fprintln(os.Stderr, "hide", tunDevice, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func entered() bool {
	ids, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !strings.Contains(string(ids), "4294967295")
}

func enter() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// The tests run again as an ordinary user, and as one who has no way to make a tap(4).
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getenv(enterVariable) != "" {
		t.Skip("is the ordinary user")
	}
	needRoot(t)
	dir, err := os.MkdirTemp("", "learn-rootnet-")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.Chmod(dir, 0o777))
	binary, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	program := filepath.Join(dir, "rootnet.test")
	must(t, os.WriteFile(program, binary, 0o755))
	for _, how := range []string{"plain", "hidden"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.Command(program, "-test.v", "-test.run", "^Test")
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "CI=" + os.Getenv("CI"), enterVariable + "=" + how}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4713, Gid: 4713}, Pdeathsig: syscall.SIGKILL}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestMembersReachOneAnother") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		lacks(t, "needs root, or its like in a user namespace: makes network namespaces")
	}
}

// lacks skips a test for what the machine does not have or allow; under CI, where it must, that is a failure.
func lacks(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
