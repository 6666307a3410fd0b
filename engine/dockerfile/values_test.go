package dockerfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePorts(t *testing.T) {
	tests := map[string][]string{
		"80": {"80/tcp"}, "53/UDP": {"53/udp"}, "1-3/sctp": {"1/sctp", "2/sctp", "3/sctp"}, "127.0.0.1:8080:80": {"80/tcp"},
		"80/": {"80/tcp"}, "8080:80": {"80/tcp"}, "[::1]:80:80/udp": {"80/udp"}, "::1:80:80": {"80/tcp"}, "127.0.0.1::80": {"80/tcp"}, "1-2:3-4": {"3/tcp", "4/tcp"},
		"1-9:3": {"3/tcp"}, "7-7": {"7/tcp"}, "0": {"0/tcp"}, "65535": {"65535/tcp"},
		"1-3:3-4": nil, "localhost:80:80": nil, "x:80": nil, "80:": nil, "/tcp": nil, "1-": nil, "80/tcp/udp": nil,
		"": nil, "x": nil, "80/icmp": nil, "70000": nil, "3-1": nil, "-1": nil,
	}
	for spec, want := range tests {
		got, err := parsePorts(spec)
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("parsePorts(%q): %v %s", spec, err, diff)
		}
	}
}

func TestValidSignal(t *testing.T) {
	for s, want := range map[string]bool{"SIGTERM": true, "term": true, "9": true, "SIGRTMIN+3": true, "RTMIN+15": true, "RTMIN+16": false, "RTMIN+": false, "RTMIN+x": false, "RTMAX-14": true, "RTMAX-15": false, "RTMAX": true, "RTMIN": true, "STKFLT": true, "0": false, "65": false, "SIG": false, "NOPE": false, "": false, "TER": false} {
		if got := validSignal(s); got != want {
			t.Errorf("validSignal(%q) = %v", s, got)
		}
	}
}
