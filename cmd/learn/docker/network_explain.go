package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/network/reach"
)

// networkPicture is what inspect --explain draws of one network.
type networkPicture struct {
	Name, ID, Driver string
	Subnets          []string
	Default          bool // the one where names mean nothing
	Bridge           network.Bridge
	Members          []networkMember
	Simulated        bool // there is no kernel below, so nothing of it can be looked at by other tools
	Userspace        bool // without root: supervisors pass frames on, and no interface or rule of the host has a part in it
}

// networkMember is a running container's place in it.
type networkMember struct {
	Name, ID string
	Endpoint network.Endpoint
	Ports    []network.Published // that lead to the container here
	Names    []string
	Sockets  []reach.Socket
	Looked   bool          // Sockets are known
	Wires    []driver.Wire // nil: nobody can look
}

// explainNetworks draws networks: those of the names, or those that somebody is in.
func (app *App) explainNetworks(ctx context.Context, names []string) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	all, errs := networksToExplain(ctx, e, names)
	drawn := false
	for _, n := range all {
		p, err := pictureOf(ctx, e, n)
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case len(names) == 0 && len(p.Members) == 0:
			continue
		case drawn:
			fmt.Fprintln(app.Out)
		}
		drawn = true
		fmt.Fprint(app.Out, drawNetwork(p, app.pen(), min(app.columns(), treeWidth)))
	}
	if !drawn && len(errs) == 0 {
		fmt.Fprintln(app.Out, "No container runs in a network. To draw one that nobody is in, name it.")
	}
	app.printErrors(errs)
	if len(errs) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

func networksToExplain(ctx context.Context, e *engine.Engine, names []string) (all []*ledger.Network, errs []error) {
	if len(names) == 0 {
		list, err := e.Networks.List(ctx)
		if err != nil {
			errs = []error{err}
		}
		return slices.DeleteFunc(list, func(n *ledger.Network) bool { return n.Problem != nil }), errs
	}
	for _, name := range names {
		n, err := e.Networks.Find(ctx, name)
		if err == nil {
			err = n.Problem
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, n)
	}
	return all, errs
}

func pictureOf(ctx context.Context, e *engine.Engine, n *ledger.Network) (networkPicture, error) {
	p := networkPicture{Name: n.Name, ID: n.ID, Driver: n.Driver, Default: n.Name == ledger.DefaultBridge, Bridge: n.Bridge()}
	for _, s := range n.Subnets() {
		p.Subnets = append(p.Subnets, s.Prefix.String())
	}
	if n.Driver != ledger.DefaultBridge {
		return p, nil
	}
	connections, err := e.Containers.Connections(ctx, n)
	if err != nil {
		return p, err
	}
	leases, err := e.Networks.Leases(ctx, n)
	if err != nil {
		return p, err
	}
	for _, c := range connections {
		m, ok := memberOf(&c, n.ID)
		if !ok {
			continue
		}
		p.Simulated = p.Simulated || c.Inside
		p.Userspace = p.Userspace || c.Wires == nil && !c.Inside
		for _, l := range leases {
			if l.Container == c.ID {
				m.Names = l.Names
			}
		}
		p.Members = append(p.Members, m)
	}
	return p, nil
}

func memberOf(c *container.Connection, net string) (networkMember, bool) {
	i := slices.IndexFunc(c.Net.Endpoints, func(e network.Endpoint) bool { return e.Network == net })
	if i < 0 {
		return networkMember{}, false
	}
	m := networkMember{Name: c.Name, ID: c.ID, Endpoint: c.Net.Endpoints[i], Sockets: c.Sockets, Looked: c.Looked, Wires: c.Wires}
	for _, p := range c.Net.Ports {
		for _, a := range m.Endpoint.Addresses {
			if a.Addr() == p.To.Addr().Unmap() {
				m.Ports = append(m.Ports, p)
			}
		}
	}
	return m, true
}

// pen are the characters that a drawing is made of.
type pen struct{ down, tee, last, cable, arrow, end string }

// pen is what the user's locale can show.
func (app *App) pen() pen {
	ascii := pen{down: "|", tee: "+-", last: "`-", cable: "===", arrow: "-->", end: "v"}
	if app.Environ == nil {
		return ascii
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v, ok := app.Environ(name); ok && v != "" { // the first that is set counts: locale(7)
			if v = strings.ToLower(v); strings.Contains(v, "utf-8") || strings.Contains(v, "utf8") {
				return pen{down: "│", tee: "├─", last: "└─", cable: "═══", arrow: "──▶", end: "▼"}
			}
			return ascii
		}
	}
	return ascii
}

// short is a name or an id cut to what fits.
func short(s string, n int) string {
	s = format.Clean(s)
	if r := []rune(s); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return s
}
