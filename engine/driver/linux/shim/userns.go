//go:build linux

package shim

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// userStage has no powers: its ids were not mapped yet when it was executed. The next execve, as root of the namespace, gives them.
// It waits in the new user namespace until its ids are mapped (descriptor 3 says so), and then becomes the command that
// was asked for, as root there. The variables that only it needs are taken out of the environment.
func userStage() {
	buf := make([]byte, 1)
	if n, err := unix.Read(3, buf); n != 1 || err != nil {
		os.Exit(125) // the parent died or could not map ids; it has told why
	}
	unix.Close(3)
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, StageVariable+"=") {
			env = append(env, kv)
		}
	}
	err := syscall.Exec("/proc/self/exe", os.Args, env)
	fmt.Fprintln(os.Stderr, "learn: start in user namespace:", err)
	os.Exit(125)
}
