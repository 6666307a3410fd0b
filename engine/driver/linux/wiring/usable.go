//go:build linux

package wiring

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/thread"
)

// ErrNoRules: the kernel takes no rules of nftables. Without them nothing is connected.
var ErrNoRules = errors.New("the kernel takes no rules (nf_tables)")

// Usable tries what Connect needs, in a network namespace that is gone afterwards.
func Usable() (err error) {
	thread.Apart(func() { err = try() })
	return err
}

func try() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "learn-probe"
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("make a bridge: %w", err)
	}
	attrs.Name = "learn-probe0"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "learn-probe1"}); err != nil {
		return fmt.Errorf("make a cable (veth): %w", err)
	}
	conn, err := nftables.New()
	if err == nil {
		conn.AddTable(&nftables.Table{Name: "learn-probe", Family: nftables.TableFamilyINet})
		err = conn.Flush()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoRules, err)
	}
	return nil
}
