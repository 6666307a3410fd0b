//go:build linux

package wiring

import (
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// namesTable is in a container's namespace.
const namesTable = "learn-names"

// nameService is where programs ask for names (RFC 1035, section 4.2).
const nameService = 53

// RedirectNames leads what the namespace of the calling thread sends to the name service of address to other ports there. The answers come
// back from port 53: the kernel remembers each flow (nf_nat).
func RedirectNames(address string, udp, tcp uint16) error {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return fmt.Errorf("redirect name service: %w", err)
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("redirect name service: %w", err)
	}
	t := conn.AddTable(&nftables.Table{Name: namesTable, Family: nftables.TableFamilyIPv4})
	c := conn.AddChain(&nftables.Chain{Name: chainOutput, Table: t, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest})
	for _, to := range []struct {
		protocol byte
		port     uint16
	}{{unix.IPPROTO_UDP, udp}, {unix.IPPROTO_TCP, tcp}} {
		conn.AddRule(&nftables.Rule{Table: t, Chain: c, Exprs: join(
			daddr4(4), is(a.AsSlice()),
			meta(expr.MetaKeyL4PROTO, reg1), is([]byte{to.protocol}),
			header(expr.PayloadBaseTransportHeader, 2, 2, reg1), is(binaryutil.BigEndian.PutUint16(nameService)),
			[]expr.Any{
				&expr.Immediate{Register: reg1, Data: a.AsSlice()},
				&expr.Immediate{Register: reg2, Data: binaryutil.BigEndian.PutUint16(to.port)},
				&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: reg1, RegProtoMin: reg2, Specified: true},
			})})
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("redirect name service: %w", err)
	}
	return nil
}
