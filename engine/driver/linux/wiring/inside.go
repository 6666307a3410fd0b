//go:build linux

package wiring

import (
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// Within does something in another network namespace, which is open as netns, on a thread that comes back from there or is given up.
func Within(netns int, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err == nil {
			err = enter(netns, do)
			if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread()
			}
			_ = home.Close()
		}
		done <- err
	}()
	return <-done
}

func enter(netns int, do func() error) error {
	if err := unix.Setns(netns, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the container's network namespace: %w", err)
	}
	return do()
}

// inside is Within with a socket to the kernel's tables there.
func inside(netns int, do func(*netlink.Handle) error) error {
	return Within(netns, func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open rtnetlink: %w", err)
		}
		defer h.Close()
		return do(h)
	})
}

// configure gives an endpoint's interface what it has in the container. The default routes need their interface up, hence the order.
func configure(h *netlink.Handle, e network.Endpoint) error {
	l, err := h.LinkByName(e.Interface)
	if err != nil {
		return fmt.Errorf("look up interface %s: %w", e.Interface, err)
	}
	if err := settings6(e.Interface, slices.ContainsFunc(e.Addresses, is6)); err != nil {
		return err
	}
	for _, a := range e.Addresses {
		if err := addAddress(h, l, a); err != nil {
			return err
		}
	}
	if err := h.LinkSetUp(l); err != nil {
		return fmt.Errorf("start %s: %w", e.Interface, err)
	}
	for _, g := range e.Gateways {
		r := &netlink.Route{LinkIndex: l.Attrs().Index, Gw: g.AsSlice()}
		if err := h.RouteReplace(r); err != nil { // the way that a running container had until now may lead elsewhere
			return fmt.Errorf("route by %s through %s: %w", g, e.Interface, err)
		}
	}
	return nil
}
