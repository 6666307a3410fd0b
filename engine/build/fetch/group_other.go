//go:build !unix

package fetch

import "os/exec"

// endTogether: what git has started notices that it is gone when it writes to it next.
func endTogether(*exec.Cmd) {}
