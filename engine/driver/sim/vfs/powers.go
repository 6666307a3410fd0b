package vfs

import "github.com/learn-containers/learn/engine/driver/standard"

// Capabilities that the simulated kernel asks for, by their bits (capabilities(7)).
const (
	CapChown         = 0
	CapDacOverride   = 1
	CapDacReadSearch = 2
	CapFowner        = 3
	CapFsetid        = 4
	CapKill          = 5
	CapSysAdmin      = 21
	CapSysResource   = 24
	CapMknod         = 27
	CapSetfcap       = 31
)

// allCapabilities are those of Linux 6: numbers 0 to 40.
const allCapabilities = 1<<41 - 1

// Bound gives the capabilities that c can have, if it becomes root.
func (c *Cred) Bound() uint64 {
	if c.Privileged {
		return allCapabilities
	}
	return standard.DefaultMask&^c.Lacks | c.Gains
}

// Can tells whether c has a capability: only user 0 has any.
func (c *Cred) Can(capability uint) bool { return c.UID == 0 && c.Bound()&(1<<capability) != 0 }

// Limit gives c what differs from a container's usual capabilities. Nil names are the usual ones.
func (c *Cred) Limit(names []string) {
	if names == nil {
		return
	}
	mask, _ := standard.CapabilityMask(names)
	c.Lacks, c.Gains = standard.DefaultMask&^mask, mask&^standard.DefaultMask
}
