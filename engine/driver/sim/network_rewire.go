package sim

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/nameconf"
	"github.com/learn-containers/learn/engine/network"
)

// Rewire implements driver.Rewirer.
func (t *task) Rewire(ctx context.Context, plan network.Plan) (network.Plan, error) {
	t.traceOn(ctx)
	r, err := t.ask(ctx, request{Do: doRewire, Net: &plan})
	switch {
	case err != nil:
		return network.Plan{}, err
	case r.Net == nil:
		return network.Plan{}, fmt.Errorf("connect %s: its supervisor gave no plan", t.id)
	}
	return *r.Net, nil
}

// rewire connects the container as a new plan says, brings the files of names up to date, and gives the plan as it was carried out.
func (h *host) rewire(plan *network.Plan) (*network.Plan, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ended || h.closed:
		return nil, driver.ErrNotRunning
	case plan == nil:
		return nil, errors.New("connect container: no plan")
	case h.conn == nil:
		return nil, fmt.Errorf("connect container: the machine's own network is %w for that", driver.ErrUnsupported)
	}
	before := h.conn.present()
	if err := h.conn.rewire(context.Background(), *plan); err != nil {
		return nil, err
	}
	after := h.conn.present()
	h.record.Net = &after
	return &after, errors.Join(h.rename(before, after), writeState(h.spec.Dir, taskFile, h.record, false))
}

// rewire makes what only the new plan has, and then takes back what only the present one has. A port that was published stays so: it is
// where it leads that changes.
func (c *connection) rewire(ctx context.Context, plan network.Plan) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return driver.ErrNotRunning
	}
	before := c.plan
	plan.Ports = retarget(before.Ports, plan.Ports)
	more, less := network.Difference(before, plan)
	more.Ports = nil
	if before.Resolver != nil {
		more.Resolver = nil // it is the same one
	}
	facts, err := c.extend(ctx, more, plan.Bridges)
	if err != nil {
		return err
	}
	for i, p := range plan.Ports {
		c.moved[c.first(i)] = p.To
	}
	c.plan = plan
	c.route()
	c.tell(facts)
	return c.leave(less)
}

// first is where the proxy that listens for the ith port takes what comes.
func (c *connection) first(i int) (to netip.AddrPort) {
	for _, p := range c.proxies {
		ports := p.Ports()
		if i < len(ports) {
			return ports[i].To
		}
		i -= len(ports)
	}
	return to
}

// retarget gives ports that were published already where they lead to now: the host's side of them stays.
func retarget(have, want []network.Published) []network.Published {
	all := slices.Clone(have)
	for i := range all {
		if i < len(want) && all[i].Protocol == want[i].Protocol && all[i].To.Port() == want[i].To.Port() {
			all[i].To = want[i].To
		}
	}
	return all
}

// rename brings the files of names up to date, in place: they are mounted in the container. Lines that are not ours stay.
func (h *host) rename(before, after network.Plan) error {
	file := filepath.Join(h.spec.Dir, "hosts")
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("name addresses of %s: %w", h.spec.ID, err)
	}
	old := slices.Collect(strings.Lines(nameconf.OwnLines(h.spec.Hostname, before.Endpoints)))
	lines := slices.DeleteFunc(slices.Collect(strings.Lines(string(text))), func(l string) bool { return slices.Contains(old, l) })
	err = os.WriteFile(file, []byte(strings.Join(lines, "")+nameconf.OwnLines(h.spec.Hostname, after.Endpoints)), 0o644)
	if err == nil && (before.Resolver == nil) != (after.Resolver == nil) {
		err = os.WriteFile(filepath.Join(h.spec.Dir, "resolv.conf"), []byte(nameconf.ResolvConf(&after, machineResolv())), 0o644)
	}
	if err != nil {
		return fmt.Errorf("name addresses of %s: %w", h.spec.ID, err)
	}
	return nil
}
