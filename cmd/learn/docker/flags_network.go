package docker

import (
	"encoding/csv"
	"net/netip"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/network"
	ctypes "github.com/moby/moby/api/types/container"
	ntypes "github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// networkingFlags say which networks a container is in, which of its ports are published, and how it finds names.
type networkingFlags struct {
	networks                               networkList
	aliases, publish, expose, hosts, links []string
	dns, dnsSearch, dnsOptions             []string
	ip, ip6, mac, domain                   string
	all                                    bool
}

// networkList is the value of --network: several of it put the container in several networks.
type networkList []networkWord

// networkWord is a network by its name, or name=NETWORK with what the container is to have in it.
type networkWord struct {
	name     string
	settings ntypes.EndpointSettings
}

// String implements pflag.Value.
func (l *networkList) String() string { return "" }

// Type implements pflag.Value.
func (l *networkList) Type() string { return "network" }

// Set implements pflag.Value.
func (l *networkList) Set(word string) error {
	w, err := parseNetwork(word)
	if err == nil {
		*l = append(*l, w)
	}
	return err
}

// parseNetwork reads NETWORK or name=NETWORK,alias=A,ip=ADDRESS,...
func parseNetwork(word string) (networkWord, error) {
	if !strings.Contains(word, "=") {
		return networkWord{name: word}, nil
	}
	fields, err := csv.NewReader(strings.NewReader(word)).Read()
	if err != nil {
		return networkWord{}, usagef("invalid network %q: %v", word, err)
	}
	var w networkWord
	for _, f := range fields {
		key, value, ok := strings.Cut(f, "=")
		if !ok {
			return w, usagef("invalid field %s", f)
		}
		if err := w.set(strings.TrimSpace(strings.ToLower(key)), strings.TrimSpace(value)); err != nil {
			return w, err
		}
	}
	if w.name == "" {
		return w, usagef("network name/id is not specified")
	}
	return w, nil
}

func (w *networkWord) set(key, value string) error {
	switch key {
	case "name":
		w.name = value
	case "alias":
		w.settings.Aliases = append(w.settings.Aliases, value)
	case "ip":
		return setAddress(&w.settings, value, true)
	case "ip6":
		return setAddress(&w.settings, value, false)
	case "mac-address":
		return setMAC(&w.settings, value)
	default:
		return usagef("invalid field key %s: expected name, alias, ip, ip6 or mac-address", key)
	}
	return nil
}

func setAddress(s *ntypes.EndpointSettings, word string, v4 bool) error {
	a, err := netip.ParseAddr(word)
	if err != nil || a.Is4() != v4 || a.Zone() != "" {
		return usagef("invalid address %q: expected an %s address", word, map[bool]string{true: "IPv4", false: "IPv6"}[v4])
	}
	if s.IPAMConfig == nil {
		s.IPAMConfig = &ntypes.EndpointIPAMConfig{}
	}
	if v4 {
		s.IPAMConfig.IPv4Address = a
	} else {
		s.IPAMConfig.IPv6Address = a
	}
	return nil
}

func setMAC(s *ntypes.EndpointSettings, word string) error {
	if err := s.MacAddress.UnmarshalText([]byte(word)); err != nil || len(s.MacAddress) != 6 {
		return usagef("%s is not a valid mac address", word)
	}
	return nil
}

func (f *networkingFlags) register(fl *pflag.FlagSet) {
	fl.Var(&f.networks, "network", `Connect a container to a network ("bridge", "none", "host", "container:<name|id>", or one of your own)`)
	fl.Var(&f.networks, "net", "Connect a container to a network")
	fl.StringArrayVar(&f.aliases, "network-alias", nil, "Add network-scoped alias for the container")
	fl.StringArrayVar(&f.aliases, "net-alias", nil, "Add network-scoped alias for the container")
	fl.StringVar(&f.ip, "ip", "", "IPv4 address (e.g., 172.30.100.104)")
	fl.StringVar(&f.ip6, "ip6", "", "IPv6 address (e.g., 2001:db8::33)")
	fl.StringVar(&f.mac, "mac-address", "", "Container MAC address (e.g., 92:d0:c6:0a:29:33)")
	fl.StringArrayVarP(&f.publish, "publish", "p", nil, "Publish a container's port(s) to the host")
	fl.BoolVarP(&f.all, "publish-all", "P", false, "Publish all exposed ports to random ports")
	fl.StringArrayVar(&f.expose, "expose", nil, "Expose a port or a range of ports")
	fl.StringArrayVar(&f.hosts, "add-host", nil, "Add a custom host-to-IP mapping (host:ip)")
	fl.StringArrayVar(&f.dns, "dns", nil, "Set custom DNS servers")
	fl.StringArrayVar(&f.dnsSearch, "dns-search", nil, "Set custom DNS search domains")
	fl.StringArrayVar(&f.dnsOptions, "dns-option", nil, "Set DNS options")
	fl.StringArrayVar(&f.dnsOptions, "dns-opt", nil, "Set DNS options")
	fl.StringVar(&f.domain, "domainname", "", "Container NIS domain name")
	fl.StringArrayVar(&f.links, "link", nil, "Add link to another container")
	for _, hidden := range []string{"net", "net-alias", "dns-opt"} {
		_ = fl.MarkHidden(hidden)
	}
}

func (f *networkingFlags) apply(app *App, cfg *ctypes.Config, host *ctypes.HostConfig) error {
	host.NetworkMode = ctypes.NetworkMode("bridge")
	if len(f.networks) > 0 {
		host.NetworkMode = ctypes.NetworkMode(f.networks[0].name)
	}
	p, err := network.ParsePublish(f.publish)
	if err != nil {
		return usagef("%v", err)
	}
	if err := network.ParseExpose(f.expose, p.Exposed); err != nil {
		return usagef("%v", err)
	}
	if len(p.Exposed) > 0 {
		cfg.ExposedPorts = p.Exposed
	}
	host.PortBindings, host.PublishAllPorts = p.Ports, f.all
	if f.domain != "" {
		cfg.Domainname = f.domain
	}
	if host.ExtraHosts, err = extraHosts(f.hosts); err != nil {
		return err
	}
	host.DNSSearch, host.DNSOptions = f.dnsSearch, f.dnsOptions
	for _, w := range f.dns {
		a, err := netip.ParseAddr(w)
		if err != nil {
			return usagef("%s is not an ip address", w)
		}
		host.DNS = append(host.DNS, a)
	}
	return nil
}

// extraHosts reads NAME:IP or NAME=IP, where IP may be host-gateway, and gives docker's form NAME:IP.
func extraHosts(words []string) ([]string, error) {
	var all []string
	for _, w := range words {
		name, ip, ok := strings.Cut(w, "=")
		if !ok {
			name, ip, ok = strings.Cut(w, ":")
		}
		if !ok || name == "" {
			return nil, usagef("bad format for add-host: %q", w)
		}
		ip = strings.TrimSuffix(strings.TrimPrefix(ip, "["), "]")
		if _, err := netip.ParseAddr(ip); err != nil && ip != "host-gateway" {
			return nil, usagef("invalid IP address in add-host: %q", ip)
		}
		all = append(all, name+":"+ip)
	}
	return all, nil
}

// endpoints gives each network what the container is to have in it: what the options say is for the first one.
func (f *networkingFlags) endpoints() (map[string]*ntypes.EndpointSettings, error) {
	list := slices.Clone(f.networks)
	if len(list) == 0 {
		list = networkList{{name: "bridge"}}
	}
	first := &list[0]
	first.settings.Aliases = append(slices.Clone(first.settings.Aliases), f.aliases...)
	first.settings.Links = f.links
	if err := f.fixed(&first.settings); err != nil {
		return nil, err
	}
	all := map[string]*ntypes.EndpointSettings{}
	for i := range list {
		name := list[i].name
		if all[name] != nil {
			return nil, usagef("network %q is specified multiple times", name)
		}
		all[name] = &list[i].settings
	}
	return all, nil
}

// fixed is what --ip, --ip6 and --mac-address say.
func (f *networkingFlags) fixed(s *ntypes.EndpointSettings) error {
	if f.ip != "" {
		if err := setAddress(s, f.ip, true); err != nil {
			return err
		}
	}
	if f.ip6 != "" {
		if err := setAddress(s, f.ip6, false); err != nil {
			return err
		}
	}
	if f.mac != "" {
		return setMAC(s, f.mac)
	}
	return nil
}
