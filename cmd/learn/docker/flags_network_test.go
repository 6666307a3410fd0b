package docker

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// networkingOf parses words as run does and gives what they come to: two configs and the networks.
func networkingOf(words ...string) (cfg ctypes.Config, host ctypes.HostConfig, networks, warned string, err error) {
	var f networkingFlags
	var errs bytes.Buffer
	fl := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f.register(fl)
	if err = fl.Parse(words); err != nil {
		return
	}
	if err = f.apply(&App{Err: &errs}, &cfg, &host); err != nil {
		return
	}
	all, err := f.endpoints()
	b, _ := json.Marshal(all)
	return cfg, host, string(b), errs.String(), err
}

func TestNetworkingFlagsRefuse(t *testing.T) {
	for line, want := range map[string]string{
		"-p abc":                     "invalid containerPort: abc",
		"-p 99999:80":                "invalid hostPort: 99999",
		"-p 80/icmp":                 "invalid proto: icmp",
		"-p 1.2.3:80:80":             "invalid IP address: 1.2.3",
		"-p 80-90:80-85":             "invalid ranges specified for container and host Ports: 80-85 and 80-90",
		"-p 8080:":                   "no port specified: 8080:<empty>",
		"--expose 8080:80":           "invalid port format for --expose: 8080:80",
		"--expose x":                 "invalid range format for --expose: x, error: invalid start port 'x': invalid syntax",
		"--add-host x":               `invalid argument "x" for "--add-host" flag: bad format for add-host: "x"`,
		"--add-host x:y":             `invalid argument "x:y" for "--add-host" flag: invalid IP address in add-host: "y"`,
		"--dns somewhere":            `invalid argument "somewhere" for "--dns" flag: IP address is not correctly formatted: somewhere`,
		"--dns-search a..b":          `invalid argument "a..b" for "--dns-search" flag: a..b is not a valid domain`,
		"--link a:b:c":               `invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c`,
		"--ip 10.0.0":                "invalid IPv4 address: 10.0.0",
		"--ip fd00::1":               "invalid IPv4 address: fd00::1",
		"--ip6 10.0.0.1":             "invalid IPv6 address: 10.0.0.1",
		"--mac-address 02:42":        "02:42 is not a valid mac address",
		"--network-alias web":        "network-scoped aliases are only supported for user-defined networks",
		"--network name=":            `invalid argument "name=" for "--network" flag: network name/id is not specified`,
		"--network a=b":              `invalid argument "a=b" for "--network" flag: invalid field key a`,
		"--network name=a,b":         `invalid argument "name=a,b" for "--network" flag: invalid field b`,
		"--network name=a,ip=x":      `invalid argument "name=a,ip=x" for "--network" flag: invalid IPv4 address: x`,
		"--network a --network a":    `network "a" is specified multiple times`,
		"--network a --network host": "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
		"--network name=a,alias=x --network-alias y":                     "conflicting options: cannot specify both --network-alias and per-network alias",
		"--network name=a,ip=10.0.0.2 --ip 10.0.0.3":                     "conflicting options: cannot specify both --ip and per-network IPv4 address",
		"--network name=a,ip6=fd00::2 --ip6 fd00::3":                     "conflicting options: cannot specify both --ip6 and per-network IPv6 address",
		"--network name=a,mac-address=02:42:ac:11:00:02 --mac-address x": "conflicting options: cannot specify both --mac-address and per-network MAC address",
		"--network name=a,gw-priority=x":                                 `invalid argument "name=a,gw-priority=x" for "--network" flag: invalid gw-priority (x): strconv.Atoi: parsing "x": invalid syntax`,
	} {
		if _, _, _, _, err := networkingOf(strings.Fields(line)...); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestNetworkingFlags(t *testing.T) {
	for line, want := range map[string]string{
		"":               `bridge {"bridge":null}`,
		"--net default":  `bridge {"bridge":null}`,
		"--network none": `none {"none":null}`,
		"--network host": `host {"host":null}`,
		"--network a -P": `a {"a":null}`,
		"--link db:sql":  `bridge {"bridge":null} links db:sql`,
		"--network a --link db:sql --network-alias web":                                                         `a {"a":{"Links":["db:sql"],"Aliases":["web"]}}`,
		"--network name=a,alias=x,alias=y --network b":                                                          `a {"a":{"Aliases":["x","y"]},"b":null}`,
		"--network a --ip 10.0.0.2 --ip6 fd00::2":                                                               `a {"a":{"IPAMConfig":{"IPv4Address":"10.0.0.2","IPv6Address":"fd00::2"}}}`,
		"--network name=a,gw-priority=2,driver-opt=K=v,link-local-ip=169.254.0.9,mac-address=02:42:ac:11:00:02": `a {"a":{"IPAMConfig":{"LinkLocalIPs":["169.254.0.9"]},"DriverOpts":{"k":"v"},"GwPriority":2,"MacAddress":"02:42:ac:11:00:02"}}`,
	} {
		_, host, networks, _, err := networkingOf(strings.Fields(line)...)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got := string(host.NetworkMode) + " " + onlySet(t, networks)
		if len(host.Links) > 0 {
			got += " links " + strings.Join(host.Links, " ")
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// onlySet leaves out of settings in JSON what says nothing.
func onlySet(t *testing.T, text string) string {
	t.Helper()
	for _, empty := range []string{`"IPAMConfig":null`, `"Links":null`, `"Links":[]`, `"Aliases":null`, `"Aliases":[]`, `"DriverOpts":null`, `"GwPriority":0`, `"NetworkID":""`,
		`"EndpointID":""`, `"Gateway":""`, `"IPAddress":""`, `"MacAddress":""`, `"IPPrefixLen":0`, `"IPv6Gateway":""`, `"GlobalIPv6Address":""`, `"GlobalIPv6PrefixLen":0`, `"DNSNames":null`} {
		text = strings.ReplaceAll(strings.ReplaceAll(text, empty+",", ""), ","+empty, "")
	}
	return text
}

func TestNetworkingFlagsOfTheHost(t *testing.T) {
	cfg, host, _, warned, err := networkingOf("-p", "8080:80", "-p", "127.0.0.1::53/udp", "--expose", "90-91", "-P", "--dns", "127.0.0.53", "--dns", "9.9.9.9", "--dns-search", ".", "--dns-opt", "ndots:1",
		"--add-host", "gate=host-gateway", "--add-host", "six:[fd00::1]")
	if err != nil {
		t.Fatal(err)
	}
	ports, _ := json.Marshal(host.PortBindings)
	exposed, _ := json.Marshal(cfg.ExposedPorts)
	for got, want := range map[string]string{
		string(ports):                      `{"53/udp":[{"HostIp":"127.0.0.1","HostPort":""}],"80/tcp":[{"HostIp":"","HostPort":"8080"}]}`,
		string(exposed):                    `{"53/udp":{},"80/tcp":{},"90/tcp":{},"91/tcp":{}}`,
		strings.Join(host.ExtraHosts, " "): "gate:host-gateway six:fd00::1",
		strings.Join(host.DNSSearch, " "):  ".",
		strings.Join(host.DNSOptions, " "): "ndots:1",
		warned:                             "WARNING: Localhost DNS setting (--dns=127.0.0.53) may fail in containers.\n",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if !host.PublishAllPorts || len(host.DNS) != 2 {
		t.Errorf("%v %v", host.PublishAllPorts, host.DNS)
	}
}
