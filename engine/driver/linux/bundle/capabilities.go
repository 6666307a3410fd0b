//go:build linux

package bundle

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// capabilityNames are in the order of their numbers (capabilities(7)).
func capabilityNames() []string {
	var names []string
	for _, c := range standard.AllCapabilities() {
		names = append(names, c.Name)
	}
	return names
}

// powers are the five sets as masks.
type powers struct{ bounding, permitted, effective, inheritable, ambient uint64 }

// powersOf reads a process's sets. What can't be given, because no such capability is known or the set that bounds it lacks it, is left
// out and told to warn. No sets at all are no capabilities.
func powersOf(c *specs.LinuxCapabilities, warn func(error)) powers {
	if c == nil {
		return powers{}
	}
	last := shim.LastCapability()
	have := currentPowers()
	read := func(set string, names []string, within uint64) uint64 {
		var mask uint64
		for _, n := range names {
			bit, ok := capabilityBit(n)
			if !ok || bit > last || within&(1<<bit) == 0 {
				warn(fmt.Errorf("process.capabilities.%s: %s can't be granted", set, n))
				continue
			}
			mask |= 1 << bit
		}
		return mask
	}
	var p powers
	p.bounding = read("bounding", c.Bounding, have.bounding)
	p.permitted = read("permitted", c.Permitted, have.permitted)
	p.effective = read("effective", c.Effective, p.permitted)
	p.inheritable = read("inheritable", c.Inheritable, have.permitted|have.inheritable)
	p.ambient = read("ambient", c.Ambient, p.permitted&p.inheritable)
	return p
}

func capabilityBit(name string) (uint, bool) {
	for _, c := range standard.AllCapabilities() {
		if c.Name == name {
			return c.Bit, true
		}
	}
	return 0, false
}

// currentPowers are those of the calling thread.
func currentPowers() powers {
	var p powers
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) == nil {
		p.permitted = uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32
		p.inheritable = uint64(data[0].Inheritable) | uint64(data[1].Inheritable)<<32
	}
	for bit := range shim.LastCapability() + 1 {
		if in, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(bit), 0, 0, 0); err == nil && in == 1 {
			p.bounding |= 1 << bit
		}
	}
	return p
}

// bound gives up for good what is not in the bounding set.
func (p powers) bound() error {
	for bit := range shim.LastCapability() + 1 {
		if p.bounding&(1<<bit) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(bit), 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", bit, err)
		}
	}
	return nil
}

// hold sets the other four, with keep besides until execve, which gives none but these.
func (p powers) hold(keep uint64) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	have := currentPowers()
	perm, eff := p.permitted|keep&have.permitted, p.effective|keep&have.permitted
	data := [2]unix.CapUserData{
		{Effective: uint32(eff), Permitted: uint32(perm), Inheritable: uint32(p.inheritable)},
		{Effective: uint32(eff >> 32), Permitted: uint32(perm >> 32), Inheritable: uint32(p.inheritable >> 32)},
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && err != unix.EINVAL {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	for bit := range shim.LastCapability() + 1 {
		if p.ambient&(1<<bit) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(bit), 0, 0); err != nil {
			return fmt.Errorf("raise ambient capability %d: %w", bit, err)
		}
	}
	return nil
}
