//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// Sweep removes what belongs to the home and to no living container: interfaces, rules, and then the networks that nothing is connected to.
// It gives the names and the rules of what it removed.
func (w Host) Sweep(ctx context.Context, alive func(container string) bool) (removed []string, err error) {
	err = w.locked(ctx, func(s *session) error {
		links, err := s.sweepLinks(alive)
		if err != nil {
			return err
		}
		elements, err := s.sweepElements(alive)
		removed = append(links, elements...)
		return errors.Join(err, s.tidy())
	})
	return removed, err
}

func (s *session) sweepLinks(alive func(string) bool) (names []string, err error) {
	dead, err := s.deadCables(alive)
	if err != nil {
		return nil, err
	}
	bridges, err := s.deadBridges(dead)
	if err != nil {
		return nil, err
	}
	dead = append(dead, bridges...)
	for _, l := range dead {
		names = append(names, l.Attrs().Name)
	}
	return names, deleteLinks(s.links, dead...)
}

// deadCables finds those of containers that don't live, and those that a killed process of any home did not get to label.
func (s *session) deadCables(alive func(string) bool) ([]netlink.Link, error) {
	links, err := listLinks(ofKind("veth"))
	return slices.DeleteFunc(links, func(l netlink.Link) bool {
		have, ok := readLabel(l.Attrs().Alias)
		dead := ok && have.tag == Tag(s.Owner) && have.kind == "cable" && !alive(have.id)
		return !dead && !unlabelled(l, cableGroup) && l.Attrs().Group != doomedGroup
	}), err
}

// deadBridges finds those that nothing but the doomed is connected to.
func (s *session) deadBridges(doomed []netlink.Link) (dead []netlink.Link, err error) {
	links, err := listLinks(ofKind("bridge"))
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		have, ok := readLabel(l.Attrs().Alias)
		if ours := ok && have.tag == Tag(s.Owner) && have.kind == "bridge"; !ours && !unlabelled(l, bridgeGroup) && l.Attrs().Group != doomedGroup {
			continue
		}
		used, err := inUse(l, doomed)
		if err != nil {
			return nil, err
		}
		if !used {
			dead = append(dead, l)
		}
	}
	return dead, nil
}

// sweepElements removes those of dead containers, and of networks without a bridge.
func (s *session) sweepElements(alive func(string) bool) (removed []string, err error) {
	living, err := s.livingNetworks()
	if err != nil {
		return nil, err
	}
	for name, set := range s.table.sets {
		dead, err := s.table.of(name, func(kind, id string) bool {
			return kind == "container" && !alive(id) || kind == "network" && !living[id]
		})
		if err != nil {
			return nil, err
		}
		for _, e := range dead {
			if !e.IntervalEnd {
				removed = append(removed, name+": "+e.Comment)
			}
		}
		if err := s.deleteAll(set, dead); err != nil {
			return nil, err
		}
	}
	slices.Sort(removed)
	return removed, s.table.commit()
}

func (s *session) deleteAll(set *nftables.Set, dead []nftables.SetElement) error {
	for some := range slices.Chunk(dead, perMessage) {
		if err := s.table.conn.SetDeleteElements(set, some); err != nil {
			return fmt.Errorf("change set %s: %w", set.Name, err)
		}
	}
	return nil
}

func (s *session) livingNetworks() (map[string]bool, error) {
	living := map[string]bool{}
	links, err := listLinks(ofKind("bridge"))
	for _, l := range links {
		if have, ok := readLabel(l.Attrs().Alias); ok && have.tag == Tag(s.Owner) {
			living[have.id] = true
		}
	}
	return living, err
}
