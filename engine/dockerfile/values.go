package dockerfile

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// parsePorts reads 80, 80/udp, 8000-8010/tcp. A host's address and ports before it are checked and dropped, as docker does.
func parsePorts(spec string) ([]string, error) {
	host, container := "", spec
	if i := strings.LastIndexByte(spec, ':'); i >= 0 {
		host, container = spec[:i], spec[i+1:]
	}
	container, proto, _ := strings.Cut(container, "/")
	switch proto = strings.ToLower(proto); proto {
	case "":
		proto = "tcp"
	case "tcp", "udp", "sctp":
	default:
		return nil, fmt.Errorf("protocol %q is none of tcp, udp, sctp", proto)
	}
	first, last, err := portRange(container)
	if err != nil {
		return nil, err
	}
	if err := checkHostPart(host, last-first); err != nil {
		return nil, err
	}
	out := make([]string, 0, last-first+1)
	for p := first; p <= last; p++ {
		out = append(out, strconv.Itoa(p)+"/"+proto)
	}
	return out, nil
}

// checkHostPart checks IP:PORTS or PORTS for a range of the container that is longer than one port by more.
func checkHostPart(host string, more int) error {
	ip, ports := "", host
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		ip, ports = host[:i], host[i+1:]
	}
	if ip != "" {
		if _, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(ip, "["), "]")); err != nil {
			return fmt.Errorf("%q is no IP address", ip)
		}
	}
	if ports == "" {
		return nil
	}
	first, last, err := portRange(ports)
	if err != nil {
		return fmt.Errorf("port of the host: %w", err)
	}
	if more > 0 && last-first != more {
		return fmt.Errorf("%s and the range of the container are of different lengths", ports)
	}
	return nil
}

func portRange(s string) (first, last int, err error) {
	low, high, isRange := strings.Cut(s, "-")
	if first, err = portNumber(low); err != nil {
		return 0, 0, err
	}
	last = first
	if isRange {
		last, err = portNumber(high)
	}
	if err == nil && last < first {
		err = fmt.Errorf("range %s ends before it begins", s)
	}
	return first, last, err
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
		return rt == "" || rt[0] == '+' && isUpTo(rt[1:], 15)
	}
	if rt, ok := strings.CutPrefix(name, "RTMAX"); ok {
		return rt == "" || rt[0] == '-' && isUpTo(rt[1:], 14)
	}
	const names = " ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS " +
		"TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ "
	return name != "" && strings.Contains(names, " "+name+" ")
}

// isUpTo tells whether s is a number from 1 to most, without anything around it.
func isUpTo(s string, most int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= most && strconv.Itoa(n) == s
}
