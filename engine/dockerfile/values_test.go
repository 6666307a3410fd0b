package dockerfile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePorts(t *testing.T) {
	tests := map[string][]string{
		"80": {"80/tcp"}, "53/UDP": {"53/udp"}, "1-3/sctp": {"1/sctp", "2/sctp", "3/sctp"}, "127.0.0.1:8080:80": {"80/tcp"},
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
	for s, want := range map[string]bool{"SIGTERM": true, "term": true, "9": true, "SIGRTMIN+3": true, "0": false, "65": false, "SIG": false, "NOPE": false, "": false, "TER": false} {
		if got := validSignal(s); got != want {
			t.Errorf("validSignal(%q) = %v", s, got)
		}
	}
}
