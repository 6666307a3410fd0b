package docker

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	ctypes "github.com/moby/moby/api/types/container"
)

// portWay is what neighbouring ports have in common that are shown as one range: the address of the host, if they are published, and the protocol.
type portWay struct {
	ip       netip.Addr
	protocol string
}

type portRange struct{ first, last uint16 }

// portColumn is docker's PORTS: ranges of ports that have the same number on both sides, and then each that has not.
func portColumn(ports []ctypes.PortSummary) string {
	slices.SortFunc(ports, func(a, b ctypes.PortSummary) int {
		return cmp.Or(cmp.Compare(a.PrivatePort, b.PrivatePort), a.IP.Compare(b.IP), cmp.Compare(a.PublicPort, b.PublicPort), cmp.Compare(a.Type, b.Type))
	})
	var ways []portWay
	var done, mapped []string
	open := map[portWay]portRange{}
	for _, p := range ports {
		if p.IP.IsValid() && p.PublicPort != p.PrivatePort {
			mapped = append(mapped, net.JoinHostPort(p.IP.String(), strconv.Itoa(int(p.PublicPort)))+"->"+strconv.Itoa(int(p.PrivatePort))+"/"+p.Type)
			continue
		}
		way := portWay{p.IP, p.Type}
		r, begun := open[way]
		switch {
		case !begun:
			ways = append(ways, way)
			r.first = p.PrivatePort
		case p.PrivatePort != r.last+1:
			done = append(done, way.words(r))
			r.first = p.PrivatePort
		}
		r.last = p.PrivatePort
		open[way] = r
	}
	for _, w := range ways {
		done = append(done, w.words(open[w]))
	}
	return strings.Join(append(done, mapped...), ", ")
}

func (w portWay) words(r portRange) string {
	ports := strconv.Itoa(int(r.first))
	if r.first != r.last {
		ports += "-" + strconv.Itoa(int(r.last))
	}
	if w.ip.IsValid() {
		ports = net.JoinHostPort(w.ip.String(), ports) + "->" + ports
	}
	return ports + "/" + w.protocol
}
