package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/api/types/events"
	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

const (
	bridgeDriver = DriverBridge
	nullDriver   = "null"
	localScope   = "local"
	defaultIPAM  = "default"
)

// Options of bridge networks that mean something here, in docker's names.
const (
	OptionBridge  = "com.docker.network.bridge.name"
	OptionICC     = "com.docker.network.bridge.enable_icc"
	OptionHidden  = "com.docker.network.bridge.enable_ip_masquerade"
	OptionMTU     = "com.docker.network.driver.mtu"
	optionDefault = "com.docker.network.bridge.default_bridge"
	OptionHostIP  = "com.docker.network.bridge.host_binding_ipv4"
)

// CreateOptions say what a new network is like.
type CreateOptions struct {
	Name       string
	Driver     string // empty: bridge
	Internal   bool
	Attachable bool
	IPv6       bool
	IPAMDriver string // empty: default
	Subnets    []api.IPAMConfig
	Options    map[string]string
	Labels     map[string]string
}

// Create makes a network. Errors: *InvalidError, *ConflictError for a name or subnet that is taken.
func (s *Store) Create(ctx context.Context, o CreateOptions) (*Network, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	n := &Network{Network: api.Network{Name: o.Name, Driver: bridgeDriver, Scope: localScope, EnableIPv4: true, EnableIPv6: o.IPv6, Internal: o.Internal,
		Attachable: o.Attachable, IPAM: api.IPAM{Driver: defaultIPAM, Config: o.Subnets}, Options: maps.Clone(o.Options), Labels: maps.Clone(o.Labels)}}
	if err := s.ensure(ctx, DefaultBridge); err != nil { // so that it has the first subnet, as in docker
		return nil, err
	}
	if err := s.make(ctx, n); err != nil {
		return nil, err
	}
	s.Events.Add(events.NetworkEventType, events.ActionCreate, n.ID, map[string]string{"name": n.Name, "type": n.Driver})
	return n, nil
}

func (o CreateOptions) check() error {
	if Predefined(o.Name) {
		return invalid("operation is not permitted on predefined %s network", o.Name)
	}
	if err := checkName(o.Name); err != nil {
		return err
	}
	switch o.Driver {
	case "", bridgeDriver:
	case Host, nullDriver, None:
		return invalid("only one instance of %q network is allowed", o.Driver)
	case "overlay", "macvlan", "ipvlan":
		return invalid("network driver %s is not there: it needs more than one machine or a network card of its own; bridge is what there is", o.Driver)
	default:
		return invalid("could not find plugin %s in v1 plugin registry: plugin not found", o.Driver)
	}
	if o.IPAMDriver != "" && o.IPAMDriver != defaultIPAM {
		return invalid("failed to find ipam driver %q: only %q is there", o.IPAMDriver, defaultIPAM)
	}
	if name := o.Options[OptionBridge]; !interfaceName(name) {
		return invalid("invalid interface name %q: at most 15 bytes without spaces or slashes", name)
	}
	return o.checkSubnets()
}

// interfaceName reports whether the kernel takes name for an interface (dev_valid_name); empty is none.
func interfaceName(name string) bool {
	return len(name) <= 15 && name != "." && name != ".." && !strings.ContainsAny(name, "/: \t\n\v\f\r")
}

func (o CreateOptions) checkSubnets() error {
	var seen []netip.Prefix
	for _, c := range o.Subnets {
		if !c.Subnet.IsValid() {
			return invalid("every ip-range or gateway must have a corresponding subnet")
		}
		if err := subnet(c).Check(); err != nil {
			return err
		}
		if other, clash := network.Overlap(c.Subnet, seen); clash {
			return invalid("invalid network config: subnets %s and %s overlap", other, c.Subnet)
		}
		if c.Subnet.Addr().Is6() && !o.IPv6 {
			return invalid("IPv6 subnet %s needs --ipv6", c.Subnet)
		}
		seen = append(seen, c.Subnet)
	}
	return nil
}

func checkName(name string) error {
	ok := len(name) <= 255
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		ok = ok && (alnum || i > 0 && (c == '_' || c == '.' || c == '-'))
	}
	switch {
	case name == "":
		return invalid("invalid network name: name is empty")
	case !ok:
		return invalid("invalid network name %q: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	case isID(name):
		return invalid("invalid network name %q: it could not be told from an id", name)
	}
	return nil
}

// ensure makes those predefined networks that are not there yet.
func (s *Store) ensure(ctx context.Context, names ...string) error {
	all, err := s.all()
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := find(all, name); err == nil {
			continue
		}
		n := &Network{Network: api.Network{Name: name, Driver: name, Scope: localScope, EnableIPv4: true, IPAM: api.IPAM{Driver: defaultIPAM}}}
		switch name {
		case None:
			n.Driver = nullDriver
		case DefaultBridge:
			n.Options = map[string]string{optionDefault: "true", OptionICC: "true", OptionHidden: "true", OptionHostIP: "0.0.0.0", OptionMTU: "1500"}
		}
		if err := s.make(ctx, n); err != nil && !errors.As(err, new(*ConflictError)) { // another process was faster
			return err
		}
	}
	return nil
}

// make completes a network and places its record.
func (s *Store) make(ctx context.Context, n *Network) error {
	unlock, err := s.home.Lock(ctx, namesLock, true)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := s.all()
	if err != nil {
		return err
	}
	if other, err := find(all, n.Name); err == nil && other.Name == n.Name {
		return conflict("network with name %s already exists", n.Name)
	}
	if n.Driver == bridgeDriver {
		if err := s.address(ctx, n, all); err != nil {
			return err
		}
	}
	if n.ID, err = s.newID(); err != nil {
		return err
	}
	n.Created = s.Now()
	if err := s.place(n); err != nil {
		return fmt.Errorf("create network %s: %w", n.Name, err)
	}
	s.tellCreated(ctx, n)
	return nil
}

// address gives the network the subnets that it lacks, and refuses those that are taken.
func (s *Store) address(ctx context.Context, n *Network, all []*Network) error {
	taken := subnetsOf(all)
	for i, c := range n.IPAM.Config {
		if other, clash := network.Overlap(c.Subnet, taken); clash {
			return conflict("invalid pool request: Pool overlaps with other one on this address space: %s and %s", c.Subnet, other)
		}
		n.IPAM.Config[i].Gateway = subnet(c).GatewayAddr()
	}
	if s.Used != nil {
		used, err := s.Used(ctx)
		if err != nil {
			return fmt.Errorf("look at the host's addresses: %w", err)
		}
		taken = append(taken, used...)
	}
	if !n.has(netip.Addr.Is4) {
		if err := n.take(network.Pools(), taken); err != nil {
			return err
		}
	}
	if n.EnableIPv6 && !n.has(netip.Addr.Is6) {
		unique, err := s.unique()
		if err != nil {
			return err
		}
		return n.take(network.Pools6(unique), taken)
	}
	return nil
}

func (n *Network) has(family func(netip.Addr) bool) bool {
	for _, c := range n.IPAM.Config {
		if family(c.Subnet.Addr()) {
			return true
		}
	}
	return false
}

func (n *Network) take(pools []network.Pool, taken []netip.Prefix) error {
	p, err := network.FreeSubnet(pools, append(taken, subnetsOf([]*Network{n})...))
	if err != nil {
		return err
	}
	n.Drawn = append(n.Drawn, p)
	n.IPAM.Config = append(n.IPAM.Config, api.IPAMConfig{Subnet: p, Gateway: network.Subnet{Prefix: p}.GatewayAddr()})
	return nil
}

func subnetsOf(all []*Network) []netip.Prefix {
	var list []netip.Prefix
	for _, n := range all {
		for _, c := range n.IPAM.Config {
			list = append(list, c.Subnet)
		}
	}
	return list
}

// unique draws a prefix of local IPv6 addresses (RFC 4193, section 3.2).
func (s *Store) unique() (netip.Prefix, error) {
	b := [16]byte{0xfd}
	if _, err := s.Random.Read(b[1:6]); err != nil {
		return netip.Prefix{}, fmt.Errorf("draw IPv6 prefix: %w", err)
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), 48), nil
}

// place writes the record: a folder without one is no network.
func (s *Store) place(n *Network) error {
	dir := s.dir(n.ID)
	if err := os.MkdirAll(filepath.Join(dir, leasesName), 0o700); err != nil {
		return err
	}
	failpoint.Hit("network.create.before-record")
	if err := home.WriteJSON(filepath.Join(dir, recordName), n, 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	failpoint.Hit("network.create.after-record")
	return home.SyncDir(s.home.Networks())
}

func (s *Store) tellCreated(ctx context.Context, n *Network) {
	var subnets []string
	for _, c := range n.IPAM.Config {
		subnets = append(subnets, c.Subnet.String())
	}
	trace.Fact(ctx, vocab.NetworkCreate, trace.String("network", n.ID), trace.String("name", n.Name), trace.String("driver", n.Driver),
		trace.Strings("subnets", subnets), trace.Bool("internal", n.Internal))
}
