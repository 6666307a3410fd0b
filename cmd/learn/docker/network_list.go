package docker

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/spf13/cobra"
)

// networkRow is one line of docker network ls, with docker's field names.
type networkRow struct {
	CreatedAt, Driver, ID, IPv4, IPv6, Internal, Labels, Name, Scope string
	labels                                                           map[string]string
}

// Label is the value of one label, for templates.
func (r networkRow) Label(name string) string { return format.Clean(r.labels[name]) }

func networkTable() format.Table[networkRow] {
	return format.Table[networkRow]{
		Default: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
		Quiet:   "{{.ID}}",
		Headers: map[string]string{"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6", "Internal": "INTERNAL",
			"Labels": "LABELS", "CreatedAt": "CREATED AT"},
	}
}

func (app *App) networkList() *cobra.Command {
	var quiet, noTrunc bool
	var spec string
	var filters []string
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS]",
		Aliases: []string{"list"},
		Short:   "List networks",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return app.listNetworks(cmd.Context(), quiet, noTrunc, spec, filters)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&quiet, "quiet", "q", false, "Only display network IDs")
	fl.BoolVar(&noTrunc, "no-trunc", false, "Do not truncate the output")
	fl.StringVar(&spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	fl.StringArrayVarP(&filters, "filter", "f", nil, "Provide filter values: dangling=, driver=, id=, label=, name=, scope=, type=")
	return cmd
}

func (app *App) listNetworks(ctx context.Context, quiet, noTrunc bool, spec string, filters []string) error {
	if err := app.mendNetworks(ctx); err != nil {
		return err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	used, err := networksInUse(ctx, e, nil)
	if err != nil {
		return err
	}
	keep, err := networkFilter(filters, used)
	if err != nil {
		return err
	}
	all, err := e.Networks.List(ctx)
	if err != nil {
		return err
	}
	var rows []networkRow
	for _, n := range all {
		if keep(n) {
			rows = append(rows, newNetworkRow(n, noTrunc))
		}
	}
	if quiet {
		return networkTable().WriteQuiet(app.Out, rows)
	}
	return networkTable().Write(app.Out, spec, rows)
}

func newNetworkRow(n *ledger.Network, noTrunc bool) networkRow {
	r := networkRow{ID: n.ID, Name: n.Name, Driver: n.Driver, Scope: n.Scope, IPv4: strconv.FormatBool(n.EnableIPv4), IPv6: strconv.FormatBool(n.EnableIPv6),
		Internal: strconv.FormatBool(n.Internal), Labels: labels(n.Labels), labels: n.Labels, CreatedAt: n.Created.Format("2006-01-02 15:04:05.999999999 -0700 MST")}
	if !noTrunc {
		r.ID = n.ID[:12]
	}
	return r
}

// networksInUse tells of each network whether a container names it, running or not. Those that are gone don't count.
func networksInUse(ctx context.Context, e *engine.Engine, gone map[string]bool) (func(*ledger.Network) bool, error) {
	containers, err := e.Containers.List(ctx, true)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for i := range containers {
		if gone[containers[i].ID] {
			continue
		}
		for _, n := range containers[i].NetworkNames() {
			names[n] = true
		}
	}
	return func(n *ledger.Network) bool { return names[n.Name] }, nil
}

// networkFilter turns --filter words into one question. Several values of one key are alternatives, but labels must all be there.
func networkFilter(filters []string, used func(*ledger.Network) bool) (func(*ledger.Network) bool, error) {
	byKey := map[string][]func(*ledger.Network) bool{}
	for _, word := range filters {
		key, value, err := filterWord(word)
		if err != nil {
			return nil, err
		}
		test, err := networkTest(key, value, used)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(key, "label") {
			key += word
		}
		byKey[key] = append(byKey[key], test)
	}
	return func(n *ledger.Network) bool {
		for _, tests := range byKey {
			if !slices.ContainsFunc(tests, func(t func(*ledger.Network) bool) bool { return t(n) }) {
				return false
			}
		}
		return true
	}, nil
}

func networkTest(key, value string, used func(*ledger.Network) bool) (func(*ledger.Network) bool, error) {
	switch key {
	case "dangling":
		want, err := parseFilterBool(key, value)
		return func(n *ledger.Network) bool { return !ledger.Predefined(n.Name) && used(n) != want }, err
	case "driver":
		return func(n *ledger.Network) bool { return n.Driver == value }, nil
	case "id":
		return func(n *ledger.Network) bool { return strings.Contains(n.ID, value) }, nil
	case "name":
		return func(n *ledger.Network) bool { return strings.Contains(n.Name, value) }, nil
	case "scope":
		return func(n *ledger.Network) bool { return n.Scope == value }, nil
	case "type":
		if value != "custom" && value != "builtin" {
			return nil, &filterError{"invalid filter: 'type'='" + value + "': expected custom or builtin"}
		}
		return func(n *ledger.Network) bool { return ledger.Predefined(n.Name) == (value == "builtin") }, nil
	case "label", "label!":
		return func(n *ledger.Network) bool { return matchLabel(value, n.Labels) == (key == "label") }, nil
	}
	return nil, &filterError{"invalid filter '" + key + "'"}
}
