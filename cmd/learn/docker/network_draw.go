package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/reach"
)

// networkDrawing draws the way of a packet through a network: from the ports of the host over the rules to the bridge, and from there by each
// container's cable into it. Lines are at most width columns long, unless one word is longer.
type networkDrawing struct {
	networkPicture
	pen
	width int
	out   strings.Builder
}

const maxNameShown = 40

// drawNetwork gives the drawing as text.
func drawNetwork(p networkPicture, pen pen, width int) string {
	d := &networkDrawing{networkPicture: p, pen: pen, width: width}
	d.head()
	if d.Driver != "bridge" {
		d.predefined()
		return d.out.String()
	}
	if len(d.Members) > 0 {
		d.ways()
	} else {
		d.text("  ", "No container runs in it: its bridge is made when the first one starts in it, and goes with the last.")
	}
	d.passes()
	d.names()
	d.byHand()
	return d.out.String()
}

// text writes words, made harmless, on as many lines as they need. Those after the first begin with the same columns as the first but a little
// further in.
func (d *networkDrawing) text(first, words string) { d.hang(first, first+"  ", words) }

func (d *networkDrawing) hang(first, next, words string) {
	line := first
	fresh := true
	for _, w := range strings.Fields(format.Clean(words)) {
		if !fresh && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > d.width {
			d.line(line)
			line, fresh = next, true
		}
		if !fresh {
			line += " "
		}
		line, fresh = line+w, false
	}
	d.line(line)
}

func (d *networkDrawing) line(s string) { d.out.WriteString(strings.TrimRight(s, " ") + "\n") }

func (d *networkDrawing) head() {
	what := ""
	if len(d.Subnets) > 0 {
		what = ": " + strings.Join(d.Subnets, ", ")
	}
	d.hang("", "  ", fmt.Sprintf("Network %s (%s)%s", short(d.Name, maxNameShown), format.ID(d.ID), what))
}

func (d *networkDrawing) predefined() {
	if d.Driver == "host" {
		d.text("  ", "Its containers have no network of their own: they see the interfaces of this machine, and what they listen on is open on it. There is no bridge, no cable and no published port on the way.")
		return
	}
	d.text("  ", "Its containers have a loopback interface and nothing else: no way leads in or out.")
}

// ways draws the ports, the bridge and the cables.
func (d *networkDrawing) ways() {
	published := 0
	for _, m := range d.Members {
		published += len(m.Ports)
	}
	d.line("")
	if published > 0 {
		d.line("  from outside: the ports of this machine")
		d.line("  " + d.down)
		for _, m := range d.Members {
			for _, p := range m.Ports {
				d.port(m, p)
			}
		}
	} else {
		d.line("  from outside: no port of this machine leads here")
		d.line("  " + d.down)
	}
	d.line("  " + d.end)
	d.bridge()
	for i, m := range d.Members {
		d.line("  " + d.down)
		d.member(m, i == len(d.Members)-1)
	}
}

// port draws one published port, and what carries its packets to the container.
func (d *networkDrawing) port(m networkMember, p network.Published) {
	d.hang("  "+d.tee+" ", "  "+d.down+"    ", fmt.Sprintf("%s/%s %s %s of %s", netip.AddrPortFrom(p.HostIP, p.HostPort), p.Protocol, d.arrow, p.To, short(m.Name, maxNameShown)))
	below := "  " + d.down + "    "
	switch rule, found := m.rule(p); {
	case d.Simulated:
		d.text(below, "by the switch of the simulated machine")
	case found:
		d.text(below, "by the rule in "+rule.Place+": "+rule.Bare()+gone(rule.Missing)+"; it rewrites the destination (DNAT)")
		if p.HostIP.IsUnspecified() {
			d.text(below, "from this machine's loopback: a process of the engine listens, and passes on")
		}
	default:
		d.text(below, "a process of the engine listens, and passes on what comes")
	}
}

// rule is the element of the firewall that leads a published port to the container.
func (m networkMember) rule(p network.Published) (driver.Wire, bool) {
	key := fmt.Sprintf("%s . %d ", p.Protocol, p.HostPort)
	place := "ports"
	if !p.HostIP.IsUnspecified() {
		place, key = "at", p.HostIP.Unmap().String()+" . "+key
	}
	for _, w := range m.Wires {
		sameFamily := strings.HasSuffix(w.Place, "4") == p.HostIP.Unmap().Is4()
		if w.Kind == driver.WireRule && w.Container == m.ID && strings.HasPrefix(w.Place, place) && sameFamily && strings.HasPrefix(w.Rule, key) {
			return w, true
		}
	}
	return driver.Wire{}, false
}

func gone(missing bool) string {
	if missing {
		return " (MISSING: the machine has lost it)"
	}
	return ""
}

// missing reports whether the machine has lost an interface.
func (d *networkDrawing) missing(kind driver.WireKind, iface string) bool {
	for _, m := range d.Members {
		if slices.ContainsFunc(m.Wires, func(w driver.Wire) bool { return w.Kind == kind && w.Interface == iface && w.Missing }) {
			return true
		}
	}
	return false
}

func (d *networkDrawing) bridge() {
	var gateways []string
	for _, a := range d.Bridge.Addresses {
		gateways = append(gateways, a.String())
	}
	what, whose := d.Bridge.Name+", a bridge: a switch in software", "this machine's own address on it, the gateway: "
	switch {
	case d.Simulated:
		what = d.Bridge.Name + ", the simulated machine's switch"
	case d.Userspace:
		what, whose = "no bridge, for that takes root: each container's supervisor passes frames on to its neighbours'", "the gateway, for which each supervisor answers: "
	}
	d.hang("  ", "    ", what+gone(d.missing(driver.WireBridge, d.Bridge.Name)))
	if len(gateways) > 0 {
		d.hang("  "+d.down+"    ", "  "+d.down+"    ", whose+strings.Join(gateways, ", "))
	}
}

// member draws a container's cable and what it has at its end.
func (d *networkDrawing) member(m networkMember, last bool) {
	branch, below := d.tee, "  "+d.down+"    "
	if last {
		branch, below = d.last, "       "
	}
	e := m.Endpoint
	far := e.HostEnd
	if d.Userspace {
		far = "its supervisor"
	}
	d.hang("  "+branch+" ", below, fmt.Sprintf("%s %s %s in %s (%s)%s", far, d.cable, e.Interface, short(m.Name, maxNameShown), format.ID(m.ID), gone(d.missing(driver.WireCable, e.HostEnd))))
	var addresses []string
	for _, a := range e.Addresses {
		addresses = append(addresses, a.String())
	}
	d.text(below, strings.Join(addresses, ", ")+", hardware address "+e.MAC)
	if len(e.Gateways) > 0 {
		var by []string
		for _, g := range e.Gateways {
			by = append(by, g.String())
		}
		d.text(below, "sends to all others by "+strings.Join(by, ", ")+" (its default route)")
	}
	d.text(below, listenWords(m))
	if len(m.Names) > 0 {
		d.text(below, "called "+strings.Join(m.Names, ", "))
	}
}

func listenWords(m networkMember) string {
	if !m.Looked {
		return "what listens in it can't be seen here"
	}
	var open, inside []string
	for _, s := range m.Sockets {
		switch text := s.String() + "/" + s.Protocol; {
		case s.Address.String() == network.ResolverAddress: // the container's name server
		case s.Address.IsLoopback():
			inside = append(inside, text)
		default:
			open = append(open, text)
		}
	}
	words := "nothing listens in it"
	if len(open) > 0 {
		words = "listens on " + someOf(open)
	}
	if len(inside) > 0 {
		words += "; on its own loopback, reached from inside only: " + someOf(inside)
	}
	return words + deaf(m)
}

// deaf names published ports that nobody takes.
func deaf(m networkMember) string {
	var ports []string
	for _, p := range m.Ports {
		port := reach.Port{Number: p.To.Port(), Protocol: string(p.Protocol)}
		taken := slices.ContainsFunc(m.Sockets, func(s reach.Socket) bool { return s.Port == port && !s.Address.IsLoopback() })
		if !taken && !slices.Contains(ports, port.String()) {
			ports = append(ports, port.String())
		}
	}
	if len(ports) == 0 {
		return ""
	}
	return "; NOBODY takes what comes for " + someOf(ports) + ": learn why " + m.Name
}

func someOf(list []string) string {
	const most = 8
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// passes says what gets from where to where.
func (d *networkDrawing) passes() {
	d.line("")
	d.line("  What may pass")
	row := func(from, says string) { d.hang(fmt.Sprintf("    %-24s ", from), strings.Repeat(" ", 29), says) }
	b := d.Bridge
	within := "yes, directly from neighbour to neighbour"
	if b.Isolated {
		within = "no: its containers are kept apart (enable_icc=false)"
	}
	row("within the network", within+d.by("within"))
	switch {
	case b.Internal:
		row("to the outside", "no: the network is internal"+d.by("internal"))
		row("from the outside", "no, published ports included")
	case d.Userspace:
		row("to the outside", "by pasta or slirp4netns, if one is installed: learn doctor says which")
	case b.Hidden:
		row("to the outside", "yes; the source becomes this machine's address (masquerade), so that answers find back"+d.by("hidden"))
	default:
		row("to the outside", "yes, with the containers' own addresses: others must know the way to them")
	}
	if !b.Internal {
		row("from the outside", "answers, and what comes for a published port")
	}
	row("from other networks", "nothing but that")
}

// by names the element of a set that says so, where there is one.
func (d *networkDrawing) by(set string) string {
	for _, m := range d.Members {
		for _, w := range m.Wires {
			if w.Kind == driver.WireRule && w.Network == d.ID && strings.HasPrefix(w.Place, set) {
				return "; by " + w.Bare() + " in " + w.Place + gone(w.Missing)
			}
		}
	}
	return ""
}

func (d *networkDrawing) names() {
	d.line("")
	d.line("  Names")
	if d.Default {
		d.text("    ", "none: in this network names of containers lead nowhere, only addresses do; make one of your own for names")
		return
	}
	var known []string
	for _, m := range d.Members {
		known = append(known, m.Names...)
	}
	if len(known) == 0 {
		d.text("    ", "each container in it is found by its name and aliases, as long as it runs")
		return
	}
	d.text("    ", "each container asks its own name server, "+network.ResolverAddress+", which knows "+someOf(known))
}

// byHand says which other tools show the same.
func (d *networkDrawing) byHand() {
	if len(d.Members) == 0 {
		return
	}
	d.line("")
	d.line("  The same by hand")
	inside := "docker exec " + short(d.Members[0].Name, maxNameShown) + " ip addr; docker exec " + short(d.Members[0].Name, maxNameShown) + " ip route"
	if d.Simulated {
		d.text("    ", inside)
		return
	}
	for _, m := range d.Members {
		for _, w := range m.Wires {
			if w.Kind == driver.WireRule && w.Container == m.ID || w.Network == d.ID && w.Table != "" {
				d.text("    ", "ip addr show "+d.Bridge.Name+"; bridge link; nft list table "+w.Table)
				d.text("    ", inside)
				return
			}
		}
	}
	d.text("    ", inside)
}
