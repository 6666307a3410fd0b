package container

import (
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
)

// The signals that the engine itself sends.
const (
	sigKill driver.Signal = 9
	sigTerm driver.Signal = 15
)

// signalNames are Linux's signals from 1 on (signal(7), the numbers of x86 and ARM).
var signalNames = [...]string{"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
	"ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
	"IO", "PWR", "SYS"}

const (
	rtMin, rtMax = 34, 64 // as the C library counts them
)

// ParseSignal reads a signal as docker kill -s takes it: a number, or a name with or without SIG, in any case.
func ParseSignal(s string) (driver.Signal, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 1 || n > rtMax {
			return 0, badSignal(s)
		}
		return driver.Signal(n), nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	for i, known := range signalNames {
		if known == name {
			return driver.Signal(i + 1), nil
		}
	}
	switch name {
	case "IOT":
		return 6, nil
	case "CLD":
		return 17, nil
	case "POLL":
		return 29, nil
	}
	return parseRealTime(s, name)
}

func parseRealTime(s, name string) (driver.Signal, error) {
	base := 0
	switch {
	case strings.HasPrefix(name, "RTMIN"):
		base = rtMin
	case strings.HasPrefix(name, "RTMAX"):
		base = rtMax
	default:
		return 0, badSignal(s)
	}
	if offset := name[len("RTMIN"):]; offset != "" {
		n, err := strconv.Atoi(offset)
		if err != nil {
			return 0, badSignal(s)
		}
		base += n
	}
	if base < rtMin || base > rtMax {
		return 0, badSignal(s)
	}
	return driver.Signal(base), nil
}

func badSignal(s string) error { return invalid("invalid signal: %s", s) }

// SignalName gives a signal's name, such as SIGTERM.
func SignalName(s driver.Signal) string {
	if s >= 1 && int(s) <= len(signalNames) {
		return "SIG" + signalNames[s-1]
	}
	if s >= rtMin && s <= rtMax {
		return "SIGRTMIN+" + strconv.Itoa(int(s)-rtMin)
	}
	return strconv.Itoa(int(s))
}

// stopSignal is the signal that asks the container to end.
func stopSignal(c *Container) driver.Signal {
	if s, err := ParseSignal(c.Config.StopSignal); err == nil {
		return s
	}
	return sigTerm
}
