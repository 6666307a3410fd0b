package userland

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// runIP shows interfaces, addresses, routes and neighbours. It changes nothing.
func runIP(t *task, args []string) int {
	o, ok := t.options(args, "46", "")
	if !ok {
		return 1
	}
	const synopsis = "[-4|-6] addr|link|route|neigh [show] [dev NAME]"
	if len(o.args) == 0 {
		return t.usage(synopsis)
	}
	device := ""
	for _, word := range o.args[1:] {
		if !slices.Contains([]string{"show", "list", "ls", "dev"}, word) {
			device = word
		}
	}
	if slices.ContainsFunc([]string{"add", "del", "set", "flush", "change", "replace"}, func(w string) bool { return slices.Contains(o.args[1:], w) }) {
		return t.errorf("RTNETLINK answers: Operation not permitted")
	}
	family := func(a netip.Addr) bool { return !(o.has('4') && a.Is6() || o.has('6') && a.Is4()) }
	for name, show := range map[string]func([]Interface, func(netip.Addr) bool) int{
		"address": t.showAddresses, "link": t.showLinks, "route": t.showRoutes, "neighbour": t.showNeighbours, "neighbor": t.showNeighbours,
	} {
		if strings.HasPrefix(name, o.args[0]) {
			return t.onInterfaces(device, family, show)
		}
	}
	return t.errorf("Object \"%s\" is unknown, try \"%s\"", o.args[0], synopsis)
}

// onInterfaces has the interfaces shown, or the one that is called device.
func (t *task) onInterfaces(device string, family func(netip.Addr) bool, show func([]Interface, func(netip.Addr) bool) int) int {
	lister, ok := t.Dialer.(Interfaces)
	if !ok {
		return t.unable("list of interfaces")
	}
	all, err := lister.Interfaces()
	if err != nil {
		return t.errorf("%s", reason(err))
	}
	if device != "" {
		all = slices.DeleteFunc(all, func(i Interface) bool { return i.Name != device })
		if len(all) == 0 {
			return t.errorf("can't find device '%s'", device)
		}
	}
	return show(all, family)
}

func (t *task) showLink(i Interface) {
	flags, state, kind, mac, all := "BROADCAST,MULTICAST", "UP", "ether", i.MAC, "ff:ff:ff:ff:ff:ff"
	if i.MAC == "" {
		flags, state, kind, mac = "LOOPBACK", "UNKNOWN", "loopback", "00:00:00:00:00:00"
		all = mac
	}
	if i.Down {
		state = "DOWN"
	} else {
		flags += ",UP,LOWER_UP"
	}
	t.printf("%d: %s: <%s> mtu %d state %s\n    link/%s %s brd %s\n", i.Index, i.Name, flags, i.MTU, state, kind, mac, all)
}

func (t *task) showLinks(all []Interface, _ func(netip.Addr) bool) int {
	for _, i := range all {
		t.showLink(i)
	}
	return 0
}

func (t *task) showAddresses(all []Interface, family func(netip.Addr) bool) int {
	for _, i := range all {
		t.showLink(i)
		for _, p := range i.Addresses {
			if family(p.Addr()) {
				t.print("    " + addressLine(i.Name, p) + "\n       valid_lft forever preferred_lft forever\n")
			}
		}
	}
	return 0
}

func addressLine(device string, p netip.Prefix) string {
	scope := "global"
	switch {
	case p.Addr().IsLoopback():
		scope = "host"
	case p.Addr().IsLinkLocalUnicast():
		scope = "link"
	}
	if p.Addr().Is6() {
		return fmt.Sprintf("inet6 %s scope %s", p, scope)
	}
	brd := ""
	if scope == "global" && p.Bits() < 31 {
		a := p.Addr().As4()
		for i := p.Bits(); i < 32; i++ {
			a[i/8] |= 0x80 >> (i % 8)
		}
		brd = " brd " + netip.AddrFrom4(a).String()
	}
	return fmt.Sprintf("inet %s%s scope %s %s", p, brd, scope, device)
}

// showRoutes shows the routes of IPv4, which /proc/net/route has.
func (t *task) showRoutes(all []Interface, family func(netip.Addr) bool) int {
	data, err := t.readFile("/proc/net/route")
	if err != nil {
		return t.fail("/proc/net/route", err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 8 || f[0] == "Iface" || !family(netip.IPv4Unspecified()) {
			continue
		}
		at := slices.IndexFunc(all, func(i Interface) bool { return i.Name == f[0] })
		if at < 0 {
			continue
		}
		to, gateway, mask := kernelAddr(f[1]), kernelAddr(f[2]), kernelAddr(f[7])
		if !gateway.IsUnspecified() {
			t.printf("%s via %s dev %s\n", routeTo(to, mask), gateway, f[0])
			continue
		}
		src := ""
		if p := slices.IndexFunc(all[at].Addresses, func(p netip.Prefix) bool { return p.Masked().Addr() == to }); p >= 0 {
			src = " src " + all[at].Addresses[p].Addr().String()
		}
		t.printf("%s dev %s scope link%s\n", routeTo(to, mask), f[0], src)
	}
	return 0
}

func routeTo(to, mask netip.Addr) string {
	m, n := mask.As4(), 0
	for n < 32 && m[n/8]&(0x80>>(n%8)) != 0 {
		n++
	}
	if n == 0 && to.IsUnspecified() {
		return "default"
	}
	return netip.PrefixFrom(to, n).String()
}

// kernelAddr reads an address as /proc/net writes it: words of 32 bits in the machine's order, taken for that of a little-endian one.
func kernelAddr(word string) netip.Addr {
	raw, err := hex.DecodeString(word)
	if err != nil || len(raw)%4 != 0 {
		return netip.IPv4Unspecified()
	}
	for w := raw; len(w) > 0; w = w[4:] {
		slices.Reverse(w[:4])
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.IPv4Unspecified()
	}
	return a
}

func (t *task) showNeighbours(all []Interface, _ func(netip.Addr) bool) int {
	data, err := t.readFile("/proc/net/arp")
	if err != nil {
		return t.fail("/proc/net/arp", err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) == 6 && slices.ContainsFunc(all, func(i Interface) bool { return i.Name == f[5] }) {
			t.printf("%s dev %s lladdr %s\n", f[0], f[5], f[3])
		}
	}
	return 0
}

// tcpSocket is a row of /proc/net/tcp or tcp6.
type tcpSocket struct {
	proto         string
	local, remote netip.AddrPort
	state         int64
}

// States of a socket (tcp_states.h) as netstat(8) calls them.
func tcpStates() []string {
	return []string{"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"}
}

const tcpListens = 10

func (s tcpSocket) stateName() string {
	if names := tcpStates(); s.state > 0 && s.state < int64(len(names)) {
		return names[s.state]
	}
	return strconv.FormatInt(s.state, 10)
}

// tcpSockets reads the sockets that an option asks for: those that listen (l), the others, or all (a).
func (t *task) tcpSockets(o opts) []tcpSocket {
	var found []tcpSocket
	for _, proto := range []string{"tcp", "tcp6"} {
		data, err := t.readFile("/proc/net/" + proto)
		if err != nil {
			continue // a kernel may do without a family
		}
		for line := range strings.Lines(string(data)) {
			f := strings.Fields(line)
			if len(f) < 4 || !strings.HasSuffix(f[0], ":") {
				continue
			}
			s := tcpSocket{proto: proto, local: kernelAddrPort(f[1]), remote: kernelAddrPort(f[2])}
			s.state, _ = strconv.ParseInt(f[3], 16, 32)
			if o.has('a') || (s.state == tcpListens) == o.has('l') {
				found = append(found, s)
			}
		}
	}
	return found
}

func kernelAddrPort(word string) netip.AddrPort {
	host, port, _ := strings.Cut(word, ":")
	n, _ := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(kernelAddr(host), uint16(n))
}

// runSs lists sockets of TCP.
func runSs(t *task, args []string) int {
	o, ok := t.options(args, "latnpH46", "listening=l all=a tcp=t numeric=n processes=p no-header=H")
	if !ok {
		return 1
	}
	if !o.has('H') {
		t.printf("%-10s %6s %6s %24s %24s\n", "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port")
	}
	for _, s := range t.tcpSockets(o) {
		state := strings.ReplaceAll(s.stateName(), "_", "-")
		if state == "ESTABLISHED" {
			state = "ESTAB"
		}
		t.printf("%-10s %6d %6d %24s %24s\n", state, 0, 0, s.local, anyPort(s.remote, true))
	}
	return 0
}

func anyPort(a netip.AddrPort, brackets bool) string {
	text := a.String()
	if !brackets {
		text = fmt.Sprintf("%s:%d", a.Addr(), a.Port())
	}
	if a.Port() == 0 {
		text = strings.TrimSuffix(text, "0") + "*"
	}
	return text
}

// runNetstat lists sockets of TCP as the older program does.
func runNetstat(t *task, args []string) int {
	o, ok := t.options(args, "latnpwuxr46", "listening=l all=a tcp=t numeric=n route=r")
	if !ok {
		return 1
	}
	which := "w/o servers"
	switch {
	case o.has('a'):
		which = "servers and established"
	case o.has('l'):
		which = "only servers"
	}
	t.printf("Active Internet connections (%s)\nProto Recv-Q Send-Q Local Address           Foreign Address         State\n", which)
	for _, s := range t.tcpSockets(o) {
		t.printf("%-5s %6d %6d %-23s %-23s %s\n", s.proto, 0, 0, anyPort(s.local, false), anyPort(s.remote, false), s.stateName())
	}
	return 0
}
