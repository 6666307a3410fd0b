package reach

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/network"
)

// resolver is where a container's own name server listens.
var resolver = netip.MustParseAddr(network.ResolverAddress)

// SocketFiles are the files of a process (proc_pid_net(5)) that list the sockets of its network namespace.
var SocketFiles = []string{"net/tcp", "net/tcp6", "net/udp", "net/udp6"}

// maxSockets bounds how many are looked at: a container can have as many as it likes.
const maxSockets = 10000

// States of a socket (tcp_states.h): one of UDP that takes what comes has the number of a closed one of TCP.
const (
	stateListen   = "0A"
	stateUnjoined = "07"
)

// Listening reads SocketFiles, given by their names, for the sockets that take what comes from anybody. Lines that make no sense are left out.
func Listening(files map[string]string) []Socket {
	var all []Socket
	for _, name := range SocketFiles {
		protocol := strings.TrimSuffix(strings.TrimPrefix(name, "net/"), "6")
		state := map[string]string{"tcp": stateListen, "udp": stateUnjoined}[protocol]
		for line := range strings.Lines(files[name]) {
			words := strings.Fields(line)
			if len(words) < 4 || words[3] != state || len(all) >= maxSockets {
				continue
			}
			if a, ok := hexAddress(words[1]); ok && a.Port() != 0 {
				all = append(all, Socket{Port{a.Port(), protocol}, a.Addr()})
			}
		}
	}
	return all
}

// hexAddress reads an address and port as the kernel prints them: words of 32 bits in the machine's order, and the port.
func hexAddress(s string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(address)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), true
}

// takes reports whether the socket gets what is sent to a. One that is bound to every address of IPv6 gets what comes by IPv4, too, unless its
// program wants otherwise, which can't be seen.
func (s Socket) takes(a netip.Addr) bool {
	if s.Address == a {
		return true
	}
	return s.Address.IsUnspecified() && (s.Address.Is6() || a.Is4())
}
