// Package nameconf makes the files by which a container on networks finds names: /etc/hosts and /etc/resolv.conf. It is apart from package
// standard, which the first stage of each container has and which has to stay lean.
package nameconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/engine/network"
)

// ParseResolv reads a resolv.conf(5). What it does not know, and what is no address, is left out.
func ParseResolv(text string) network.Resolv {
	var r network.Resolv
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(words[1]); err == nil && !slices.Contains(r.Servers, a) {
				r.Servers = append(r.Servers, a)
			}
		case "domain", "search": // the last one counts
			r.Search = words[1:]
		case "options":
			r.Options = append(r.Options, words[1:]...)
		}
	}
	return r
}

// Reachable are the servers that a container can ask by itself: not those that listen on the loopback interface of the host.
func Reachable(servers []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(servers), func(a netip.Addr) bool { return a.IsLoopback() })
}

// ResolvConf is the /etc/resolv.conf of a container that is connected by plan, on a host that finds names by host.
func ResolvConf(plan *network.Plan, host network.Resolv) string {
	var b strings.Builder
	want := plan.Resolv
	servers, search, options := want.Servers, want.Search, want.Options
	if len(servers) == 0 {
		servers = Reachable(host.Servers)
	}
	if plan.Resolver != nil {
		servers = []netip.Addr{netip.MustParseAddr(network.ResolverAddress)}
	}
	if len(search) == 0 {
		search = host.Search
	}
	if len(options) == 0 {
		options = host.Options
	}
	for _, a := range servers {
		b.WriteString("nameserver " + a.String() + "\n")
	}
	if plan.Resolver != nil && !slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "ndots") }) {
		options = append(slices.Clone(options), "ndots:0")
	}
	if len(search) > 0 && !slices.Equal(search, []string{"."}) {
		b.WriteString("search " + strings.Join(search, " ") + "\n")
	}
	if len(options) > 0 {
		b.WriteString("options " + strings.Join(options, " ") + "\n")
	}
	return b.String()
}

// ConnectedFiles are the files of names of a container that is connected by plan.
func ConnectedFiles(hostname string, plan *network.Plan, host network.Resolv) []standard.NameFile {
	files := standard.NameFiles(hostname)
	for i := range files {
		switch files[i].Name {
		case "hosts":
			files[i].Content = strings.TrimSuffix(files[i].Content, "127.0.0.1\t"+hostname+"\n") + OwnLines(hostname, plan.Endpoints)
		case "resolv.conf":
			files[i].Content, files[i].Keep = ResolvConf(plan, host), false
		}
	}
	return files
}

// OwnLines are those of /etc/hosts that lead to the container itself, by the addresses of endpoints.
func OwnLines(hostname string, endpoints []network.Endpoint) string {
	lines := ""
	for _, e := range endpoints {
		for _, a := range e.Addresses {
			lines += a.Addr().String() + "\t" + hostname + "\n"
		}
	}
	return lines
}
