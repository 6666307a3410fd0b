package docker

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/network/ledger"
	ntypes "github.com/moby/moby/api/types/network"
	"github.com/spf13/cobra"
)

func (app *App) networkCommands() []command {
	return []command{
		{app.networkConnect, ""},
		{app.networkCreate, ""},
		{app.networkDisconnect, ""},
		{app.networkInspect, ""},
		{app.networkList, ""},
		{app.networkPrune, ""},
		{app.networkRemove, ""},
	}
}

// networkFlags are the options of network create.
type networkFlags struct {
	driver, ipamDriver               string
	internal, attachable, ipv4, ipv6 bool
	subnets, ranges, gateways, aux   []string
	options, labels, ipamOptions     []string
	ingress, configOnly              bool
	scope, configFrom                string
}

func (app *App) networkCreate() *cobra.Command {
	var f networkFlags
	cmd := &cobra.Command{
		Use:   "create [OPTIONS] NETWORK",
		Short: "Create a network",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.createOptions(args[0])
			if err != nil {
				return err
			}
			return app.createNetwork(cmd.Context(), o)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.driver, "driver", "d", "bridge", "Driver to manage the Network")
	fl.StringArrayVarP(&f.options, "opt", "o", nil, "Set driver specific options")
	fl.StringArrayVar(&f.labels, "label", nil, "Set metadata on a network")
	fl.BoolVar(&f.internal, "internal", false, "Restrict external access to the network")
	fl.BoolVar(&f.attachable, "attachable", false, "Enable manual container attachment")
	fl.BoolVar(&f.ipv4, "ipv4", true, "Enable or disable IPv4 address assignment")
	fl.BoolVar(&f.ipv6, "ipv6", false, "Enable or disable IPv6 address assignment")
	fl.StringVar(&f.ipamDriver, "ipam-driver", "default", "IP Address Management Driver")
	fl.StringArrayVar(&f.ipamOptions, "ipam-opt", nil, "Set IPAM driver specific options")
	fl.StringSliceVar(&f.subnets, "subnet", nil, "Subnet in CIDR format that represents a network segment")
	fl.StringSliceVar(&f.ranges, "ip-range", nil, "Allocate container ip from a sub-range")
	fl.StringSliceVar(&f.gateways, "gateway", nil, "IPv4 or IPv6 Gateway for the master subnet")
	fl.StringArrayVar(&f.aux, "aux-address", nil, "Auxiliary IPv4 or IPv6 addresses used by Network driver")
	fl.StringVar(&f.scope, "scope", "", "Control the network's scope")
	fl.BoolVar(&f.ingress, "ingress", false, "Create swarm routing-mesh network")
	fl.BoolVar(&f.configOnly, "config-only", false, "Create a configuration only network")
	fl.StringVar(&f.configFrom, "config-from", "", "The network from which to copy the configuration")
	return cmd
}

func (f *networkFlags) createOptions(name string) (ledger.CreateOptions, error) {
	o := ledger.CreateOptions{Name: name, Driver: f.driver, Internal: f.internal, Attachable: f.attachable, IPv6: f.ipv6, IPAMDriver: f.ipamDriver}
	switch {
	case f.ingress || f.configOnly || f.configFrom != "" || f.scope != "" && f.scope != "local":
		return o, usagef("--ingress, --config-only, --config-from and --scope %q are for a swarm of machines: there is one machine here", f.scope)
	case !f.ipv4:
		return o, usagef("--ipv4=false: a network without IPv4 is not there; --ipv6 adds IPv6 to it")
	case len(f.ipamOptions) > 0:
		return o, usagef("--ipam-opt %s: the default driver for addresses has no options", f.ipamOptions[0])
	}
	var err error
	if o.Options, err = pairs(f.options); err != nil {
		return o, err
	}
	if o.Labels, err = pairs(f.labels); err != nil {
		return o, err
	}
	o.Subnets, err = f.ipam()
	return o, err
}

// ipam gives each range, gateway and further address to the subnet that it lies in, as docker's client does.
func (f *networkFlags) ipam() ([]ntypes.IPAMConfig, error) {
	var all []ntypes.IPAMConfig
	for _, w := range f.subnets {
		p, err := netip.ParsePrefix(w)
		if err != nil {
			return nil, usagef("invalid subnet %q: expected an address and a length, as in 10.5.0.0/16", w)
		}
		all = append(all, ntypes.IPAMConfig{Subnet: p})
	}
	in := func(a netip.Addr) *ntypes.IPAMConfig {
		for i := range all {
			if all[i].Subnet.Contains(a) {
				return &all[i]
			}
		}
		return nil
	}
	for _, w := range f.ranges {
		p, err := netip.ParsePrefix(w)
		if err != nil {
			return nil, usagef("invalid ip-range %q: expected an address and a length, as in 10.5.1.0/24", w)
		}
		c := in(p.Addr())
		switch {
		case c == nil:
			return nil, usagef("no matching subnet for range %s", w)
		case c.IPRange.IsValid():
			return nil, usagef("cannot configure multiple ranges (%s, %s) on the same subnet (%s)", p, c.IPRange, c.Subnet)
		}
		c.IPRange = p
	}
	for _, w := range f.gateways {
		a, err := netip.ParseAddr(w)
		if err != nil {
			return nil, usagef("invalid gateway %q: expected an address", w)
		}
		c := in(a)
		switch {
		case c == nil:
			return nil, usagef("no matching subnet for gateway %s", w)
		case c.Gateway.IsValid():
			return nil, usagef("cannot configure multiple gateways (%s, %s) for the same subnet (%s)", a, c.Gateway, c.Subnet)
		}
		c.Gateway = a
	}
	return all, f.auxAddresses(in)
}

func (f *networkFlags) auxAddresses(in func(netip.Addr) *ntypes.IPAMConfig) error {
	for _, w := range f.aux {
		name, word, ok := strings.Cut(w, "=")
		a, err := netip.ParseAddr(word)
		if !ok || name == "" || err != nil {
			return usagef("invalid aux-address %q: expected NAME=ADDRESS", w)
		}
		c := in(a)
		if c == nil {
			return usagef("no matching subnet for aux-address %s", word)
		}
		if c.AuxAddress == nil {
			c.AuxAddress = map[string]netip.Addr{}
		}
		c.AuxAddress[name] = a
	}
	return nil
}

func (app *App) createNetwork(ctx context.Context, o ledger.CreateOptions) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	n, err := e.Networks.Create(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(app.Out, n.ID)
	return nil
}

// mendNetworks brings what the machine has of networks in line with what runs. What it can't mend hides nothing from who only wants to look.
func (app *App) mendNetworks(ctx context.Context) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	if err := e.MendNetworks(ctx); err != nil {
		fmt.Fprintf(app.Err, "WARNING: mend networks: %s\n", format.Clean(err.Error()))
	}
	return ctx.Err()
}

func (app *App) networkInspect() *cobra.Command {
	var spec string
	var explain bool
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] NETWORK [NETWORK...]",
		Short: "Display detailed information on one or more networks",
		Args: func(cmd *cobra.Command, args []string) error {
			if explain {
				return nil
			}
			return atLeast(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if explain { // which shows what is missing, so it mends nothing first
				return app.explainNetworks(cmd.Context(), args)
			}
			if err := app.mendNetworks(cmd.Context()); err != nil {
				return err
			}
			return app.inspectEach(cmd.Context(), spec, args, inspectNetwork)
		},
	}
	cmd.Flags().StringVarP(&spec, "format", "f", "", "Format output using a Go template, or json")
	cmd.Flags().BoolP("verbose", "v", false, "Verbose output for diagnostics")
	cmd.Flags().BoolVar(&explain, "explain", false, "Draw the way of a packet instead: ports of the host, rules, bridge, cables, containers; of all networks that are used if none is named")
	return cmd
}

func (app *App) networkRemove() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm NETWORK [NETWORK...]",
		Aliases: []string{"remove"},
		Short:   "Remove one or more networks",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.each(args, func(name string) error {
				_, err := e.Networks.Remove(cmd.Context(), name)
				if force && ledger.IsNotFound(err) {
					return nil
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not error if the network does not exist")
	return cmd
}
