//go:build linux

package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	api "github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/driver/linux/rootnet"
	"github.com/learn-containers/learn/engine/network"
	"github.com/learn-containers/learn/engine/network/proxy"
)

// publishing is the ports of the host that lead into the container. A port keeps its place on the host for as long; where it leads to changes
// with the container's address.
type publishing struct {
	proxy  *proxy.Proxy
	first  []network.Published // as they were opened
	dialer *rootnet.Dialer     // by which the container is reached; nil: from the host

	mu  sync.Mutex // guards what follows
	now []network.Published
}

// publish opens ports, and says who has one that is taken.
func (c *connection) publish(ctx context.Context, ports []network.Published) (p *publishing, err error) {
	p = &publishing{}
	if c.cfg.Rootless && len(ports) > 0 {
		if p.dialer, err = rootnet.OpenDialer(int(c.netns.Fd())); err != nil {
			return nil, err
		}
	}
	p.proxy, err = proxy.Open(ctx, ports, proxy.Config{Dial: p.dial, Unreached: c.tell.refused})
	if err != nil {
		return nil, errors.Join(c.explain(err, ports), p.close())
	}
	p.first, p.now = p.proxy.Ports(), p.proxy.Ports()
	return p, nil
}

func (c *connection) explain(err error, ports []network.Published) error {
	var taken *proxy.ConflictError
	if errors.As(err, &taken) {
		if id, ok := c.state.publisher(taken.Port); ok {
			return fmt.Errorf("driver failed programming external connectivity on endpoint %.12s: Bind for %s failed: port is already allocated: container %.12s has it; "+
				"publish another port, or remove that container", c.id, netip.AddrPortFrom(taken.Port.HostIP, taken.Port.HostPort), id)
		}
	}
	return rootnet.ExplainPublish(err, ports)
}

// dial connects to where the port leads now.
func (p *publishing) dial(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error) {
	p.mu.Lock()
	if i := slices.IndexFunc(p.first, func(f network.Published) bool { return f.To == to && f.Protocol == protocol }); i >= 0 {
		to = p.now[i].To
	}
	p.mu.Unlock()
	if p.dialer != nil {
		return p.dialer.Dial(ctx, protocol, to)
	}
	var d net.Dialer
	return d.DialContext(ctx, string(protocol), to.String())
}

// retargeted gives the ports as they are with the container's addresses of want; false if want has others.
func (p *publishing) retargeted(want []network.Published) ([]network.Published, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(want) != len(p.now) {
		return nil, false
	}
	all := slices.Clone(p.now)
	for i, w := range want {
		if all[i].Protocol != w.Protocol || all[i].HostIP != w.HostIP || all[i].To.Port() != w.To.Port() {
			return nil, false
		}
		all[i].To = w.To
	}
	return all, true
}

// lead has the ports lead to where ports says.
func (p *publishing) lead(ports []network.Published) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = ports
}

func (p *publishing) close() error {
	if p == nil {
		return nil
	}
	var err error
	if p.proxy != nil {
		err = p.proxy.Close()
	}
	if p.dialer != nil {
		p.dialer.Close()
	}
	return err
}
