//go:build linux

package rootnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"

	api "github.com/moby/moby/api/types/network"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/wiring"
	"github.com/learn-containers/learn/engine/network"
)

// Config is what a container is connected to, and how.
type Config struct {
	Plan   network.Plan
	Netns  int                         // its network namespace, open; it need not stay so
	Folder func(network string) string // where the cables of a network are
	Path   string                      // where programs are looked for, as PATH has it
	Report func(wiring.Change)         // is told each change once it is made; nil: nobody is
	// Lacking is told why there is no way out, if the plan wants one: it is no reason not to start. Nil: nobody is.
	Lacking func(error)
}

// Wires are a container's connections, until Close. They don't outlive the process.
type Wires struct {
	config Config
	netns  *os.File
	inside *post

	mu      sync.Mutex
	plan    network.Plan
	plugs   []*plug
	outside *outside // nil: there is no way out
}

// Connect carries out a plan. An error leaves nothing of it behind.
func Connect(ctx context.Context, c Config) (*Wires, error) {
	fd, err := unix.FcntlInt(uintptr(c.Netns), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("connect container: %w", err)
	}
	w := &Wires{config: c, netns: os.NewFile(uintptr(fd), "network namespace")}
	if w.inside, err = openPost(into(fd)); err != nil {
		return nil, errors.Join(err, w.netns.Close())
	}
	if err := w.Rewire(ctx, c.Plan); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// Outside names the program that is the way out; empty if there is none: the container reaches the subnets of its networks alone.
func (w *Wires) Outside() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outside == nil {
		return ""
	}
	return w.outside.tool
}

// Dial connects from within the container, by TCP or UDP, as published ports do.
func (w *Wires) Dial(ctx context.Context, protocol api.IPProtocol, to netip.AddrPort) (net.Conn, error) {
	return (&Dialer{post: w.inside}).Dial(ctx, protocol, to)
}

// Close takes all back. No other call may run or follow.
func (w *Wires) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.outside != nil {
		w.outside.close()
	}
	var errs []error
	for _, p := range w.plugs {
		errs = append(errs, w.unplug(p))
	}
	w.plugs = nil
	w.inside.close()
	return errors.Join(append(errs, w.netns.Close())...)
}

// Rewire carries out what plan has and the present one has not, and takes back what only the present one has. After an error the present plan
// still holds.
func (w *Wires) Rewire(ctx context.Context, plan network.Plan) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var keep, lost []*plug
	for _, p := range w.plugs {
		if slices.ContainsFunc(plan.Endpoints, p.serves) {
			keep = append(keep, p)
		} else {
			lost = append(lost, p)
		}
	}
	// an endpoint that changed has the same interface: the old one goes first
	errs := []error{}
	for _, p := range lost {
		errs = append(errs, w.unplug(p))
	}
	made, err := w.plugAll(ctx, plan, keep)
	if err != nil {
		return errors.Join(err, w.putBack(ctx, made, keep))
	}
	w.plugs, w.plan = append(keep, made...), plan
	w.leave(ctx, plan)
	return errors.Join(errs...)
}

// putBack has the present plan hold again.
func (w *Wires) putBack(ctx context.Context, made, keep []*plug) error {
	var errs []error
	for _, p := range made {
		errs = append(errs, w.unplug(p))
	}
	old, err := w.plugAll(context.WithoutCancel(ctx), w.plan, keep)
	w.plugs = append(keep, old...)
	return errors.Join(append(errs, err)...)
}

// plugAll connects the endpoints of a plan that are not among those there. It gives those that it made, on an error, too.
func (w *Wires) plugAll(ctx context.Context, plan network.Plan, there []*plug) (made []*plug, err error) {
	for _, e := range plan.Endpoints {
		if slices.ContainsFunc(there, func(p *plug) bool { return p.serves(e) }) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return made, err
		}
		i := slices.IndexFunc(plan.Bridges, func(b network.Bridge) bool { return b.Network == e.Network })
		if i < 0 {
			return made, fmt.Errorf("connect %s: the plan has no bridge of network %.12s", e.Interface, e.Network)
		}
		p, err := connectPlug(w.inside, e, plan.Bridges[i], w.config.Folder(e.Network))
		if err != nil {
			return made, err
		}
		made = append(made, p)
		w.report(p.changes(plan)...)
	}
	return made, nil
}

func (w *Wires) unplug(p *plug) error {
	if err := p.close(); err != nil {
		return fmt.Errorf("disconnect %s: %w", p.endpoint.Interface, err)
	}
	w.report(p.gone(w.config.Plan.Container)...)
	return nil
}

// leave sees to the way out: there is one if the plan wants it and the machine has it.
func (w *Wires) leave(ctx context.Context, plan network.Plan) {
	if w.outside != nil && (!wantsOut(plan) || !w.outside.suits(plan)) {
		w.outside.close()
		w.outside = nil
	}
	if w.outside != nil || !wantsOut(plan) {
		return
	}
	used, err := wiring.Used(ctx)
	if err == nil {
		w.outside, err = openOutside(ctx, w.config.Path, plan, used, w.netns)
	}
	if err != nil {
		if w.config.Lacking != nil {
			w.config.Lacking(err)
		}
		return
	}
	w.report(w.outside.changes(plan)...)
}

func (w *Wires) report(changes ...wiring.Change) {
	if w.config.Report == nil {
		return
	}
	for _, c := range changes {
		w.config.Report(c)
	}
}
