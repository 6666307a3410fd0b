//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// Host is this machine, as one home uses it. It holds nothing open between calls.
type Host struct {
	Owner  string       // of all that is made: the home's folder
	Report func(Change) // is told each change once it is made; nil: nobody is
}

// Connect carries out a plan for a container whose network namespace is open as netns. Bridges that are there are used. Ports must have been
// chosen: HostPort is the one. An error leaves nothing of the plan behind.
func (w Host) Connect(ctx context.Context, plan network.Plan, netns int) error {
	return w.locked(ctx, func(s *session) error {
		err := s.connect(ctx, plan, netns)
		if err != nil {
			err = errors.Join(err, s.undo())
		}
		return err
	})
}

// Disconnect takes back what Connect made for a plan, and each bridge that nothing is connected to any more. What is gone already, or is
// somebody else's by now, is no error.
func (w Host) Disconnect(ctx context.Context, plan network.Plan) error {
	return w.locked(ctx, func(s *session) error { return s.disconnect(plan) })
}

// session is one change of the machine: made under the lock, by two sockets to the kernel.
type session struct {
	Host
	links *netlink.Handle
	table *table

	// what an error takes back
	made     []netlink.Link
	elements []element
	fresh    bool // the table was made in this session, so that it knows no bridge yet
}

func (w Host) locked(ctx context.Context, do func(*session) error) error {
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	s := &session{Host: w}
	if s.links, err = netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_NETFILTER); err != nil {
		return fmt.Errorf("open rtnetlink: %w", err)
	}
	defer s.links.Close()
	if s.table, err = openTable(ctx, w.Owner); err != nil {
		return err
	}
	return errors.Join(do(s), s.table.close())
}

func (s *session) report(changes ...Change) {
	if s.Report == nil {
		return
	}
	for _, c := range changes {
		s.Report(c)
	}
}

func (s *session) connect(ctx context.Context, plan network.Plan, netns int) error {
	if err := s.forward(plan.Bridges); err != nil {
		return err
	}
	if err := s.makeTable(); err != nil {
		return err
	}
	bridges := map[string]netlink.Link{}
	for _, b := range plan.Bridges {
		br, err := s.bridge(b)
		if err != nil {
			return err
		}
		bridges[b.Name] = br
	}
	if err := s.addElements("", plan.Container, containerElements(plan)); err != nil {
		return err
	}
	if err := forgetFlows(s.links, plan.Ports); err != nil {
		return err
	}
	for _, e := range plan.Endpoints {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.endpoint(plan, e, bridges[e.Bridge], netns); err != nil {
			return err
		}
	}
	return nil
}

// forward switches on what the bridges need.
func (s *session) forward(bridges []network.Bridge) error {
	for _, f := range forwardings() {
		if !f.needed(bridges) {
			continue
		}
		made, err := f.enable(s.table.conn)
		if err != nil {
			return err
		}
		if made {
			s.report(f.changes()...)
		}
	}
	return nil
}

func (s *session) makeTable() error {
	there, err := s.table.exists()
	if err != nil || there {
		return err
	}
	if err := s.table.addStatic(); err != nil {
		return err
	}
	if err := s.table.commit(); err != nil {
		return err
	}
	s.fresh = true
	s.report(describeRules(s.Owner)...)
	return nil
}

// bridge finds or makes a network's bridge, and has the rules know of it.
func (s *session) bridge(b network.Bridge) (netlink.Link, error) {
	l, err := s.label("bridge", b.Network)
	if err != nil {
		return nil, err
	}
	br, err := s.ours(b.Name, l, bridgeGroup)
	if err != nil {
		return nil, err
	}
	if br != nil && !s.fresh {
		return br, nil
	}
	if br == nil {
		if br, err = s.makeBridge(b, l); err != nil {
			return nil, err
		}
	}
	return br, s.addElements(b.Network, "", bridgeElements(b))
}

func (s *session) makeBridge(b network.Bridge, l label) (netlink.Link, error) {
	br, err := makeBridge(s.links, b, l)
	if br != nil {
		s.made = append(s.made, br)
	}
	if err != nil {
		return nil, err
	}
	s.report(describeBridge(b)...)
	return br, nil
}

// label is what an interface of the home is labelled with from now on.
func (s *session) label(kind, id string) (label, error) {
	l := label{tag: Tag(s.Owner), kind: kind, id: id}
	if kind != "bridge" {
		return l, nil
	}
	for _, f := range forwardings() {
		ours, err := f.guarded(s.table.conn)
		if err != nil {
			return l, err
		}
		if ours {
			l.guards = append(l.guards, f.name)
		}
	}
	return l, nil
}

// ours finds an interface of the home, bringing its label up to date; nil if there is none. One that a killed process did not get to label is
// removed.
func (s *session) ours(name string, want label, group uint32) (netlink.Link, error) {
	l, err := linkOf(s.links, name)
	if err != nil || l == nil {
		return nil, err
	}
	if !owned(l, want, group) {
		return nil, fmt.Errorf("interface %s is there already, and not for %s %s", name, want.kind, want.id)
	}
	switch alias := l.Attrs().Alias; {
	case alias == "":
		return nil, deleteLinks(s.links, l)
	case alias != want.String():
		return l, s.links.LinkSetAlias(l, want.String())
	}
	return l, nil
}

// addElements adds those that are not there yet, in one batch.
func (s *session) addElements(net, container string, wanted []element) error {
	_, missing, err := s.table.split(wanted)
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := taken(missing); err != nil {
		return err
	}
	if err := s.table.add(missing); err != nil {
		return err
	}
	if err := s.table.commit(); err != nil {
		return err
	}
	s.elements = append(s.elements, missing...)
	s.report(describeElements(s.Owner, net, container, missing)...)
	return nil
}

// taken refuses a port that leads somewhere already. Other elements give way: an address or an interface has one owner, and the plan says who.
func taken(missing []element) error {
	for _, e := range missing {
		if e.value != nil && e.instead != "" {
			return fmt.Errorf("publish %s: %s has this port", e.text, e.instead)
		}
	}
	return nil
}

func (s *session) endpoint(plan network.Plan, e network.Endpoint, bridge netlink.Link, netns int) error {
	if bridge == nil {
		return fmt.Errorf("connect %s: the plan has no bridge %s", e.Interface, e.Bridge)
	}
	l, err := s.label("cable", plan.Container)
	if err != nil {
		return err
	}
	cable, err := makeCable(s.links, e, l, portFor(plan, e, bridge), netns)
	if cable != nil {
		s.made = append(s.made, cable)
	}
	if err != nil {
		return err
	}
	if err := inside(netns, func(h *netlink.Handle) error { return configure(h, e) }); err != nil {
		return err
	}
	s.report(describeEndpoint(plan.Container, e)...)
	return nil
}

func portFor(plan network.Plan, e network.Endpoint, bridge netlink.Link) port {
	p := port{bridge: bridge, hairpin: len(plan.Ports) > 0}
	for _, b := range plan.Bridges {
		p.isolated = p.isolated || b.Name == e.Bridge && b.Isolated
	}
	return p
}

// undo takes back what this session has made, rules after what they protect from.
func (s *session) undo() error {
	errs := []error{deleteLinks(s.links, s.made...)}
	if len(s.elements) > 0 {
		errs = append(errs, s.table.remove(s.elements), s.table.commit())
	}
	return errors.Join(append(errs, s.tidy())...)
}

func (s *session) disconnect(plan network.Plan) error {
	doomed, err := s.cables(plan)
	if err != nil {
		return err
	}
	bridges, gone, err := s.emptied(plan.Bridges, doomed)
	if err != nil {
		return err
	}
	if err := deleteLinks(s.links, append(doomed, bridges...)...); err != nil {
		return err
	}
	s.reportGone(plan, bridges)
	if err := s.removeElements(append(containerElements(plan), gone...)); err != nil {
		return err
	}
	if err := forgetFlows(s.links, plan.Ports); err != nil || len(gone) == 0 {
		return err
	}
	return s.tidy()
}

// reportGone tells of all that a container was connected by, also of what had gone before, and of the bridges that went with it.
func (s *session) reportGone(plan network.Plan, gone []netlink.Link) {
	for _, e := range plan.Endpoints {
		s.report(Change{Kind: KindCable, Container: plan.Container, Network: e.Network, Interface: e.HostEnd, Peer: e.Interface, Gone: true})
	}
	for _, b := range plan.Bridges {
		if slices.ContainsFunc(gone, func(l netlink.Link) bool { return l.Attrs().Name == b.Name }) {
			s.report(Change{Kind: KindBridge, Network: b.Network, Interface: b.Name, Gone: true})
		}
	}
}

// cables finds a container's, by their ends on the host.
func (s *session) cables(plan network.Plan) (found []netlink.Link, err error) {
	for _, e := range plan.Endpoints {
		l, err := linkOf(s.links, e.HostEnd)
		if err != nil {
			return nil, err
		}
		if l != nil && owned(l, label{tag: Tag(s.Owner), kind: "cable", id: plan.Container}, cableGroup) {
			found = append(found, l)
		}
	}
	return found, nil
}

// emptied finds those bridges that nothing but the doomed is connected to, and the elements that go with them, or should have gone.
func (s *session) emptied(bridges []network.Bridge, doomed []netlink.Link) (empty []netlink.Link, gone []element, err error) {
	for _, b := range bridges {
		l, err := linkOf(s.links, b.Name)
		if err != nil {
			return nil, nil, err
		}
		if l != nil && !owned(l, label{tag: Tag(s.Owner), kind: "bridge", id: b.Network}, bridgeGroup) {
			continue
		}
		if l != nil {
			used, err := inUse(l, doomed)
			if err != nil {
				return nil, nil, err
			}
			if used {
				continue
			}
			empty = append(empty, l)
		}
		gone = append(gone, bridgeElements(b)...)
	}
	return empty, gone, nil
}

// inUse: something is connected to the bridge that is not doomed.
func inUse(bridge netlink.Link, doomed []netlink.Link) (bool, error) {
	ports, err := portsOf(bridge.Attrs().Index)
	return slices.ContainsFunc(ports, func(p netlink.Link) bool {
		return !slices.ContainsFunc(doomed, func(d netlink.Link) bool { return d.Attrs().Index == p.Attrs().Index })
	}), err
}

// removeElements removes those that are there, in one batch.
func (s *session) removeElements(wanted []element) error {
	there, _, err := s.table.split(wanted)
	if err != nil || len(there) == 0 {
		return err
	}
	if err := s.table.remove(there); err != nil {
		return err
	}
	return s.table.commit()
}

// tidy drops the home's table when it has no bridge, and lets go of forwarding when no home has one.
func (s *session) tidy() error {
	bridges, err := listLinks(ofKind("bridge"))
	if err != nil {
		return err
	}
	mine, any := false, false
	for _, l := range bridges {
		have, ok := readLabel(l.Attrs().Alias)
		any = any || l.Attrs().Group == bridgeGroup
		mine = mine || ok && have.kind == "bridge" && have.tag == Tag(s.Owner)
	}
	if !mine {
		if err := s.table.drop(); err != nil {
			return err
		}
	}
	if any {
		return nil
	}
	for _, f := range forwardings() {
		if err := f.release(s.table.conn); err != nil {
			return err
		}
	}
	return nil
}
