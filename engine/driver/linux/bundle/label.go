//go:build linux

package bundle

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// label is what a security module is to know the program by from its execve on. Its file is opened while the host's procfs can be seen.
type label struct {
	fd   int
	text string
}

// openLabel gives nil if the process asks for none.
func openLabel(p *specs.Process) (*label, error) {
	var file, text string
	switch {
	case p.ApparmorProfile != "":
		file, text = "attr/apparmor/exec", "exec "+p.ApparmorProfile
		if !enabled("/proc/thread-self/attr/apparmor") {
			file = "attr/exec"
		}
		if p.ApparmorProfile == "unconfined" && !enabled("/sys/module/apparmor") {
			return nil, nil
		}
	case p.SelinuxLabel != "":
		file, text = "attr/exec", p.SelinuxLabel
	default:
		return nil, nil
	}
	fd, err := unix.Open("/proc/thread-self/"+file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("label process: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || int64(fs.Type) != unix.PROC_SUPER_MAGIC {
		unix.Close(fd)
		return nil, fmt.Errorf("label process: /proc is not procfs")
	}
	return &label{fd, text}, nil
}

func (l *label) set() error {
	if l == nil {
		return nil
	}
	if _, err := unix.Write(l.fd, []byte(l.text)); err != nil {
		return fmt.Errorf("label process %q: %w", l.text, err)
	}
	return nil
}
