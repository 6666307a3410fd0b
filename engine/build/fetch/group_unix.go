//go:build unix

package fetch

import (
	"os/exec"
	"syscall"
)

// endTogether has cmd end with everything that it started: git leaves the talking to programs of its own, which outlive it.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
