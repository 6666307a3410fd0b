//go:build linux

package shim

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Exit codes of a command that cannot be run, as docker has them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
)

// lookPath finds the program: a name with a slash as it is, others in the PATH of the process's own environment. Errors use
// the words that docker users search for.
func lookPath(p *Process) (string, error) {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return "", &commandError{codeNotFound, `exec: "": executable file not found in $PATH`}
	}
	name := p.Args[0]
	if strings.Contains(name, "/") {
		return checkProgram(name)
	}
	denied := false
	for _, dir := range strings.Split(pathOf(p.Env), ":") {
		if dir == "" {
			dir = "."
		}
		full := path.Join(dir, name)
		if dir == "." {
			full = "./" + name
		}
		err := executable(full)
		if err == nil {
			return full, nil
		}
		denied = denied || errors.Is(err, unix.EACCES)
	}
	if denied {
		return "", &commandError{codeNotExecutable, fmt.Sprintf("exec: %q: permission denied", name)}
	}
	return "", &commandError{codeNotFound, fmt.Sprintf("exec: %q: executable file not found in $PATH", name)}
}

// pathOf is the last PATH of an environment, or docker's default.
func pathOf(env []string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], "PATH="); ok {
			return v
		}
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

func checkProgram(name string) (string, error) {
	switch err := executable(name); {
	case err == nil:
		return name, nil
	case errors.Is(err, unix.EACCES):
		return "", &commandError{codeNotExecutable, fmt.Sprintf("exec: %q: permission denied", name)}
	case errors.Is(err, unix.EISDIR):
		return "", &commandError{codeNotExecutable, fmt.Sprintf("exec: %q: is a directory", name)}
	default:
		return "", &commandError{codeNotFound, fmt.Sprintf("exec: %q: stat %s: %v", name, name, err)}
	}
}

// executable reports why a file could not be executed by the current user, as far as its mode tells.
func executable(name string) error {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	if st.Mode&0o111 == 0 {
		return unix.EACCES
	}
	err := unix.Faccessat(unix.AT_FDCWD, name, unix.X_OK, unix.AT_EACCESS)
	if errors.Is(err, unix.EACCES) {
		return err
	}
	return nil
}

// execError turns what execve said into docker's words.
func execError(name, program string, err error) error {
	if errors.Is(err, unix.ENOENT) {
		// The file is there, so it is its interpreter that is not.
		return &commandError{codeNotFound, fmt.Sprintf("exec %s: no such file or directory", program)}
	}
	if errors.Is(err, unix.ENOEXEC) {
		return &commandError{codeNotExecutable, fmt.Sprintf("exec %s: exec format error", program)}
	}
	return &commandError{codeNotExecutable, fmt.Sprintf("exec: %q: %v", name, err)}
}
