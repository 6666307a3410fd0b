package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver/drivertest/program"
)

// The small init of a container is the engine's own binary, which has to stand on its own: the one that is tested here is built like that.
func TestInit(t *testing.T) {
	binary := program.Build(t)
	onBothDrivers(t, func(t *testing.T, driver string) {
		if driver == nativeName {
			needRoot(t)
		}
		home := t.TempDir()
		learn := func(args ...string) (string, int) {
			cmd := exec.Command(binary, append([]string{"docker"}, args...)...)
			cmd.Env = append(os.Environ(), "LEARN_HOME="+home, "LEARN_DRIVER="+driver, "LEARN_OFFLINE=1")
			out, _ := cmd.CombinedOutput()
			return string(out), cmd.ProcessState.ExitCode()
		}
		learn("ps") // tells which driver it is, once
		for _, tc := range []struct {
			options, script, want string
			code                  int
		}{
			{"--init", `tr '\0' ' ' </proc/1/cmdline | cut -c1-13; ls -l /proc/self/fd | grep -c -e memfd -e socket; exit 7`, "learn-init -- \n0\n", 7},
			{"--init -u 5:5 --cap-drop ALL --security-opt no-new-privileges", `grep -E '^(CapBnd|NoNewPrivs):' /proc/1/status`, "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\n", 0},
			{"--init", "kill -9 $$", "", 137},
			{"", "echo $$", "1\n", 0},
		} {
			args := append(append([]string{"run", "--rm"}, strings.Fields(tc.options)...), "learn/base", "sh", "-c", tc.script)
			out, code := learn(args...)
			if got := strings.ReplaceAll(out, "learn-init --\n", "learn-init -- \n"); got != tc.want || code != tc.code {
				t.Errorf("%s: %s: code %d, output %q; want %d, %q", tc.options, tc.script, code, out, tc.code, tc.want)
			}
		}
		if out, code := learn("run", "--rm", "--init", "learn/base", "nosuch"); code != 127 || !strings.Contains(out, "executable file not found") {
			t.Errorf("code %d: %s", code, out)
		}
		if out, _ := learn("run", "-d", "--name", "stopped", "--init", "learn/base", "sleep", "1000"); len(strings.TrimSpace(out)) != 64 {
			t.Errorf("start: %s", out)
		}
		if out, code := learn("stop", "stopped"); code != 0 {
			t.Errorf("stop: %s", out)
		}
		if out, _ := learn("inspect", "-f", "{{.State.ExitCode}}", "stopped"); out != "143\n" {
			t.Errorf("exit code %s, want that of TERM", out)
		}
		learn("rm", "-f", "stopped")
	})
}
