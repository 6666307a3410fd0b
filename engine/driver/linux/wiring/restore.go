//go:build linux

package wiring

import (
	"context"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// Missing lists what the plans of connected containers say and this machine does not have any more. What is inside the containers is theirs,
// and not looked at. It changes nothing.
func (w Host) Missing(ctx context.Context, plans []network.Plan) ([]Change, error) {
	var missing []Change
	err := w.locked(ctx, func(s *session) error {
		gaps, err := s.gaps(ctx, plans)
		for _, g := range gaps {
			missing = append(missing, g.missing...)
		}
		return err
	})
	return missing, err
}

// Restore puts back what Missing lists, and gives what it could not put back: a cable needs the container's namespace, hence Connect. Rules
// come back before interfaces do.
func (w Host) Restore(ctx context.Context, plans []network.Plan) (lost []Change, err error) {
	err = w.locked(ctx, func(s *session) error {
		gaps, err := s.gaps(ctx, plans)
		if err != nil {
			return err
		}
		for _, g := range gaps {
			if g.mend == nil {
				lost = append(lost, g.missing...)
				continue
			}
			if err := g.mend(); err != nil {
				return err
			}
			s.report(g.missing...)
		}
		return nil
	})
	return lost, err
}

// gap is what is missing in one place, and how to fill it; nil: it can't be.
type gap struct {
	missing []Change
	mend    func() error
}

// gaps compares this machine with the plans. A gap may be filled once those before it are.
func (s *session) gaps(ctx context.Context, plans []network.Plan) ([]gap, error) {
	if len(plans) == 0 {
		return nil, nil
	}
	bridges := bridgesOf(plans)
	found, err := s.forwardingGaps(bridges)
	if err != nil {
		return found, err
	}
	rules, err := s.ruleGaps(bridges, plans)
	if err != nil {
		return found, err
	}
	found = append(found, rules...)
	for _, b := range bridges {
		more, err := s.bridgeGaps(b)
		if err != nil {
			return found, err
		}
		found = append(found, more...)
	}
	for _, p := range plans {
		for _, e := range p.Endpoints {
			if err := ctx.Err(); err != nil {
				return found, err
			}
			more, err := s.cableGaps(p, e)
			if err != nil {
				return found, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

// bridgesOf lists each bridge of the plans once.
func bridgesOf(plans []network.Plan) []network.Bridge {
	var all []network.Bridge
	for _, p := range plans {
		for _, b := range p.Bridges {
			if !slices.ContainsFunc(all, func(have network.Bridge) bool { return have.Name == b.Name }) {
				all = append(all, b)
			}
		}
	}
	return all
}

// forwardingGaps: forwarding was switched off by somebody, or what guards it is gone. That it should be guarded is known by the labels of the
// bridges since then.
func (s *session) forwardingGaps(bridges []network.Bridge) ([]gap, error) {
	var found []gap
	links, err := listLinks(ofKind("bridge"))
	if err != nil {
		return nil, err
	}
	for _, f := range forwardings() {
		guarded, err := f.guarded(s.table.conn)
		if err != nil {
			return found, err
		}
		if !guarded && slices.ContainsFunc(links, func(l netlink.Link) bool { return labelGuards(l, f.name) }) {
			found = append(found, gap{f.changes()[:1], func() error { return f.guard(s.table.conn) }})
		}
		if !f.needed(bridges) {
			continue
		}
		on, err := f.on()
		if err != nil {
			return found, err
		}
		if !on {
			found = append(found, gap{f.changes()[1:], func() error { _, err := f.enable(s.table.conn); return err }})
		}
	}
	return found, nil
}

func labelGuards(l netlink.Link, family string) bool {
	have, ok := readLabel(l.Attrs().Alias)
	return ok && l.Attrs().Group == bridgeGroup && slices.Contains(have.guards, family)
}

// ruleGaps: all that is missing in the home's table is put back in one batch.
func (s *session) ruleGaps(bridges []network.Bridge, plans []network.Plan) ([]gap, error) {
	var missing []Change
	var elements []element
	intact, err := s.table.intact()
	if err != nil {
		return nil, err
	}
	if !intact {
		missing = describeRules(s.Owner)
	}
	look := func(net, container string, wanted []element) error {
		_, gone, err := s.table.split(wanted)
		elements = append(elements, gone...)
		missing = append(missing, describeElements(s.Owner, net, container, gone)...)
		return err
	}
	for _, b := range bridges {
		if err := look(b.Network, "", bridgeElements(b)); err != nil {
			return nil, err
		}
	}
	for _, p := range plans {
		if err := look("", p.Container, containerElements(p)); err != nil {
			return nil, err
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	return []gap{{missing, func() error { return s.mendRules(intact, elements) }}}, nil
}

func (s *session) mendRules(intact bool, elements []element) error {
	if !intact {
		if err := s.table.addStatic(); err != nil {
			return err
		}
	}
	if err := taken(elements); err != nil {
		return err
	}
	if err := s.table.add(elements); err != nil {
		return err
	}
	return s.table.commit()
}

func (s *session) bridgeGaps(b network.Bridge) ([]gap, error) {
	l, err := linkOf(s.links, b.Name)
	if err != nil {
		return nil, err
	}
	want, err := s.label("bridge", b.Network)
	if err != nil {
		return nil, err
	}
	if l == nil || unlabelled(l, bridgeGroup) {
		return []gap{{describeBridge(b), func() error { _, err := s.remakeBridge(b, want); return err }}}, nil
	}
	if !owned(l, want, bridgeGroup) {
		return nil, fmt.Errorf("interface %s is there already, and not for network %s", b.Name, b.Network)
	}
	have, err := steady(func() ([]netlink.Addr, error) { return s.links.AddrList(l, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", b.Name, err)
	}
	var missing []Change
	for _, c := range describeBridge(b)[1:] {
		if !slices.ContainsFunc(have, func(a netlink.Addr) bool { return a.IPNet.String() == ipNet(c.Address).String() }) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 && l.Attrs().RawFlags&unix.IFF_UP != 0 {
		return nil, nil
	}
	if len(missing) == 0 {
		missing = describeBridge(b)[:1]
	}
	return []gap{{missing, func() error { return prepareBridge(s.links, l, b) }}}, nil
}

func (s *session) remakeBridge(b network.Bridge, l label) (netlink.Link, error) {
	if half, err := s.ours(b.Name, l, bridgeGroup); err != nil || half != nil {
		return half, err
	}
	return makeBridge(s.links, b, l)
}

// cableGaps: the end on the host is gone, or not connected to its bridge. A bridge that is gone takes its connections with it.
func (s *session) cableGaps(p network.Plan, e network.Endpoint) ([]gap, error) {
	end, err := linkOf(s.links, e.HostEnd)
	if err != nil {
		return nil, err
	}
	missing := describeEndpoint(p.Container, e)
	if end == nil {
		return []gap{{missing: missing}}, nil
	}
	if !owned(end, label{tag: Tag(s.Owner), kind: "cable", id: p.Container}, cableGroup) {
		return nil, fmt.Errorf("interface %s is there already, and not for container %s", e.HostEnd, p.Container)
	}
	bridge, err := linkOf(s.links, e.Bridge)
	if err != nil {
		return nil, err
	}
	if bridge != nil && end.Attrs().MasterIndex == bridge.Attrs().Index && end.Attrs().RawFlags&unix.IFF_UP != 0 {
		return nil, nil
	}
	return []gap{{missing[:1], func() error { return s.replug(p, e, end) }}}, nil
}

func (s *session) replug(p network.Plan, e network.Endpoint, end netlink.Link) error {
	bridge, err := linkOf(s.links, e.Bridge)
	if err != nil {
		return err
	}
	if bridge == nil {
		return fmt.Errorf("connect %s: there is no bridge %s", e.HostEnd, e.Bridge)
	}
	return plug(s.links, end, portFor(p, e, bridge))
}
