package proxy

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/network"
)

// holder finds the process that has a port, among those that this one may look at; 0 if it finds none.
func holder(p network.Published) (pid int, name string) {
	// of the thread, which may be in another namespace than the process
	var inodes []string
	for _, family := range []string{"", "6"} {
		inodes = append(inodes, socketsOn(filepath.Join("/proc/thread-self/net", string(p.Protocol)+family), p)...)
	}
	if len(inodes) == 0 {
		return 0, ""
	}
	return processWith(inodes)
}

const listening = "0A" // state of a TCP socket, include/net/tcp_states.h

// socketsOn reads which sockets in a table of the kernel (proc(5), /proc/net/tcp) are in the way of p, by their inodes: those that listen, if
// there are any, and not the connections that they have taken.
func socketsOn(table string, p network.Published) (inodes []string) {
	var others []string
	f, err := os.Open(table)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[9] == "0" {
			continue
		}
		at, ok := tableAddress(fields[1])
		switch link := "socket:[" + fields[9] + "]"; {
		case !ok || at.Port() != p.HostPort || !overlap(at.Addr(), p.HostIP):
		case fields[3] == listening:
			inodes = append(inodes, link)
		default:
			others = append(others, link)
		}
	}
	if len(inodes) == 0 {
		return others
	}
	return inodes
}

func overlap(a, b netip.Addr) bool {
	// a socket for :: may have the IPv4 addresses as well
	return a == b || a.IsUnspecified() && (a.Is6() || b.Is4()) || b.IsUnspecified() && a.Is4() == b.Is4()
}

// tableAddress reads 0100007F:1F90: words in the order of the machine's bytes.
func tableAddress(s string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(address)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(n)), ok
}

// processWith finds a process that has one of the files open.
func processWith(links []string) (pid int, name string) {
	wanted := map[string]bool{}
	for _, l := range links {
		wanted[l] = true
	}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		fds, _ := os.ReadDir(filepath.Join(folder, "fd"))
		for _, fd := range fds {
			link, _ := os.Readlink(filepath.Join(folder, "fd", fd.Name()))
			if wanted[link] {
				pid, _ = strconv.Atoi(filepath.Base(folder))
				comm, _ := os.ReadFile(filepath.Join(folder, "comm"))
				return pid, strings.TrimSpace(string(comm))
			}
		}
	}
	return 0, ""
}
