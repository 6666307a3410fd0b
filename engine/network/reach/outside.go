package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/network"
)

// fromOutside is the way from this machine, or from elsewhere, to a port of the container.
func (f *Facts) fromOutside(port Port) Way {
	w := Way{Title: fmt.Sprintf("The way to port %s of %s from outside", port, f.To.Name)}
	switch {
	case f.To.Mode == "host":
		w.add(Step{State: OK, Says: "it has no network of its own but this machine's, so what it listens on is open on the machine and nothing needs publishing"})
		w.add(f.listens(port, nil))
		return w
	case strings.HasPrefix(f.To.Mode, sharing):
		other := strings.TrimPrefix(f.To.Mode, sharing)
		w.add(Step{State: Limited, Says: "it has the network of container " + other + ", whose addresses and published ports count", Mend: []string{"learn why " + other}})
		return w
	case f.To.Plan == nil || len(f.To.Plan.Endpoints) == 0:
		w.add(f.noNetwork(&f.To))
		return w
	}
	ports := f.To.published(port)
	w.add(f.publishes(port, ports))
	if len(ports) == 0 {
		w.add(f.listens(port, f.To.addresses()))
		return w
	}
	for _, p := range ports {
		if s, internal := f.closedIn(p); internal {
			w.add(s)
			break
		}
	}
	w.add(wired(&f.To)...)
	var to []netip.Addr
	for _, p := range ports {
		to = append(to, p.To.Addr())
	}
	w.add(f.listens(port, to))
	return w
}

// noNetwork: the container has its loopback only.
func (f *Facts) noNetwork(p *Party) Step {
	return Step{State: Missing, Says: p.Name + " is in no network: it has its loopback interface only, so nobody reaches it and it reaches nobody",
		Expected: "a network, as the default one or one of your own", Found: "network mode " + orDefault(p.Mode, "none"), Evidence: "docker inspect -f '{{.HostConfig.NetworkMode}}' " + p.Name,
		Mend: []string{"make it again without --network none: docker run --network " + f.Default + " ..."}}
}

func orDefault(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// publishes tells which ports of the host lead to one of the container's.
func (f *Facts) publishes(port Port, ports []network.Published) Step {
	if len(ports) == 0 {
		return f.unpublished(port)
	}
	var at []string
	loopback := true
	for _, p := range ports {
		at = append(at, netip.AddrPortFrom(p.HostIP, p.HostPort).String())
		loopback = loopback && p.HostIP.IsLoopback()
	}
	list := strings.Join(at, ", ")
	if !loopback {
		return Step{State: OK, Says: "it is published: " + list + " of this machine " + verb(len(at), "leads", "lead") + " to it", Evidence: "docker port " + f.To.Name}
	}
	return Step{State: Limited, Says: "it is published on this machine's loopback only (" + list + "): from this machine it is reached, from no other",
		Expected: "for others, a port at an address that they reach: 0.0.0.0:" + fmt.Sprint(ports[0].HostPort), Found: list, Evidence: "docker port " + f.To.Name,
		Mend: []string{fmt.Sprintf("if others are to reach it, make it again with -p %d:%s instead of -p %s:%s", ports[0].HostPort, portWord(port), list, portWord(port))}}
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// portWord is a port as -p takes it.
func portWord(p Port) string {
	if p.Protocol == "tcp" {
		return fmt.Sprint(p.Number)
	}
	return p.String()
}

func (f *Facts) unpublished(port Port) Step {
	s := Step{State: Missing, Says: "no port of this machine leads to it: it is not published", Expected: "a published port", Found: f.publishedWords(), Evidence: "docker port " + f.To.Name,
		Mend: []string{fmt.Sprintf("ports are settled when a container is made; make it again with -p %d:%s", hostPortFor(port), portWord(port))}}
	if slices.Contains(f.To.Exposed, port) {
		s.Says = "no port of this machine leads to it: it is exposed, and EXPOSE only notes which port the program uses"
		s.Mend[0] += ", or with -P, which publishes all exposed ports on free ones"
	}
	if e := f.To.endpoints(); len(e) > 0 {
		s.Mend = append(s.Mend, "containers in network "+f.network(e[0].Network).Name+" reach it without that, at "+addressWord(e[0])+":"+fmt.Sprint(port.Number)+"; ask: learn why "+f.To.Name+" --from OTHER")
	}
	return s
}

// hostPortFor suggests a port that needs no privilege.
func hostPortFor(p Port) uint16 {
	if p.Number < 1024 {
		return 8000 + p.Number
	}
	return p.Number
}

func (f *Facts) publishedWords() string {
	var all []string
	if f.To.Plan != nil {
		for _, p := range f.To.Plan.Ports {
			all = append(all, fmt.Sprintf("%s leads to %d/%s", netip.AddrPortFrom(p.HostIP, p.HostPort), p.To.Port(), p.Protocol))
		}
	}
	if len(all) == 0 {
		return "nothing is published"
	}
	return strings.Join(all, ", ")
}

func addressWord(e network.Endpoint) string {
	if len(e.Addresses) == 0 {
		return "its address"
	}
	return e.Addresses[0].Addr().String()
}

// closedIn: the port leads into a network that nothing from outside gets into.
func (f *Facts) closedIn(p network.Published) (Step, bool) {
	for _, e := range f.To.endpoints() {
		n := f.network(e.Network)
		if !n.Internal || !slices.Contains(addressesIn(e), p.To.Addr().Unmap()) {
			continue
		}
		return Step{State: Missing, Says: "network " + n.Name + " is internal: nothing passes between it and the outside, published ports included",
			Expected: "a network that is not internal", Found: n.Name + ", made with --internal", Evidence: "docker network inspect -f '{{.Internal}}' " + n.Name,
			Mend: []string{"connect it to another network as well: docker network connect " + f.Default + " " + f.To.Name}}, true
	}
	return Step{}, false
}

// wired tells what of a container's plan this machine has.
func wired(p *Party) []Step {
	if p.Wires == nil {
		return nil
	}
	var steps []Step
	for _, w := range p.Wires {
		if w.Missing {
			steps = append(steps, Step{State: Missing, Says: "this machine has lost what was made for " + p.Name + ": " + w.What, Expected: w.What, Found: "nothing", Evidence: w.Where,
				Mend: []string{"somebody flushed the firewall or removed an interface: docker network ls puts back what it can, docker restart " + p.Name + " makes all of it anew"}})
		}
	}
	if steps == nil {
		steps = append(steps, Step{State: OK, Says: "all that was made for " + p.Name + " is there: " + wireWords(p)})
	}
	return steps
}

func wireWords(p *Party) string {
	var words []string
	for _, e := range p.endpoints() {
		words = append(words, "bridge "+e.Bridge+", cable "+e.HostEnd+" to its "+e.Interface)
	}
	return strings.Join(words, "; ") + "; its rules"
}
