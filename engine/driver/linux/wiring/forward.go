//go:build linux

package wiring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/learn-containers/learn/engine/network"
)

// Groups of interfaces (ip-link(8), group): whose home an interface is does not matter to the rule that looks after forwarding.
const (
	bridgeGroup = 0x6c65 // 27749
	cableGroup  = 0x6c66
	doomedGroup = 0x6c67 // those that are about to be removed
)

// guardTable keeps what forwarding was off for: it exists as long as forwarding is on because of us.
const guardTable = "learn-forward"

// forwarding is what a kernel does with packets of one family that are not for itself.
type forwarding struct {
	family  nftables.TableFamily
	name    string // as nft has it
	setting string
	sysctl  string
}

func forwardings() []forwarding {
	return []forwarding{
		{nftables.TableFamilyIPv4, "ip", forwardIPv4, "net.ipv4.ip_forward"},
		{nftables.TableFamilyIPv6, "ip6", "/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"},
	}
}

func (f forwarding) table() *nftables.Table {
	return &nftables.Table{Name: guardTable, Family: f.family}
}

// needed: the network has addresses of this family and passes packets on.
func (f forwarding) needed(bridges []network.Bridge) bool {
	for _, b := range bridges {
		for _, a := range b.Addresses {
			if !b.Internal && a.Addr().Is4() == (f.family == nftables.TableFamilyIPv4) {
				return true
			}
		}
	}
	return false
}

func (f forwarding) on() (bool, error) {
	b, err := os.ReadFile(f.setting)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", f.sysctl, err)
	}
	return strings.TrimSpace(string(b)) != "0", nil
}

// enable switches forwarding on if it is off, and refuses it between interfaces that are not ours before that.
func (f forwarding) enable(conn *nftables.Conn) (made bool, err error) {
	on, err := f.on()
	if err != nil || on {
		return false, err
	}
	if err := f.guard(conn); err != nil {
		return false, err
	}
	if f.family == nftables.TableFamilyIPv6 {
		if err := keepRouters(); err != nil {
			return true, err
		}
	}
	return true, f.set("1")
}

func (f forwarding) set(value string) error {
	if err := os.WriteFile(f.setting, []byte(value), 0); err != nil {
		return fmt.Errorf("set %s=%s: %w", f.sysctl, value, err)
	}
	return nil
}

// guard refuses to forward between interfaces that are not ours.
func (f forwarding) guard(conn *nftables.Conn) error {
	t := f.table()
	conn.AddTable(t)
	c := conn.AddChain(&nftables.Chain{Name: chainForward, Table: t, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter})
	conn.FlushChain(c)
	conn.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: join(
		meta(expr.MetaKeyIIFGROUP, reg1), isNot(native(bridgeGroup)), meta(expr.MetaKeyOIFGROUP, reg1), isNot(native(bridgeGroup)), verdict(expr.VerdictDrop))})
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("guard forwarding: %w", err)
	}
	return nil
}

// guarded: we have switched forwarding on.
func (f forwarding) guarded(conn *nftables.Conn) (bool, error) { return hasTable(conn, f.table()) }

// release switches forwarding off again if we have switched it on.
func (f forwarding) release(conn *nftables.Conn) error {
	ours, err := f.guarded(conn)
	if err != nil || !ours {
		return err
	}
	if err := f.set("0"); err != nil {
		return err
	}
	conn.DelTable(f.table())
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("remove the guard of forwarding: %w", err)
	}
	return nil
}

func (f forwarding) changes() []Change {
	return []Change{
		{Kind: KindRule, Table: f.name + " " + guardTable, Chain: chainForward, Rule: fmt.Sprintf("iifgroup != %d oifgroup != %[1]d drop", bridgeGroup)},
		{Kind: KindForwarding, Rule: f.sysctl + " = 1"},
	}
}

// keepRouters has the host go on to learn its own IPv6 routes from its routers, which a kernel that forwards does only when told to
// (ip-sysctl, accept_ra).
func keepRouters() error {
	all, err := filepath.Glob("/proc/sys/net/ipv6/conf/*/accept_ra")
	if err != nil {
		return err
	}
	for _, p := range all {
		b, err := os.ReadFile(p)
		if err == nil && strings.TrimSpace(string(b)) == "1" && filepath.Base(filepath.Dir(p)) != "all" && filepath.Base(filepath.Dir(p)) != "default" {
			err = os.WriteFile(p, []byte("2"), 0)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep accepting router advertisements: %w", err)
		}
	}
	return nil
}
