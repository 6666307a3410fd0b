package standard

// Capability is one power of root (capabilities(7)).
type Capability struct {
	Bit  uint
	Name string
}

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
