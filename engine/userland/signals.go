package userland

import (
	"strconv"
	"strings"
)

// signalNames are Linux's signals from 1 on.
const signalNames = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"

// signalNumber reads TERM, SIGTERM or 15.
func signalNumber(s string) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, n >= 0 && n <= 64
	}
	s = strings.TrimPrefix(strings.ToUpper(s), "SIG")
	for i, name := range strings.Fields(signalNames) {
		if name == s {
			return i + 1, true
		}
	}
	return 0, s == "EXIT"
}

func signalName(n int) string {
	if names := strings.Fields(signalNames); n >= 1 && n <= len(names) {
		return names[n-1]
	}
	return strconv.Itoa(n)
}
