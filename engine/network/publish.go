package network

import (
	"encoding/csv"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/network"
)

// maxPublished bounds what one container may ask for: every port there is, for two protocols.
const maxPublished = 2 * 65536

// Publication is what options -p and --expose come to.
type Publication struct {
	Exposed network.PortSet
	Ports   network.PortMap // HostPort: a number, a range to choose from, or empty for any that is free
}

// ParsePublish reads the values of -p: [[IP:]HOST[-END]:]PORT[-END][/tcp|udp|sctp], or in the long form target=,published=,protocol=. An
// IPv6 address stands in brackets.
func ParsePublish(values []string) (Publication, error) {
	p := Publication{Exposed: network.PortSet{}, Ports: network.PortMap{}}
	for _, v := range values {
		short, err := shortForm(v)
		if err != nil {
			return p, err
		}
		if err := p.add(short); err != nil {
			return p, err
		}
	}
	return p, nil
}

// ParseExpose adds the values of --expose, PORT[-END][/PROTOCOL], to set.
func ParseExpose(values []string, set network.PortSet) error {
	for _, v := range values {
		if strings.Contains(v, ":") {
			return invalid("invalid port format for --expose: %s", v)
		}
		ports, err := network.ParsePortRange(v)
		if err != nil {
			return invalid("invalid range format for --expose: %s, error: %v", v, err)
		}
		if !protocol(ports.Proto()) {
			return invalid("invalid proto: %s", ports.Proto())
		}
		for p := range ports.All() {
			set[p] = struct{}{}
		}
	}
	return nil
}

func protocol(p network.IPProtocol) bool {
	return p == network.TCP || p == network.UDP || p == network.SCTP
}

// shortForm turns the long form into the short one.
func shortForm(v string) (string, error) {
	if !strings.Contains(v, "=") {
		return v, nil
	}
	fields, err := csv.NewReader(strings.NewReader(v)).Read()
	if err != nil {
		return "", invalid("invalid publish opts format: %s: %v", v, err)
	}
	long := map[string]string{"protocol": "tcp"}
	for _, f := range fields {
		key, value, ok := strings.Cut(f, "=")
		if !ok || !slices.Contains([]string{"target", "published", "protocol", "mode"}, key) {
			return "", invalid("invalid publish opts format (should be name=value but got '%s')", f)
		}
		long[key] = value
	}
	return long["published"] + ":" + long["target"] + "/" + long["protocol"], nil
}

// add publishes what one value in the short form says.
func (p *Publication) add(v string) error {
	host, container, err := splitPublish(v)
	if err != nil {
		return err
	}
	if len(p.Exposed)+int(container.End()-container.Start()) > maxPublished {
		return invalid("%s: more than %d ports", v, maxPublished)
	}
	i := 0
	for port := range container.All() {
		p.Exposed[port] = struct{}{}
		p.Ports[port] = append(p.Ports[port], network.PortBinding{HostIP: host.ip, HostPort: host.port(i, container)})
		i++
	}
	return nil
}

// hostSide is where on the host ports are published.
type hostSide struct {
	ip         netip.Addr // not valid: on every address
	start, end uint16     // 0: any free one
}

// port is the one for the ith port of the container: one of as many, or any of several when the container has but one.
func (h hostSide) port(i int, container network.PortRange) string {
	switch {
	case h.start == 0:
		return ""
	case container.Start() == container.End() && h.start != h.end:
		return strconv.Itoa(int(h.start)) + "-" + strconv.Itoa(int(h.end))
	}
	return strconv.Itoa(int(h.start) + i)
}

func splitPublish(v string) (host hostSide, container network.PortRange, err error) {
	rest, word := "", v
	if i := strings.LastIndex(v, ":"); i >= 0 {
		rest, word = v[:i], v[i+1:]
	}
	ports, proto, _ := strings.Cut(word, "/")
	if ports == "" {
		return host, container, invalid("no port specified: %s<empty>", v)
	}
	if container, err = network.ParsePortRange(strings.ToLower(word)); err != nil || container.Start() == 0 {
		return host, container, invalid("invalid containerPort: %s", ports)
	}
	if !protocol(container.Proto()) {
		return host, container, invalid("invalid proto: %s", proto)
	}
	ip, hostPorts := "", rest
	if i := strings.LastIndex(rest, ":"); i >= 0 {
		ip, hostPorts = rest[:i], rest[i+1:]
	}
	if host.ip, err = hostAddress(ip); err != nil {
		return host, container, err
	}
	return host, container, host.take(hostPorts, container, ports)
}

func hostAddress(word string) (netip.Addr, error) {
	if word == "" {
		return netip.Addr{}, nil
	}
	bare, bracketed := strings.CutPrefix(word, "[")
	if bracketed {
		bare = strings.TrimSuffix(bare, "]")
	}
	ip, err := netip.ParseAddr(bare)
	if err != nil || ip.Is6() != bracketed || ip.Zone() != "" {
		return netip.Addr{}, invalid("invalid IP address: %s", word)
	}
	return ip, nil
}

// take reads the host's ports, which must be as many as the container's, or any number for one.
func (h *hostSide) take(word string, container network.PortRange, containerWord string) error {
	if word == "" {
		return nil
	}
	ports, err := network.ParsePortRange(word)
	if err != nil || strings.Contains(word, "/") {
		return invalid("invalid hostPort: %s", word)
	}
	h.start, h.end = ports.Start(), ports.End()
	if n := container.End() - container.Start(); n != 0 && n != h.end-h.start {
		return invalid("invalid ranges specified for container and host Ports: %s and %s", containerWord, word)
	}
	return nil
}
