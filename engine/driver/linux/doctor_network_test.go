//go:build linux

package linux

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver/linux/rootnet"
)

func TestNetworkFindingOfRoot(t *testing.T) {
	if os.Getuid() != 0 || Detect().Rootless {
		lacks(t, "needs root: makes a bridge and a rule in a namespace of its own")
	}
	if f := networkFinding(Mode{}); !f.OK || !strings.Contains(f.Detail, "nftables") {
		t.Errorf("%+v", f)
	}
	if out, err := exec.Command("ip", "-o", "link").CombinedOutput(); err != nil || strings.Contains(string(out), "learn-probe") {
		t.Errorf("it left an interface: %v\n%s", err, out)
	}
}

func TestNetworkFindingOfOrdinaryUser(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if f := networkFinding(Mode{Rootless: true}); f.OK || !strings.Contains(f.Detail, "between containers") || !strings.Contains(f.Remedy, "passt") {
		t.Errorf("without a tool: %+v", f)
	}
	for _, tool := range rootnet.Tools() {
		if err := os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/true\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f := networkFinding(Mode{Rootless: true})
	tun, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err == nil {
		_ = tun.Close()
	}
	if f.OK != (err == nil) || f.OK && !strings.HasSuffix(f.Detail, "by pasta") || !f.OK && !strings.Contains(f.Remedy, "/dev/net/tun") {
		t.Errorf("with both: %+v", f)
	}
}
