package lan

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// noServer is the one that a resolver without any setting asks.
const noServer = "[::1]:53"

// maxHosts bounds how much of a hosts file is read, in bytes.
const maxHosts = 1 << 20

// Lookup tells the addresses of a name: an address itself, what Names says, localhost, the host's own name, and what Resolve knows.
// server is the name server that answered, empty when none was asked. A name that nobody has is a *net.DNSError with IsNotFound.
func (h *Host) Lookup(ctx context.Context, name string) (addresses []string, server string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return []string{a.String()}, "", nil
	}
	plain := plainName(name)
	if found := h.fromFile(plain); len(found) > 0 {
		return found, "", nil
	}
	if plain == "localhost" {
		return []string{"127.0.0.1", "::1"}, "", nil
	}
	if plain != "" && plain == plainName(h.hostname) {
		if own := h.Addrs(); len(own) > 0 {
			return texts(own), "", nil
		}
		return []string{"127.0.0.1"}, "", nil
	}
	server = noServer
	if h.Resolve != nil {
		found, asked := h.Resolve(plain)
		if len(found) > 0 {
			return texts(found), asked, nil
		}
		server = cmp.Or(asked, server)
	}
	return nil, server, &net.DNSError{Err: "no such host", Name: name, Server: server, IsNotFound: true}
}

// plainName is how names are compared: without case and without the dot of a complete name.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func texts(addrs []netip.Addr) []string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// fromFile looks a name up in the host's own /etc/hosts. One that can't be read says nothing, as everywhere.
func (h *Host) fromFile(name string) []string {
	if h.Names == nil {
		return nil
	}
	data, err := h.Names()
	if err != nil {
		return nil
	}
	return parseHosts(data, name)
}

// parseHosts finds the addresses of a name in a hosts file (hosts(5)).
func parseHosts(data []byte, name string) []string {
	var found []string
	lines := bufio.NewScanner(bytes.NewReader(data[:min(len(data), maxHosts)]))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		same := func(alias string) bool { return plainName(alias) == name }
		if text := a.String(); slices.ContainsFunc(fields[1:], same) && !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	return found
}
