//go:build linux

package shim

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// limitDevices lets the container's processes do with devices what the rules say ("c 1:3 rwm", "b *:* m") and nothing else. Without rules there
// is no such limit: then no device works but those that are mounted one by one.
func (g *groups) limitDevices(rules []string) error {
	if len(rules) == 0 {
		return nil
	}
	err := g.limitDevicesV1(rules)
	if err != nil && g.unified >= 0 {
		err = g.limitDevicesV2(rules)
	}
	if err != nil {
		return fmt.Errorf("limit devices: %w; without a control group for it a container can't have devices of its own", err)
	}
	g.log.Fact(vocab.DeviceRules, trace.String("container", g.id), trace.Strings("rules", rules))
	return nil
}

// limitDevicesV1 is Documentation/admin-guide/cgroup-v1/devices.rst of Linux.
func (g *groups) limitDevicesV1(rules []string) error {
	for _, h := range Hierarchies(g.rootless) {
		if h.Version != 1 || !h.Has("devices") {
			continue
		}
		dir, err := g.mkdir(h, h.name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "devices.deny"), []byte("a"), 0); err != nil {
			return err
		}
		for _, r := range rules {
			if err := os.WriteFile(filepath.Join(dir, "devices.allow"), []byte(r), 0); err != nil {
				return fmt.Errorf("rule %q: %w", r, err)
			}
		}
		return nil
	}
	return fmt.Errorf("no control group hierarchy has devices: %w", unix.ENOENT)
}

// limitDevicesV2 attaches a program to the group, which the kernel asks each time.
func (g *groups) limitDevicesV2(rules []string) error {
	program, err := deviceProgram(rules)
	if err != nil {
		return err
	}
	fd, err := loadDeviceProgram(program)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attachDeviceProgram(fd, g.unified)
}
