//go:build linux

package wiring

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// label is what an interface's alias says: learn TAG bridge|cable ID [families whose forwarding was off].
type label struct {
	tag, kind, id string
	guards        []string
}

func (l label) String() string {
	return strings.Join(append([]string{"learn", l.tag, l.kind, l.id}, l.guards...), " ")
}

func readLabel(alias string) (label, bool) {
	words := strings.Fields(alias)
	if len(words) < 4 || words[0] != "learn" {
		return label{}, false
	}
	return label{words[1], words[2], words[3], words[4:]}, true
}

// owned: the interface is the home's, or was made for some home that died before it could label it. It dies with it: whoever makes an
// interface holds the lock until it is labelled.
func owned(l netlink.Link, want label, group uint32) bool {
	have, ok := readLabel(l.Attrs().Alias)
	if !ok {
		return unlabelled(l, group)
	}
	return have.tag == want.tag && have.kind == want.kind && have.id == want.id
}

func unlabelled(l netlink.Link, group uint32) bool {
	return l.Attrs().Alias == "" && l.Attrs().Group == group
}

// linkOf finds an interface; nil if there is none of this name.
func linkOf(h *netlink.Handle, name string) (netlink.Link, error) {
	l, err := h.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up interface %s: %w", name, err)
	}
	return l, nil
}

// makeBridge makes a network's bridge and labels it before anything is connected to it.
func makeBridge(h *netlink.Handle, b network.Bridge, l label) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.Group, attrs.HardwareAddr = b.Name, b.MTU, bridgeGroup, bridgeMAC(b.Network)
	br := &netlink.Bridge{LinkAttrs: attrs}
	if err := h.LinkAdd(br); err != nil {
		return nil, fmt.Errorf("make bridge %s: %w", b.Name, err)
	}
	if err := h.LinkSetAlias(br, l.String()); err != nil {
		return br, fmt.Errorf("label bridge %s: %w", b.Name, err)
	}
	return br, prepareBridge(h, br, b)
}

func prepareBridge(h *netlink.Handle, br netlink.Link, b network.Bridge) error {
	if err := settings6(b.Name, slices.ContainsFunc(b.Addresses, is6)); err != nil {
		return err
	}
	for _, a := range b.Addresses {
		if err := addAddress(h, br, a); err != nil {
			return err
		}
	}
	if err := h.LinkSetUp(br); err != nil {
		return fmt.Errorf("start bridge %s: %w", b.Name, err)
	}
	return nil
}

// bridgeMAC stays the same whoever is connected: a bridge without one of its own takes the lowest of its ports', and neighbours would have to
// learn it anew.
func bridgeMAC(id string) net.HardwareAddr {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return h.Sum([]byte{0x02, 0x6c})
}

func is6(p netip.Prefix) bool { return p.Addr().Is6() }

// settings6 keeps an interface from taking routes and addresses from whoever advertises them, from waiting for a second before it uses its
// link-local address lest another one has it (accept_dad), and from having IPv6 at all where its network has none.
func settings6(name string, wanted bool) error {
	off := "1"
	if wanted {
		off = "0"
	}
	for _, s := range [][2]string{{"accept_ra", "0"}, {"accept_dad", "0"}, {"disable_ipv6", off}} {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/"+s[0], []byte(s[1]), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			return fmt.Errorf("set %s of %s: %w", s[0], name, err)
		}
	}
	return nil
}

func addAddress(h *netlink.Handle, l netlink.Link, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: ipNet(p)}
	if is6(p) {
		a.Flags = unix.IFA_F_NODAD // the plan gives each address once; waiting for a second to answer would hold up every start
	}
	if err := h.AddrAdd(l, a); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("give %s address %s: %w", l.Attrs().Name, p, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// makeCable makes both ends of an endpoint's cable, one of them in the container's namespace, and connects the other to the bridge.
func makeCable(h *netlink.Handle, e network.Endpoint, l label, p port, netns int) (netlink.Link, error) {
	mac, err := net.ParseMAC(e.MAC)
	if err != nil {
		return nil, fmt.Errorf("make interface %s: %w", e.Interface, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.Group = e.HostEnd, e.MTU, cableGroup
	v := &netlink.Veth{LinkAttrs: attrs, PeerName: e.Interface, PeerHardwareAddr: mac, PeerMTU: uint32(e.MTU), PeerNamespace: netlink.NsFd(netns)}
	if err := h.LinkAdd(v); err != nil {
		return nil, fmt.Errorf("make cable %s to %s: %w", e.HostEnd, e.Interface, err)
	}
	if err := h.LinkSetAlias(v, l.String()); err != nil {
		return v, fmt.Errorf("label %s: %w", e.HostEnd, err)
	}
	return v, plug(h, v, p)
}

// port is how a cable is connected to a bridge (bridge(8)).
type port struct {
	bridge   netlink.Link
	isolated bool // it reaches the bridge, but no other isolated port
	hairpin  bool // what comes in may go out again the same way: to a container by its own published port, where the bridge filters (br_netfilter)
}

// plug connects a cable's end to a bridge.
func plug(h *netlink.Handle, end netlink.Link, p port) error {
	name := end.Attrs().Name
	if err := settings6(name, false); err != nil {
		return err
	}
	if err := h.LinkSetMasterByIndex(end, p.bridge.Attrs().Index); err != nil {
		return fmt.Errorf("connect %s to %s: %w", name, p.bridge.Attrs().Name, err)
	}
	if p.hairpin {
		if err := h.LinkSetHairpin(end, true); err != nil {
			return fmt.Errorf("let %s reach itself: %w", name, err)
		}
	}
	if p.isolated {
		if err := h.LinkSetIsolated(end, true); err != nil {
			return fmt.Errorf("isolate %s: %w", name, err)
		}
	}
	if err := h.LinkSetUp(end); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return nil
}

// maxListings bounds how often a listing is repeated while others come and go.
const maxListings = 100

// steady repeats a listing that the kernel says may be incomplete, because something changed meanwhile.
func steady[T any](list func() (T, error)) (found T, err error) {
	for range maxListings {
		if found, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return found, err
}

// listLinks lists interfaces of a kind, or those that are connected to a bridge; the kernel does the choosing.
func listLinks(filters ...nl.NetlinkRequestData) ([]netlink.Link, error) {
	return steady(func() ([]netlink.Link, error) { return listLinksOnce(filters) })
}

func listLinksOnce(filters []nl.NetlinkRequestData) ([]netlink.Link, error) {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	for _, f := range filters {
		req.AddData(f)
	}
	msgs, err := req.Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	links := make([]netlink.Link, 0, len(msgs))
	for _, m := range msgs {
		l, err := netlink.LinkDeserialize(nil, m)
		if err != nil {
			return nil, fmt.Errorf("read interface: %w", err)
		}
		links = append(links, l)
	}
	return links, nil
}

func ofKind(kind string) nl.NetlinkRequestData {
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated(kind))
	return info
}

// portsOf lists what is connected to a bridge.
func portsOf(bridge int) ([]netlink.Link, error) {
	links, err := listLinks(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(bridge))))
	return slices.DeleteFunc(links, func(l netlink.Link) bool { return l.Attrs().MasterIndex != bridge }), err
}

// deleteLinks removes interfaces all at once: the kernel waits for each removal until no packet can see the interface any more, and one
// request for a whole group waits but once.
func deleteLinks(h *netlink.Handle, links ...netlink.Link) error {
	if len(links) == 0 {
		return nil
	}
	for _, l := range links {
		if err := h.LinkSetGroup(l, doomedGroup); err != nil && !errors.Is(err, unix.ENODEV) { // it went with the container's namespace
			return fmt.Errorf("remove interface %s: %w", l.Attrs().Name, err)
		}
	}
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(doomedGroup)))
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove %d interfaces: %w", len(links), err)
	}
	return nil
}
