package standard

import "strings"

// Capability is one power of root (capabilities(7)).
type Capability struct {
	Bit  uint
	Name string
}

// AllCapabilities are those that Linux has (linux/capability.h), in the order of their bits, which are their places here.
func AllCapabilities() []Capability {
	all := make([]Capability, 0, 41)
	for name := range strings.FieldsSeq(capabilityWords) {
		all = append(all, Capability{uint(len(all)), "CAP_" + name})
	}
	return all
}

const capabilityWords = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST
	NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
	SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
	CHECKPOINT_RESTORE`

// Capabilities are those that an ordinary container's processes can have: docker's defaults.
func Capabilities() []Capability {
	return []Capability{
		{0, "CAP_CHOWN"}, {1, "CAP_DAC_OVERRIDE"}, {3, "CAP_FOWNER"}, {4, "CAP_FSETID"}, {5, "CAP_KILL"}, {6, "CAP_SETGID"},
		{7, "CAP_SETUID"}, {8, "CAP_SETPCAP"}, {10, "CAP_NET_BIND_SERVICE"}, {13, "CAP_NET_RAW"}, {18, "CAP_SYS_CHROOT"},
		{27, "CAP_MKNOD"}, {29, "CAP_AUDIT_WRITE"}, {31, "CAP_SETFCAP"},
	}
}

// CapabilityNames names them, in the same order.
func CapabilityNames() []string {
	var names []string
	for _, c := range Capabilities() {
		names = append(names, c.Name)
	}
	return names
}

// DefaultMask is the set of Capabilities, bit by bit. A first stage asks for it and need not make the table for that.
const DefaultMask uint64 = 0xa80425fb

// CapabilityMask gives a set bit by bit, and the first name that is none.
func CapabilityMask(names []string) (mask uint64, unknown string) {
	all := AllCapabilities()
	for _, n := range names {
		bit := -1
		for _, c := range all {
			if c.Name == n {
				bit = int(c.Bit)
			}
		}
		if bit < 0 {
			return mask, n
		}
		mask |= 1 << bit
	}
	return mask, ""
}

// NamesOf gives the names of a set, in the order of the bits.
func NamesOf(mask uint64) []string {
	var names []string
	for _, c := range AllCapabilities() {
		if mask&(1<<c.Bit) != 0 {
			names = append(names, c.Name)
		}
	}
	return names
}
