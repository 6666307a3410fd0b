//go:build linux

package shim

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// KeptCapabilities names the capabilities that an ordinary container's processes can have.
func KeptCapabilities() []string { return standard.CapabilityNames() }

func keptMask() uint64 {
	var mask uint64
	for _, c := range standard.Capabilities() {
		mask |= 1 << c.Bit
	}
	return mask
}

// lastCapability is the highest one that the kernel knows.
func lastCapability() uint {
	data, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	n, perr := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 8)
	if err != nil || perr != nil || n > 63 {
		return unix.CAP_LAST_CAP
	}
	return uint(n)
}

// dropBounding gives up for good, in the calling thread, what is not in mask.
func dropBounding(mask uint64, last uint) error {
	for bit := uint(0); bit <= last; bit++ {
		if mask&(1<<bit) != 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(bit), 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", bit, err)
		}
	}
	return nil
}

// setCapabilities gives the calling thread exactly mask, permitted and effective; none inheritable, none ambient.
func setCapabilities(mask uint64) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && err != unix.EINVAL {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(mask), Permitted: uint32(mask)},
		{Effective: uint32(mask >> 32), Permitted: uint32(mask >> 32)},
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	return nil
}

// clearInheritable empties the inheritable set and leaves the others.
func clearInheritable() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return fmt.Errorf("get capabilities: %w", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	return nil
}
