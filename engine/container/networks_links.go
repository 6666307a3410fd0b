package container

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/network"
)

// links are the words NAME[:ALIAS] of docker's oldest way to give containers names for one another.
func links(o []string, networks map[string]*api.EndpointSettings) []string {
	all := slices.Clone(o)
	for _, s := range networks {
		if s != nil {
			all = append(all, s.Links...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func splitLink(word string) (ref, alias string) {
	ref, alias, ok := strings.Cut(word, ":")
	ref = strings.TrimPrefix(ref, "/")
	if !ok {
		alias = ref
	}
	return ref, alias
}

// checkLinks refuses links to containers that are not there.
func (m *Manager) checkLinks(ctx context.Context, c *Container, networks map[string]*api.EndpointSettings) error {
	for _, word := range links(c.HostConfig.Links, networks) {
		ref, alias := splitLink(word)
		if ref == "" || alias == "" || strings.Contains(alias, ":") {
			return invalid("bad format for links: %s", word)
		}
		if _, err := m.own(ctx, ref); err != nil {
			return invalid("could not get container for %s: %v", ref, err)
		}
	}
	return nil
}

// linkedHosts are the names of linked containers, which must run in one of the networks of places. As the addresses are those of now, the
// names of a user's network, which follow the containers, are the better way.
func (m *Manager) linkedHosts(ctx context.Context, c *Container, places []place) ([]string, error) {
	var all []string
	for _, word := range links(c.HostConfig.Links, c.Networks) {
		ref, alias := splitLink(word)
		other, err := m.own(ctx, ref)
		if err != nil {
			return nil, invalid("could not get container for %s: %v", ref, err)
		}
		if !other.State.Live() || other.Net == nil {
			return nil, conflict("Cannot link to a non running container: /%s AS /%s/%s", other.Name, c.Name, alias)
		}
		address, ok := sharedAddress(other.Net, places)
		if !ok {
			return nil, conflict("Cannot link to /%s, as it does not belong to the default network", other.Name)
		}
		names := []string{alias, other.Config.Hostname, other.Name}
		for i, name := range names {
			if name != "" && slices.Index(names, name) == i {
				all = append(all, name+":"+address.String())
			}
		}
	}
	return all, nil
}

// sharedAddress is one of a container in a network that is among places.
func sharedAddress(p *network.Plan, places []place) (netip.Addr, bool) {
	for _, at := range places {
		if i := endpointIn(p, at.net.ID); i >= 0 && len(p.Endpoints[i].Addresses) > 0 {
			return p.Endpoints[i].Addresses[0].Addr(), true
		}
	}
	return netip.Addr{}, false
}
