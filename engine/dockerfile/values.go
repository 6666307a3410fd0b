package dockerfile

import (
	"fmt"
	"strconv"
	"strings"
)

// parsePorts reads 80, 80/udp, 8000-8010/tcp. Host addresses and ports before a colon are dropped, as docker does.
func parsePorts(spec string) ([]string, error) {
	ports, proto, hasProto := strings.Cut(spec, "/")
	proto = strings.ToLower(proto)
	if !hasProto {
		proto = "tcp"
	}
	if proto != "tcp" && proto != "udp" && proto != "sctp" {
		return nil, fmt.Errorf("protocol %q is none of tcp, udp, sctp", proto)
	}
	ports = ports[strings.LastIndexByte(ports, ':')+1:]
	low, high, isRange := strings.Cut(ports, "-")
	first, err := portNumber(low)
	last := first
	if err == nil && isRange {
		last, err = portNumber(high)
	}
	if err != nil {
		return nil, err
	}
	if last < first {
		return nil, fmt.Errorf("range %s ends before it begins", ports)
	}
	var out []string
	for p := first; p <= last; p++ {
		out = append(out, strconv.Itoa(p)+"/"+proto)
	}
	return out, nil
}

func portNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no number from 0 to 65535", s)
	}
	return int(n), nil
}

// validSignal accepts a number, or a name with or without SIG.
func validSignal(s string) bool {
	if n, err := strconv.Atoi(s); err == nil {
		return n >= 1 && n <= 64
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if rt, ok := strings.CutPrefix(name, "RTMIN"); ok {
		return rt == "" || rt[0] == '+'
	}
	if rt, ok := strings.CutPrefix(name, "RTMAX"); ok {
		return rt == "" || rt[0] == '-'
	}
	const names = " ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS " +
		"TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ "
	return name != "" && strings.Contains(names, " "+name+" ")
}
