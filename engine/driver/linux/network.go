//go:build linux

package linux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/linux/uplink"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/driver/nameconf"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

var (
	_ driver.Networker = (*Runtime)(nil)
	_ driver.Rewirer   = (*task)(nil)
)

// connected are the plans of the home's containers.
func (r *Runtime) connected() uplink.Connected {
	return uplink.Connected{Dir: filepath.Join(r.home.Networks(), "connected")}
}

// netOf is what the supervisor gets of a plan; nil for none.
func (r *Runtime) netOf(plan *network.Plan) (*shim.Net, error) {
	if plan == nil {
		return nil, nil
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("write plan of networks: %w", err)
	}
	n := &shim.Net{Plan: text, Home: r.home.Root(), Dir: r.connected().Dir, Rootless: r.mode.Rootless, Path: os.Getenv("PATH")}
	for _, s := range hostResolv().Servers {
		n.Servers = append(n.Servers, s.String())
	}
	return n, nil
}

// resolvable gives a plan a name server of its own where the container could not ask the host's: they listen on the host's loopback interface.
func resolvable(plan *network.Plan, host network.Resolv) *network.Plan {
	if plan == nil || plan.Resolver != nil || len(plan.Resolv.Servers) > 0 || len(host.Servers) == 0 || len(nameconf.Reachable(host.Servers)) > 0 {
		return plan
	}
	out := *plan
	out.Resolver = &network.Resolver{}
	return &out
}

// plan is what the container is connected by, while its supervisor is there.
func (t *task) plan() *network.Plan {
	p, ok := t.runtime.connected().Read(t.id)
	if !ok || !p.Alive {
		return nil
	}
	return &p.Plan
}

// UsedPrefixes implements driver.Networker.
func (r *Runtime) UsedPrefixes(ctx context.Context) ([]netip.Prefix, error) {
	return wiring.Used(ctx)
}

// SweepNetworks implements driver.Networker.
func (r *Runtime) SweepNetworks(ctx context.Context) error {
	all, err := r.connected().All()
	if err != nil {
		return err
	}
	alive := map[string]bool{}
	var dead []string
	for _, p := range all {
		if p.Alive {
			alive[p.Container] = true
		} else {
			dead = append(dead, p.Container)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	if !r.mode.Rootless { // there everything ends with the supervisor
		removed, err := wiring.Host{Owner: r.home.Root()}.Sweep(ctx, func(id string) bool { return alive[id] || r.connects(id) })
		if err != nil {
			return fmt.Errorf("sweep networks: %w", err)
		}
		for _, what := range removed {
			trace.Fact(ctx, vocab.RecoverRemove, trace.String("what", "interface or rule"), trace.String("path", what))
		}
	}
	for _, id := range dead {
		if !r.connects(id) {
			err = errors.Join(err, r.connected().Drop(id))
		}
	}
	return err
}

// connects reports whether a container has got a new supervisor meanwhile.
func (r *Runtime) connects(id string) bool {
	p, ok := r.connected().Read(id)
	return ok && p.Alive
}

// RestoreNetworks implements driver.Networker.
func (r *Runtime) RestoreNetworks(ctx context.Context) error {
	plans, err := r.connected().Alive()
	if err != nil || len(plans) == 0 || r.mode.Rootless {
		return err
	}
	tell := uplink.TellWiring(func(kind string, attrs ...trace.Attr) { trace.Fact(ctx, kind, attrs...) })
	if _, err := (wiring.Host{Owner: r.home.Root(), Report: tell}).Restore(ctx, plans); err != nil {
		return fmt.Errorf("restore networks: %w", err)
	}
	return nil
}

// Rewire implements driver.Rewirer.
func (t *task) Rewire(ctx context.Context, plan network.Plan) (network.Plan, error) {
	t.traceOn(ctx)
	before := t.plan()
	to, err := t.runtime.netOf(&plan)
	if err != nil {
		return network.Plan{}, err
	}
	reply, err := t.ask(ctx, shim.Request{Do: shim.DoRewire, Net: to})
	if err != nil {
		return network.Plan{}, err
	}
	var after network.Plan
	if err := json.Unmarshal(reply.Plan, &after); err != nil {
		return network.Plan{}, fmt.Errorf("connect %s: read plan of its supervisor: %w", t.id, err)
	}
	return after, t.rewriteNames(before, &after)
}

// rewriteNames brings the files of names up to date, in place: they are mounted in the container. Lines that are not ours stay.
func (t *task) rewriteNames(before, after *network.Plan) error {
	hosts := filepath.Join(t.dir, "hosts")
	text, err := os.ReadFile(hosts)
	if err != nil {
		return fmt.Errorf("name addresses of %s: %w", t.id, err)
	}
	hostname, err := os.ReadFile(filepath.Join(t.dir, "hostname"))
	if err != nil {
		return fmt.Errorf("name addresses of %s: %w", t.id, err)
	}
	name := strings.TrimSpace(string(hostname))
	var had []network.Endpoint
	if before != nil {
		had = before.Endpoints
	}
	lines := slices.Collect(strings.Lines(string(text)))
	old := slices.Collect(strings.Lines(nameconf.OwnLines(name, had)))
	lines = slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(old, l) })
	if err := os.WriteFile(hosts, []byte(strings.Join(lines, "")+nameconf.OwnLines(name, after.Endpoints)), 0o644); err != nil {
		return fmt.Errorf("name addresses of %s: %w", t.id, err)
	}
	if before != nil && (before.Resolver == nil) == (after.Resolver == nil) {
		return nil
	}
	if err := os.WriteFile(filepath.Join(t.dir, "resolv.conf"), []byte(nameconf.ResolvConf(after, hostResolv())), 0o644); err != nil {
		return fmt.Errorf("name servers of %s: %w", t.id, err)
	}
	return nil
}
