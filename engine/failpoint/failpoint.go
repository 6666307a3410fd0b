// Package failpoint lets a test kill the process at a named moment of a change, to show that a crash there leaves a home that
// the next command puts right. In ordinary use a point costs one comparison.
//
// It is not an error injector: the only thing that can happen at a point is sudden death.
package failpoint

import (
	"os"
	"syscall"
)

// Variable is the environment variable that names the point at which to die.
const Variable = "LEARN_FAILPOINT"

// Hit kills the process with SIGKILL if the environment names this point. Names have the form
// package.operation.moment.
func Hit(name string) {
	if v, ok := syscall.Getenv(Variable); !ok || v != name {
		return
	}
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		_ = p.Kill()
	}
	select {} // a dying process goes no further
}
