// Package failpoint lets a test kill the process at a named moment of a change, to show that a crash there leaves a home that
// the next command puts right. In ordinary use a point costs one comparison.
//
// It is not an error injector: the only thing that can happen at a point is sudden death.
package failpoint

import (
	"os"
	"strings"
	"syscall"
)

// Variable is the environment variable that names the point at which to die. Its value log:FILE kills nothing and appends the name of
// every point that is reached to the file, a line each.
const Variable = "LEARN_FAILPOINT"

// Hit kills the process with SIGKILL if the environment names this point. Names have the form
// package.operation.moment.
func Hit(name string) {
	v, ok := syscall.Getenv(Variable)
	if !ok {
		return
	}
	if file, ok := strings.CutPrefix(v, "log:"); ok {
		note(file, name)
		return
	}
	if v != name {
		return
	}
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		_ = p.Kill()
	}
	select {} // a dying process goes no further
}

// note leaves out what it can't write: it serves a test that will miss the name.
func note(file, name string) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(name + "\n")
	_ = f.Close()
}
