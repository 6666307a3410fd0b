package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/spf13/cobra"
)

func (app *App) networkPrune() *cobra.Command {
	var p pruneCall
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove all unused networks",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			pick, err := networkPruneFilter(p.filters, e.Now())
			if err != nil {
				return err
			}
			ok, err := app.confirm(p.force || p.dryRun, "WARNING! This will remove all custom networks not used by at least one container.")
			if err != nil || !ok {
				return err
			}
			return app.pruneNetworks(cmd.Context(), e, p, pick, nil)
		},
	}
	p.flags(cmd, `Provide filter values (e.g., "until=<timestamp>")`)
	return cmd
}

func networkPruneFilter(filters []string, now time.Time) (func(*ledger.Network) bool, error) {
	var labels []string
	var before []time.Time
	for _, word := range filters {
		key, value, err := filterWord(word)
		if err != nil {
			return nil, err
		}
		switch key {
		case "until":
			t, err := parseWhen(value, now)
			if err != nil {
				return nil, &filterError{err.Error()}
			}
			before = append(before, t)
		case "label", "label!":
			labels = append(labels, word)
		default:
			return nil, &filterError{"invalid filter '" + key + "'"}
		}
	}
	keep, err := networkFilter(labels, nil)
	return func(n *ledger.Network) bool {
		for _, t := range before {
			if !n.Created.Before(t) {
				return false
			}
		}
		return keep(n)
	}, err
}

// pruneNetworks removes the networks that no container names and that pick picks. gone are containers that a dry run takes for removed.
func (app *App) pruneNetworks(ctx context.Context, e *engine.Engine, p pruneCall, pick func(*ledger.Network) bool, gone map[string]bool) error {
	used, err := networksInUse(ctx, e, gone)
	if err != nil {
		return err
	}
	var removed []string
	if p.dryRun {
		removed, err = unusedNetworks(ctx, e, used, pick)
	} else {
		removed, err = e.Networks.Prune(ctx, used, pick)
	}
	if err == nil && len(removed) > 0 {
		fmt.Fprintf(app.Out, "%s\n%s\n\n", p.heading("Networks"), strings.Join(removed, "\n"))
	}
	return err
}

// unusedNetworks names the networks that a prune would remove.
func unusedNetworks(ctx context.Context, e *engine.Engine, used, pick func(*ledger.Network) bool) ([]string, error) {
	all, err := e.Networks.List(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range all {
		if !ledger.Predefined(n.Name) && n.Problem == nil && !used(n) && pick(n) {
			names = append(names, n.Name)
		}
	}
	return names, nil
}
