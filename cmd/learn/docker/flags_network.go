package docker

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
	ctypes "github.com/moby/moby/api/types/container"
	ntypes "github.com/moby/moby/api/types/network"
	"github.com/spf13/pflag"
)

// networkingFlags say which networks a container is in, which of its ports are published, and how it finds names.
type networkingFlags struct {
	networks                               networkList
	aliases, publish, expose, hosts, links []string
	dns, dnsSearch, dnsOptions, linkLocal  []string
	ip, ip6, mac                           string
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
		return networkWord{}, err
	}
	var w networkWord
	for _, f := range fields {
		key, value, ok := strings.Cut(f, "=")
		if !ok || key == "" {
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
	case "link-local-ip":
		return addLinkLocal(&w.settings, value)
	case "driver-opt":
		return addDriverOption(&w.settings, value)
	case "gw-priority":
		priority, err := strconv.Atoi(value)
		if err != nil {
			return usagef("invalid gw-priority (%s): %v", value, err)
		}
		w.settings.GwPriority = priority
	default:
		return usagef("invalid field key %s", key)
	}
	return nil
}

func addLinkLocal(s *ntypes.EndpointSettings, word string) error {
	a, err := netip.ParseAddr(word)
	if err != nil || a.Zone() != "" {
		return usagef("invalid link-local IP address: %s", word)
	}
	ipam(s).LinkLocalIPs = append(ipam(s).LinkLocalIPs, a)
	return nil
}

func addDriverOption(s *ntypes.EndpointSettings, word string) error {
	key, value, ok := strings.Cut(word, "=")
	if key = strings.TrimSpace(strings.ToLower(key)); !ok || key == "" {
		return usagef("invalid key value pair format in driver options")
	}
	if s.DriverOpts == nil {
		s.DriverOpts = map[string]string{}
	}
	s.DriverOpts[key] = strings.TrimSpace(value)
	return nil
}

// ipam gives the addresses that s asks for, to be changed.
func ipam(s *ntypes.EndpointSettings) *ntypes.EndpointIPAMConfig {
	if s.IPAMConfig == nil {
		s.IPAMConfig = &ntypes.EndpointIPAMConfig{}
	}
	return s.IPAMConfig
}

func setAddress(s *ntypes.EndpointSettings, word string, v4 bool) error {
	a, err := netip.ParseAddr(word)
	if err != nil || a.Is4() != v4 || a.Zone() != "" {
		return usagef("invalid %s address: %s", map[bool]string{true: "IPv4", false: "IPv6"}[v4], word)
	}
	if v4 {
		ipam(s).IPv4Address = a
	} else {
		ipam(s).IPv6Address = a
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
	fl.StringArrayVar(&f.linkLocal, "link-local-ip", nil, "Container IPv4/IPv6 link-local addresses")
	fl.StringVar(&f.mac, "mac-address", "", "Container MAC address (e.g., 92:d0:c6:0a:29:33)")
	fl.StringArrayVarP(&f.publish, "publish", "p", nil, "Publish a container's port(s) to the host")
	fl.BoolVarP(&f.all, "publish-all", "P", false, "Publish all exposed ports to random ports")
	fl.StringArrayVar(&f.expose, "expose", nil, "Expose a port or a range of ports")
	fl.Var(&checkedList{&f.hosts, checkHost}, "add-host", "Add a custom host-to-IP mapping (host:ip)")
	fl.Var(&checkedList{&f.dns, checkServer}, "dns", "Set custom DNS servers")
	fl.Var(&checkedList{&f.dnsSearch, checkDomain}, "dns-search", "Set custom DNS search domains")
	fl.StringArrayVar(&f.dnsOptions, "dns-option", nil, "Set DNS options")
	fl.StringArrayVar(&f.dnsOptions, "dns-opt", nil, "Set DNS options")
	fl.Var(&checkedList{&f.links, checkLink}, "link", "Add link to another container")
	for _, hidden := range []string{"net", "net-alias", "dns-opt"} {
		_ = fl.MarkHidden(hidden)
	}
}

func (f *networkingFlags) apply(app *App, cfg *ctypes.Config, host *ctypes.HostConfig) error {
	host.NetworkMode = ledger.DefaultBridge
	if len(f.networks) > 0 {
		host.NetworkMode = ctypes.NetworkMode(f.networks[0].network())
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
	host.ExtraHosts, host.DNSSearch, host.DNSOptions = f.hosts, f.dnsSearch, f.dnsOptions
	for _, w := range f.dns {
		a, err := netip.ParseAddr(w)
		if err != nil {
			return usagef("%v", err)
		}
		host.DNS = append(host.DNS, a)
	}
	if !userDefined(string(host.NetworkMode)) {
		host.Links = f.links // which lead the old way: by lines in its file of hosts
	}
	app.warnOfLoopback(host.DNS)
	return nil
}

// warnOfLoopback tells of the first server that a container can't reach: its loopback is not the host's.
func (app *App) warnOfLoopback(servers []netip.Addr) {
	if i := slices.IndexFunc(servers, netip.Addr.IsLoopback); i >= 0 {
		fmt.Fprintf(app.Err, "WARNING: Localhost DNS setting (--dns=%s) may fail in containers.\n", servers[i])
	}
}

// userDefined says that a network is none of those that are always there.
func userDefined(name string) bool {
	return name != "" && name != "default" && !ledger.Predefined(name) && !ctypes.NetworkMode(name).IsContainer()
}

// network is the name with docker's other word for the default one replaced.
func (w *networkWord) network() string {
	if w.name == "default" {
		return ledger.DefaultBridge
	}
	return w.name
}

// endpoints gives each network what the container is to have in it: what the options say is for the first one. A network that nothing in
// particular is wanted of has no settings.
func (f *networkingFlags) endpoints() (map[string]*ntypes.EndpointSettings, error) {
	list := slices.Clone(f.networks)
	if len(list) == 0 {
		list = networkList{{name: ledger.DefaultBridge}}
	}
	if err := f.first(&list[0]); err != nil {
		return nil, err
	}
	all := map[string]*ntypes.EndpointSettings{}
	own, other := false, false
	for i := range list {
		w := &list[i]
		if err := w.check(); err != nil {
			return nil, err
		}
		name := w.network()
		if _, twice := all[name]; twice {
			return nil, usagef("network %q is specified multiple times", w.name)
		}
		own, other = own || userDefined(name), other || !userDefined(name)
		all[name] = nil
		if !reflect.ValueOf(w.settings).IsZero() {
			all[name] = &w.settings
		}
	}
	if own && other {
		return nil, usagef("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
	}
	return all, nil
}

// check refuses what only networks of one's own can have.
func (w *networkWord) check() error {
	switch {
	case strings.TrimSpace(w.name) == "":
		return usagef("no name set for network")
	case !userDefined(w.name) && len(w.settings.Aliases) > 0:
		return usagef("network-scoped aliases are only supported for user-defined networks")
	}
	return nil
}

// first adds what the options say to the first network, which must not have said it itself.
func (f *networkingFlags) first(w *networkWord) error {
	s := w.settings
	conflict := func(flag, own string) error {
		return usagef("conflicting options: cannot specify both --%s and per-network %s", flag, own)
	}
	fixed := ntypes.EndpointIPAMConfig{}
	if s.IPAMConfig != nil {
		fixed = *s.IPAMConfig
	}
	switch {
	case len(s.Aliases) > 0 && len(f.aliases) > 0:
		return conflict("network-alias", "alias")
	case fixed.IPv4Address.IsValid() && f.ip != "":
		return conflict("ip", "IPv4 address")
	case fixed.IPv6Address.IsValid() && f.ip6 != "":
		return conflict("ip6", "IPv6 address")
	case len(fixed.LinkLocalIPs) > 0 && len(f.linkLocal) > 0:
		return conflict("link-local-ip", "link-local IP addresses")
	case len(s.MacAddress) > 0 && f.mac != "":
		return conflict("mac-address", "MAC address")
	}
	w.settings.Aliases = append(slices.Clone(s.Aliases), f.aliases...)
	if userDefined(w.name) {
		w.settings.Links = f.links
	}
	return f.fixed(&w.settings)
}

// fixed is what --ip, --ip6, --link-local-ip and --mac-address say.
func (f *networkingFlags) fixed(s *ntypes.EndpointSettings) error {
	var errs []error
	if f.ip != "" {
		errs = append(errs, setAddress(s, f.ip, true))
	}
	if f.ip6 != "" {
		errs = append(errs, setAddress(s, f.ip6, false))
	}
	for _, w := range f.linkLocal {
		errs = append(errs, addLinkLocal(s, w))
	}
	if f.mac != "" {
		errs = append(errs, setMAC(s, f.mac))
	}
	return cmp.Or(errs...)
}
