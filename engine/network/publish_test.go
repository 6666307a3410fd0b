package network

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/network"
)

// plain writes ports as docker port does, in order.
func plain(p network.PortMap) []string {
	var lines []string
	for _, port := range slices.SortedFunc(maps.Keys(p), func(a, b network.Port) int { return strings.Compare(a.String(), b.String()) }) {
		for _, b := range p[port] {
			ip := "*"
			if b.HostIP.IsValid() {
				ip = b.HostIP.String()
			}
			lines = append(lines, fmt.Sprintf("%s %s %s", port, ip, b.HostPort))
		}
	}
	return lines
}

func TestParsePublish(t *testing.T) {
	for value, want := range map[string][]string{
		"80":                                    {"80/tcp * "},
		"80/udp":                                {"80/udp * "},
		"80/UDP":                                {"80/udp * "},
		"8080:80":                               {"80/tcp * 8080"},
		"8080:80/sctp":                          {"80/sctp * 8080"},
		"127.0.0.1:8080:80":                     {"80/tcp 127.0.0.1 8080"},
		"127.0.0.1::80":                         {"80/tcp 127.0.0.1 "},
		"[::1]:8080:80":                         {"80/tcp ::1 8080"},
		"[2001:db8::1]::80":                     {"80/tcp 2001:db8::1 "},
		":80":                                   {"80/tcp * "},
		"8080-8082:80-82":                       {"80/tcp * 8080", "81/tcp * 8081", "82/tcp * 8082"},
		"8080-8090:80":                          {"80/tcp * 8080-8090"},
		"3000-3001":                             {"3000/tcp * ", "3001/tcp * "},
		"target=80":                             {"80/tcp * "},
		"target=80,published=8080":              {"80/tcp * 8080"},
		"published=8080,target=80,protocol=udp": {"80/udp * 8080"},
		"mode=host,published=1,target=2":        {"2/tcp * 1"},
		"0.0.0.0:65535:65535":                   {"65535/tcp 0.0.0.0 65535"},
		"8080-8080:80":                          {"80/tcp * 8080"},
		"127.0.0.1:5000-5001:5000-5001/udp":     {"5000/udp 127.0.0.1 5000", "5001/udp 127.0.0.1 5001"},
	} {
		got, err := ParsePublish([]string{value})
		if err != nil {
			t.Errorf("%s: %v", value, err)
			continue
		}
		if diff := cmp.Diff(want, plain(got.Ports)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", value, diff)
		}
		if len(got.Exposed) != len(got.Ports) {
			t.Errorf("%s: %d exposed, %d published", value, len(got.Exposed), len(got.Ports))
		}
	}
}

func TestParsePublishTwice(t *testing.T) {
	got, err := ParsePublish([]string{"8080:80", "8081:80", "127.0.0.1:8082:80"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"80/tcp * 8080", "80/tcp * 8081", "80/tcp 127.0.0.1 8082"}
	if diff := cmp.Diff(want, plain(got.Ports)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParsePublishRefuses(t *testing.T) {
	for value, want := range map[string]string{
		"":                        "no port specified: <empty>",
		"8080:":                   "no port specified: 8080:<empty>",
		"8080:/tcp":               "no port specified: 8080:/tcp<empty>",
		"abc":                     "invalid containerPort: abc",
		"0":                       "invalid containerPort: 0",
		"8080:abc":                "invalid containerPort: abc",
		"8080:80000":              "invalid containerPort: 80000",
		"abc:80":                  "invalid hostPort: abc",
		"80000:80":                "invalid hostPort: 80000",
		"8080/tcp:80":             "invalid hostPort: 8080/tcp",
		"80:80/abc":               "invalid proto: abc",
		"localhost:8080:80":       "invalid IP address: localhost",
		"300.0.0.1:8080:80":       "invalid IP address: 300.0.0.1",
		"::1:8080:80":             "invalid IP address: ::1",
		"[127.0.0.1]:80:80":       "invalid IP address: [127.0.0.1]",
		"[fe80::1%eth0]:80:80":    "invalid IP address: [fe80::1%eth0]",
		"8080-8083:80-81":         "invalid ranges specified for container and host Ports: 80-81 and 8080-8083",
		"8080:80-81":              "invalid ranges specified for container and host Ports: 80-81 and 8080",
		"82-80":                   "invalid containerPort: 82-80",
		"published=8080":          "no port specified: 8080:/tcp<empty>",
		"target=80,colour=red":    "invalid publish opts format (should be name=value but got 'colour=red')",
		"target=80,published":     "invalid publish opts format (should be name=value but got 'published')",
		"target=80,protocol=icmp": "invalid proto: icmp",
	} {
		if _, err := ParsePublish([]string{value}); err == nil || err.Error() != want {
			t.Errorf("%q: error %v, want %s", value, err, want)
		}
	}
}

func TestParseExpose(t *testing.T) {
	set := network.PortSet{}
	if err := ParseExpose([]string{"80", "53/udp", "3000-3002"}, set); err != nil {
		t.Fatal(err)
	}
	var got []string
	for p := range set {
		got = append(got, p.String())
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"3000/tcp", "3001/tcp", "3002/tcp", "53/udp", "80/tcp"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for value, want := range map[string]string{"8080:80": "invalid port format for --expose: 8080:80", "abc": "invalid range format for --expose: abc", "80/abc": "invalid proto: abc"} {
		if err := ParseExpose([]string{value}, set); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", value, err, want)
		}
	}
}

// What is accepted names ports of the container and of the host that exist, as many of the one as of the other.
func FuzzParsePublish(f *testing.F) {
	for _, s := range []string{"80", "127.0.0.1:8080-8081:80-81/udp", "[::1]::80", "target=80,published=1-2", "1-65535:1-65535"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePublish([]string{s})
		if err != nil {
			return
		}
		for port, bindings := range p.Ports {
			if port.Num() == 0 || !protocol(port.Proto()) || len(bindings) != 1 {
				t.Errorf("%q: %s has %v", s, port, bindings)
			}
			if h := bindings[0].HostPort; h != "" {
				if _, err := network.ParsePortRange(h); err != nil {
					t.Errorf("%q: host port %s: %v", s, h, err)
				}
			}
		}
	})
}
