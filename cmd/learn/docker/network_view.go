package docker

import (
	"context"
	"net/netip"
	"time"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
	ntypes "github.com/moby/moby/api/types/network"
)

// networkView is what network inspect prints: docker's fields in docker's order, with addresses as text, empty for none.
type networkView struct {
	Name       string
	ID         string `json:"Id"`
	Created    time.Time
	Scope      string
	Driver     string
	EnableIPv4 bool
	EnableIPv6 bool
	IPAM       ipamView
	Internal   bool
	Attachable bool
	Ingress    bool
	ConfigFrom ntypes.ConfigReference
	ConfigOnly bool
	Containers map[string]neighbourView // that run in it, by id
	Options    map[string]string
	Labels     map[string]string
}

type ipamView struct {
	Driver  string
	Options map[string]string
	Config  []subnetView
}

type subnetView struct {
	Subnet             string            `json:",omitempty"`
	IPRange            string            `json:",omitempty"`
	Gateway            string            `json:",omitempty"`
	AuxiliaryAddresses map[string]string `json:",omitempty"`
}

// neighbourView is a container's place in a network.
type neighbourView struct {
	Name        string
	EndpointID  string
	MacAddress  string
	IPv4Address string // with the length of its network: 172.18.0.2/16
	IPv6Address string
}

func inspectNetwork(ctx context.Context, e *engine.Engine, name string) (any, error) {
	n, err := e.Networks.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if n.Problem != nil {
		return nil, n.Problem
	}
	leases, err := e.Networks.Leases(ctx, n)
	if err != nil {
		return nil, err
	}
	v := newNetworkView(n)
	for _, l := range leases {
		v.Containers[l.Container] = newNeighbourView(l)
	}
	return v, nil
}

func newNetworkView(n *ledger.Network) *networkView {
	v := &networkView{Name: n.Name, ID: n.ID, Created: n.Created, Scope: n.Scope, Driver: n.Driver, EnableIPv4: n.EnableIPv4, EnableIPv6: n.EnableIPv6,
		Internal: n.Internal, Attachable: n.Attachable, Ingress: n.Ingress, ConfigFrom: n.ConfigFrom, ConfigOnly: n.ConfigOnly,
		Options: orEmpty(n.Options), Labels: orEmpty(n.Labels), Containers: map[string]neighbourView{}, IPAM: ipamView{Driver: n.IPAM.Driver}}
	if !ledger.Predefined(n.Name) {
		v.IPAM.Options = map[string]string{}
	}
	for _, c := range n.IPAM.Config {
		v.IPAM.Config = append(v.IPAM.Config, newSubnetView(c))
	}
	return v
}

func newSubnetView(c ntypes.IPAMConfig) subnetView {
	v := subnetView{Subnet: prefixText(c.Subnet), IPRange: prefixText(c.IPRange), Gateway: addressText(c.Gateway)}
	for name, a := range c.AuxAddress {
		if v.AuxiliaryAddresses == nil {
			v.AuxiliaryAddresses = map[string]string{}
		}
		v.AuxiliaryAddresses[name] = addressText(a)
	}
	return v
}

func newNeighbourView(l network.Lease) neighbourView {
	v := neighbourView{Name: l.Name, EndpointID: l.Endpoint, MacAddress: l.MAC}
	for _, a := range l.Addresses {
		if a.Addr().Is4() {
			v.IPv4Address = prefixText(a)
		} else {
			v.IPv6Address = prefixText(a)
		}
	}
	return v
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
