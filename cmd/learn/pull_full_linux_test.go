//go:build linux

package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/learn-containers/learn/engine/registry/registrytest"
)

// TestPullToAFullDisk pulls more than the disk holds: the error says so, nothing of the image is there, and with more room the same command works.
func TestPullToAFullDisk(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		needRoot(t)
		noise := make([]byte, 8<<20)
		_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
		maker := newMachine(t, driver)
		maker.write("noise", string(noise))
		maker.write("Dockerfile", "FROM scratch\nCOPY noise /noise\n")
		name := registrytest.New(t).Host() + "/shop/app:1"
		maker.must("build", "-q", "-t", name, ".")
		maker.must("push", "-q", name)

		m := newMachine(t, driver)
		disk := m.smallDisk("size=5m")
		if r := m.docker("pull", name); r.code != 1 || !strings.Contains(r.err, "no space left on device") {
			t.Fatalf("exit code %d\n%s%s", r.code, r.out, r.err)
		}
		if out := m.must("images", "-aq"); out != "" {
			t.Errorf("after a pull that failed there are images: %s", out)
		}
		if left, _ := os.ReadDir(filepath.Join(m.home, "downloads")); len(left) != 0 {
			t.Errorf("downloads fill the disk: %v", left)
		}
		if r := m.docker("system", "check"); r.code != 0 {
			t.Errorf("check says\n%s%s", r.out, r.err)
		}
		if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
		m.must("pull", name)
		m.must("system", "check")
	})
}

// smallDisk puts the machine's home on a disk of its own in memory, with the mount options that say how small.
func (m *machine) smallDisk(options string) (dir string) {
	m.t.Helper()
	dir = m.t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		lacks(m.t, "a small file system can't be mounted: "+err.Error())
	}
	m.t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			m.t.Error(err)
		}
	})
	m.home = filepath.Join(dir, "home")
	return dir
}
