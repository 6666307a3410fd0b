package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/network"
)

// fromNeighbour is the way from another container.
func (f *Facts) fromNeighbour() Way {
	w := Way{Title: "The way to " + f.To.Name + " from container " + f.From.Name}
	if s, ends := f.ends(); ends {
		w.add(s)
		return w
	}
	common := f.common()
	w.add(f.meets(common), f.finds(common))
	if len(common) == 0 {
		return w
	}
	at := common[0]
	if f.network(at.Network).Isolated {
		w.add(f.isolated(f.network(at.Network)))
	}
	w.add(wired(f.From)...)
	w.add(wired(&f.To)...)
	ports := f.inside()
	for _, p := range ports {
		w.add(f.listens(p, addressesIn(at)))
	}
	if len(ports) == 0 && f.To.Looked {
		w.add(Step{State: Missing, Says: "nothing listens in " + f.To.Name + " on any port", Expected: "a socket that listens", Found: socketWords(nil), Evidence: f.To.Proc + "/net/tcp",
			Mend: []string{"see what its program says: docker logs " + f.To.Name}})
	}
	return w
}

// ends is for parties between whom there is no way over a network.
func (f *Facts) ends() (Step, bool) {
	switch {
	case !f.From.Running:
		return Step{State: Missing, Says: f.From.Name + " does not run, so it reaches nobody", Expected: "a running container", Found: "one that is not", Evidence: "docker ps -a",
			Mend: []string{"docker start " + f.From.Name, "learn why " + f.From.Name}}, true
	case f.To.ID == "":
		return f.finds(nil), true
	case f.From.ID == f.To.ID || f.shares():
		return Step{State: OK, Says: "both have the same network namespace: it is reached at 127.0.0.1"}, true
	case f.From.Mode == "host":
		return Step{State: Limited, Says: f.From.Name + " has this machine's own network: it reaches " + f.To.Name + " at " + f.anyAddress() + " over the bridge, and no container by its name"}, true
	case f.To.Mode == "host":
		return Step{State: Limited, Says: f.To.Name + " has this machine's own network: it is reached at the gateway's address, and has no name",
			Mend: []string{"make " + f.From.Name + " with --add-host host.docker.internal:host-gateway, and use that name"}}, true
	case len(f.From.endpoints()) == 0:
		return f.noNetwork(f.From), true
	case len(f.To.endpoints()) == 0:
		return f.noNetwork(&f.To), true
	}
	return Step{}, false
}

func (f *Facts) shares() bool {
	return f.From.Mode == sharing+f.To.Name || f.To.Mode == sharing+f.From.Name || strings.HasPrefix(f.From.Mode, sharing) && f.From.Mode == f.To.Mode
}

func (f *Facts) anyAddress() string {
	if all := f.To.addresses(); len(all) > 0 {
		return all[0].String()
	}
	return "its address"
}

// common are the places of To in networks that From is in, those where names mean something first.
func (f *Facts) common() []network.Endpoint {
	var named, other []network.Endpoint
	for _, e := range f.To.endpoints() {
		if _, both := f.From.endpoint(e.Network); !both {
			continue
		}
		if f.network(e.Network).Name == f.Default {
			other = append(other, e)
		} else {
			named = append(named, e)
		}
	}
	return append(named, other...)
}

func (f *Facts) meets(common []network.Endpoint) Step {
	if len(common) > 0 {
		return Step{State: OK, Says: "both are in network " + f.network(common[0].Network).Name + ", where " + f.To.Name + " has " + addressWord(common[0])}
	}
	s := Step{State: Missing, Says: "they are in no common network, and nothing passes from one network to another", Expected: "a network that both are in",
		Found: f.From.Name + " is in " + f.namesOf(f.From) + ", " + f.To.Name + " in " + f.namesOf(&f.To), Evidence: "docker network inspect " + f.network(f.To.endpoints()[0].Network).Name}
	if to := f.bestNetwork(); to != "" {
		s.Mend = []string{"docker network connect " + to + " " + f.From.Name}
	} else {
		s.Mend = []string{f.ownNetwork()}
	}
	return s
}

// bestNetwork is one of To's where names mean something.
func (f *Facts) bestNetwork() string {
	for _, e := range f.To.endpoints() {
		if n := f.network(e.Network); n.Name != f.Default {
			return n.Name
		}
	}
	return ""
}

func (f *Facts) ownNetwork() string {
	return fmt.Sprintf("make a network of your own and connect both: docker network create mine; docker network connect mine %s; docker network connect mine %s", f.From.Name, f.To.Name)
}

func (f *Facts) isolated(n Network) Step {
	return Step{State: Missing, Says: "network " + n.Name + " keeps its containers apart from one another", Expected: "a network without com.docker.network.bridge.enable_icc=false", Found: "that option",
		Evidence: "docker network inspect -f '{{.Options}}' " + n.Name, Mend: []string{"connect both to another network: docker network create mine"}}
}

// finds tells whether From gets to To by the name, or address, that it uses.
func (f *Facts) finds(common []network.Endpoint) Step {
	name := orDefault(f.Name, f.To.Name)
	if a, err := netip.ParseAddr(name); err == nil {
		return f.isAt(a, common)
	}
	zones := f.zones()
	if len(zones) == 0 {
		s := Step{State: Missing, Says: fmt.Sprintf("%s can't find the name %s: in the default network, %s, names of containers lead nowhere", f.From.Name, name, f.Default), Expected: "a name server at " + network.ResolverAddress,
			Found: "the machine's own servers, which know no containers", Evidence: "docker exec " + f.From.Name + " cat /etc/resolv.conf", Mend: []string{f.ownNetwork()}}
		switch {
		case len(common) == 0 && f.bestNetwork() != "":
			s.Mend = nil // the network that both will be in has names
		case len(common) > 0:
			s.Mend = append(s.Mend, "or use its address as long as it runs: "+addressWord(common[0]))
		}
		return s
	}
	for _, n := range zones {
		for _, l := range n.Leases {
			if !l.Called(name) {
				continue
			}
			if l.Container == f.To.ID {
				return Step{State: OK, Says: fmt.Sprintf("%s finds it by the name %s: its name server, %s, answers %s", f.From.Name, name, network.ResolverAddress, leaseAddress(l))}
			}
			return Step{State: Missing, Says: fmt.Sprintf("the name %s leads %s to another container, %s", name, f.From.Name, l.Name), Expected: "a name of " + orDefault(f.To.Name, name), Found: leaseAddress(l) + " of " + l.Name,
				Evidence: "docker network inspect " + n.Name, Mend: []string{"use a name that is its own: " + f.To.Name}}
		}
	}
	return f.unknownName(name, zones)
}

// isAt is for an address in place of a name.
func (f *Facts) isAt(a netip.Addr, common []network.Endpoint) Step {
	for _, e := range common {
		if slices.Contains(addressesIn(e), a.Unmap()) {
			return Step{State: OK, Says: a.String() + " is its address in network " + f.network(e.Network).Name}
		}
	}
	s := Step{State: Missing, Says: a.String() + " is not its address in a network of " + f.From.Name, Expected: "one of its addresses there", Found: f.anyAddress(), Evidence: "docker inspect " + f.To.Name,
		Mend: []string{"addresses change from run to run: use names, in a network of your own"}}
	if f.To.ID == "" {
		s.Says, s.Found, s.Evidence = "no container in a network of "+f.From.Name+" has the address "+a.String(), "nobody", "docker network inspect "+f.namesOf(f.From)
	}
	return s
}

// zones are the networks whose names From's own name server knows.
func (f *Facts) zones() []Network {
	var all []Network
	if f.From.Plan == nil || f.From.Plan.Resolver == nil {
		return nil
	}
	for _, z := range f.From.Plan.Resolver.Zones {
		all = append(all, f.network(z.Network))
	}
	return all
}

func leaseAddress(l network.Lease) string {
	var all []string
	for _, a := range l.Addresses {
		all = append(all, a.Addr().String())
	}
	return strings.Join(all, ", ")
}

func (f *Facts) unknownName(name string, zones []Network) Step {
	var in, known []string
	for _, n := range zones {
		in = append(in, n.Name)
		for _, l := range n.Leases {
			if l.Container != f.From.ID {
				known = append(known, l.Names...)
			}
		}
	}
	s := Step{State: Missing, Says: fmt.Sprintf("no container that runs in a network of %s (%s) is called %s", f.From.Name, strings.Join(in, ", "), name), Expected: "a name of a container there",
		Found: nameWords(known), Evidence: "docker network inspect " + in[0]}
	switch near := nearest(name, known); {
	case near != "":
		s.Says += "; " + near + " is there"
		s.Mend = []string{"use the name " + near}
	case f.To.ID != "" && f.bestNetwork() != "" && len(f.common()) == 0:
		s.Mend = []string{"it has its name in its own networks: docker network connect " + f.bestNetwork() + " " + f.From.Name}
	case f.To.ID != "":
		s.Mend = []string{"use one of its names, or make it again with --network-alias " + name}
	default:
		s.Mend = []string{"see who is there: docker ps; a container has its name as long as it runs"}
	}
	return s
}

func nameWords(names []string) string {
	if len(names) == 0 {
		return "nobody else"
	}
	const most = 8
	all := slices.Compact(slices.Sorted(slices.Values(names)))
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

// nearest is the name that somebody may have meant; empty if none is near.
func nearest(name string, known []string) string {
	best, least := "", 1+len(name)/3
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least || d == least && best == "" {
			best, least = k, d
		}
	}
	return best
}

// distance is how many bytes have to be added, taken away or changed to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}
