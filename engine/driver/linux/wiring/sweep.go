//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
)

// Sweep removes what belongs to the home and to no living container: interfaces, rules, and then the networks that nothing is connected to.
// It gives the names and the rules of what it removed.
func (w Host) Sweep(ctx context.Context, alive func(container string) bool) (removed []string, err error) {
	err = w.locked(ctx, func(s *session) error {
		cables, err := s.sweepCables(alive)
		removed = append(removed, cables...)
		if err != nil {
			return err
		}
		bridges, err := s.sweepBridges()
		removed = append(removed, bridges...)
		if err != nil {
			return err
		}
		elements, err := s.sweepElements(alive)
		removed = append(removed, elements...)
		return errors.Join(err, s.tidy())
	})
	return removed, err
}

func (s *session) sweepCables(alive func(string) bool) (removed []string, err error) {
	links, err := listLinks(ofKind("veth"))
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		have, ok := readLabel(l.Attrs().Alias)
		ours := ok && have.tag == Tag(s.Owner) && have.kind == "cable" && !alive(have.id)
		if !ours && (l.Attrs().Alias != "" || l.Attrs().Group != cableGroup) {
			continue
		}
		if err := deleteLink(s.links, l); err != nil {
			return removed, err
		}
		removed = append(removed, l.Attrs().Name)
	}
	return removed, nil
}

func (s *session) sweepBridges() (removed []string, err error) {
	links, err := listLinks(ofKind("bridge"))
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		have, ok := readLabel(l.Attrs().Alias)
		ours := ok && have.tag == Tag(s.Owner) && have.kind == "bridge"
		if !ours && (l.Attrs().Alias != "" || l.Attrs().Group != bridgeGroup) {
			continue
		}
		ports, err := portsOf(l.Attrs().Index)
		if err != nil {
			return removed, err
		}
		if len(ports) > 0 {
			continue
		}
		if err := deleteLink(s.links, l); err != nil {
			return removed, err
		}
		removed = append(removed, l.Attrs().Name)
	}
	return removed, nil
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
