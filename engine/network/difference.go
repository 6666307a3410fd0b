package network

import "slices"

// Difference is what changes when a container that is connected as before says is to be connected as after says: what is to be made, and what
// is to be taken back. Published ports are the same if they lead from the same place to the same one; an endpoint is the same by its id.
func Difference(before, after Plan) (more, less Plan) {
	more, less = Plan{Container: after.Container}, Plan{Container: after.Container}
	more.Endpoints, more.Bridges = missing(after, before)
	less.Endpoints, less.Bridges = missing(before, after)
	more.Ports, less.Ports = otherPorts(after.Ports, before.Ports), otherPorts(before.Ports, after.Ports)
	if after.Resolver != nil && (before.Resolver == nil || !slices.Equal(before.Resolver.Zones, after.Resolver.Zones) || before.Resolver.Closed != after.Resolver.Closed) {
		more.Resolver, more.Resolv = after.Resolver, after.Resolv
	}
	return more, less
}

// missing gives the endpoints of p that q has not, with their bridges.
func missing(p, q Plan) (endpoints []Endpoint, bridges []Bridge) {
	on := map[string]bool{}
	for _, e := range p.Endpoints {
		if !slices.ContainsFunc(q.Endpoints, func(o Endpoint) bool { return o.ID == e.ID }) {
			endpoints = append(endpoints, e)
			on[e.Bridge] = true
		}
	}
	for _, b := range p.Bridges {
		if on[b.Name] {
			bridges = append(bridges, b)
		}
	}
	return endpoints, bridges
}

// otherPorts gives those of ports that none of others stands for. One that has been taken stands for a wish that it meets.
func otherPorts(ports, others []Published) []Published {
	return slices.DeleteFunc(slices.Clone(ports), func(p Published) bool {
		return slices.ContainsFunc(others, func(o Published) bool { return Meets(p, o) || Meets(o, p) })
	})
}

// Meets reports whether a port that was taken is what was wished for.
func Meets(wish, taken Published) bool {
	if wish.Protocol != taken.Protocol || wish.HostIP != taken.HostIP || wish.To != taken.To {
		return false
	}
	return wish.HostPort == 0 || wish.HostPort <= taken.HostPort && taken.HostPort <= max(wish.HostPort, wish.HostLast)
}
