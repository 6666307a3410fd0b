package docker

import (
	"context"
	"net/netip"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/network/ledger"
	ctypes "github.com/moby/moby/api/types/container"
	ntypes "github.com/moby/moby/api/types/network"
)

// containerView is what inspect prints of a container: docker's answer in the form that its version 28 gives, where addresses are text, empty for
// none, and those of the default network are also there without its name.
type containerView struct {
	ctypes.InspectResponse
	HostConfig      hostConfigView
	NetworkSettings networkSettingsView
}

type hostConfigView struct {
	*ctypes.HostConfig
	PortBindings portsView
}

// portsView are the ports of a container: nil for those that are exposed only.
type portsView map[string][]bindingView

type bindingView struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// networkSettingsView has docker's fields in docker's order.
type networkSettingsView struct {
	Bridge                 string
	SandboxID              string
	SandboxKey             string
	Ports                  portsView
	HairpinMode            bool
	LinkLocalIPv6Address   string
	LinkLocalIPv6PrefixLen int
	SecondaryIPAddresses   []string
	SecondaryIPv6Addresses []string
	EndpointID             string
	Gateway                string
	GlobalIPv6Address      string
	GlobalIPv6PrefixLen    int
	IPAddress              string
	IPPrefixLen            int
	IPv6Gateway            string
	MacAddress             string
	Networks               map[string]*endpointView
}

// endpointView has docker's fields in docker's order.
type endpointView struct {
	IPAMConfig          *ntypes.EndpointIPAMConfig
	Links               []string
	Aliases             []string
	MacAddress          string
	DriverOpts          map[string]string
	GwPriority          int
	NetworkID           string
	EndpointID          string
	Gateway             string
	IPAddress           string
	IPPrefixLen         int
	IPv6Gateway         string
	GlobalIPv6Address   string
	GlobalIPv6PrefixLen int
	DNSNames            []string
}

func inspectContainer(ctx context.Context, e *engine.Engine, name string) (any, error) {
	c, err := e.Containers.Inspect(ctx, name)
	if err != nil {
		return nil, err
	}
	return newContainerView(c), nil
}

func newContainerView(c ctypes.InspectResponse) *containerView {
	v := &containerView{InspectResponse: c}
	if c.HostConfig != nil {
		v.HostConfig = hostConfigView{c.HostConfig, newPortsView(c.HostConfig.PortBindings)}
	}
	if c.NetworkSettings != nil {
		v.NetworkSettings = newNetworkSettingsView(c.NetworkSettings)
	}
	return v
}

func newPortsView(ports ntypes.PortMap) portsView {
	v := portsView{}
	for p, bindings := range ports {
		var all []bindingView
		for _, b := range bindings {
			all = append(all, bindingView{addressText(b.HostIP), b.HostPort})
		}
		v[p.String()] = all
	}
	return v
}

func newNetworkSettingsView(s *ctypes.NetworkSettings) networkSettingsView {
	v := networkSettingsView{SandboxID: s.SandboxID, SandboxKey: s.SandboxKey, Ports: newPortsView(s.Ports), Networks: map[string]*endpointView{}}
	for name, e := range s.Networks {
		v.Networks[name] = newEndpointView(e)
	}
	if e := v.Networks[ledger.DefaultBridge]; e != nil {
		v.EndpointID, v.MacAddress = e.EndpointID, e.MacAddress
		v.Gateway, v.IPAddress, v.IPPrefixLen = e.Gateway, e.IPAddress, e.IPPrefixLen
		v.IPv6Gateway, v.GlobalIPv6Address, v.GlobalIPv6PrefixLen = e.IPv6Gateway, e.GlobalIPv6Address, e.GlobalIPv6PrefixLen
	}
	return v
}

func newEndpointView(e *ntypes.EndpointSettings) *endpointView {
	return &endpointView{
		IPAMConfig: e.IPAMConfig, Links: e.Links, Aliases: e.Aliases, MacAddress: e.MacAddress.String(), DriverOpts: e.DriverOpts, GwPriority: e.GwPriority,
		NetworkID: e.NetworkID, EndpointID: e.EndpointID,
		Gateway: addressText(e.Gateway), IPAddress: addressText(e.IPAddress), IPPrefixLen: e.IPPrefixLen,
		IPv6Gateway: addressText(e.IPv6Gateway), GlobalIPv6Address: addressText(e.GlobalIPv6Address), GlobalIPv6PrefixLen: e.GlobalIPv6PrefixLen,
		DNSNames: e.DNSNames,
	}
}

// addressText is docker's text of an address, which is empty for none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
