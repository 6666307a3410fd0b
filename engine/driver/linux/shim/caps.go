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

// Powers are the capabilities of a process, bit by bit (capabilities(7)).
type Powers struct {
	Bounding    uint64 `json:"bounding"`
	Effective   uint64 `json:"effective"`
	Permitted   uint64 `json:"permitted"`
	Inheritable uint64 `json:"inheritable,omitempty"`
	Ambient     uint64 `json:"ambient,omitempty"`
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

// setCapabilities gives the calling thread exactly these sets. The bounding set is dropBounding's.
func setCapabilities(p *Powers) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && err != unix.EINVAL {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{
		{Effective: uint32(p.Effective), Permitted: uint32(p.Permitted), Inheritable: uint32(p.Inheritable)},
		{Effective: uint32(p.Effective >> 32), Permitted: uint32(p.Permitted >> 32), Inheritable: uint32(p.Inheritable >> 32)},
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", missingPowers(p, err))
	}
	for bit := uint(0); p.Ambient>>bit != 0; bit++ {
		if p.Ambient&(1<<bit) == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(bit), 0, 0); err != nil {
			return fmt.Errorf("make capability %d ambient: %w", bit, err)
		}
	}
	return nil
}

// missingPowers says which of the capabilities the engine does not have itself, and so can't give.
func missingPowers(p *Powers, err error) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return err
	}
	has := uint64(data[0].Permitted) | uint64(data[1].Permitted)<<32
	if names := standard.NamesOf(p.Permitted &^ has); len(names) > 0 {
		return fmt.Errorf("%w: the engine itself does not have %s here, and can't give it", err, strings.Join(names, ", "))
	}
	return err
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
