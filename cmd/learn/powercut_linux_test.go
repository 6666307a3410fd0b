//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPowerCut pulls the plug a few times; bench/powercut.sh does it as often as one likes. The script's mounts and loop devices are in a namespace of its own, so they go
// with it.
func TestPowerCut(t *testing.T) {
	t.Parallel() // it waits more than it works
	needRoot(t)
	for _, tool := range []string{"unshare", "mkfs.xfs", "mkfs.ext4"} {
		if _, err := exec.LookPath(tool); err != nil {
			lacks(t, tool+" is not installed (util-linux, xfsprogs, e2fsprogs)")
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		lacks(t, "no loop devices")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("../../bench/powercut.sh")
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"home": {"6"}, "registry": {"4", "push", "gc"}} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("bash", append([]string{script}, args...)...)
			cmd.Env = append(os.Environ(), "LEARN="+exe, "LEARN_TRACE=", "LEARN_HOME=", "LEARN_DRIVER=", "SIZE=2", "PATIENCE=60") // of the machine's load nothing is said here
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
