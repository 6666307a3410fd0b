package vocab

// Mask names an attribute whose value belongs to the machine, the driver or the moment, and not to what happened. Two traces of the
// same commands are the same when they agree after masking.
type Mask struct {
	Kind, Key string // an empty key: the whole event
	With      string // "key=value" of another attribute that the event must have; empty: always
	Why       string
}

// Masks is the whole list. Besides it, only the times of events (At) are left out of a comparison.
var Masks = []Mask{
	{CommandStart, "pid", "", "a process of the host"},
	{CommandStart, "driver", "", "the driver"},
	{EngineOpen, "home", "", "a folder of the host"},
	{EngineOpen, "driver", "", "the driver"},
	{EngineOpen, "reason", "", "the driver"},
	{Recover, "pid", "", "a process of the host"},
	{ContainerStart, "pid", "", "a process of the host"},
	{ProcExec, "pid", "", "a process of the host"},
	{ProcSignal, "pid", "", "a process of the host"},
	{ProcOOM, "peak_bytes", "", "how much a program takes before it is stopped depends on the machine"},
	{ProcExit, "pid", "", "a process of the host"},
	{Build, "dockerfile", "", "a file of the host"},
	{Build, "context", "", "a folder of the host"},
	{BuildOutput, "dest", "", "a folder or file of the host"},
	{CacheImport, "source", "", "a folder of the host, or an address"},
	{CacheExport, "target", "", "the same"},
	{NetworkCreate, "subnets", "", "what the host leaves free"},
	{NetworkLease, "addresses", "", "the same"},
	{NetworkLease, "mac", "", "it follows from the address"},
	{NetBridge, "interface", "", "it is made of the network's id"},
	{NetBridgeGone, "interface", "", "the same"},
	{NetCable, "peer", "", "it is made of the endpoint's id"},
	{NetAddress, "interface", "container=", "it is made of the network's id"},
	{NetAddress, "address", "", "what the host leaves free"},
	{NetRoute, "gateway", "", "the same"},
	{NetRule, "", "", "a rootless engine has no say in the firewall, and addresses are what the host leaves free"},
	{NetForwarding, "", "", "whether the machine passed packets on before is its own affair"},
	{NetPublish, "host", "", "a port that may be any, and both families only where the host has them"},
	{NetPublish, "to", "", "what the host leaves free"},
	{NetResolver, "servers", "", "those of the host"},
	{NetLookup, "answer", "", "what the host leaves free"},
	{NetLookup, "server", "", "one of the host's, if it is not the container's own"},
	{NetRefused, "host", "", "the same"},
	{NetRefused, "to", "", "the same"},
	{RegistryServe, "address", "", "a port of the host"},
	{RegistryServe, "storage", "", "a folder of the host"},
	{ContainerCopyIn, "source", "", "a file or folder of the host"},
	{ContainerCopyOut, "dest", "", "the same"},
	{SnapshotPrepare, "upper", "", "a folder of the host"},
	{NamespaceCreate, "inode", "", "a number of the kernel"},
	{NamespaceJoin, "inode", "", "a number of the kernel"},
	{MountDo, "source", "", "a folder or file of the host"},
	{MountDo, "options", "type=overlay", "folders of the host"},
	{MountDo, "", "type=mask", "which of these paths there are depends on the kernel"},
	{MountDo, "", "target=/sys/fs/cgroup", "which control groups there are depends on the version that the kernel has of them"},
	{MountDo, "", "type=cgroup", "the same"},
	{CgroupCreate, "", "", "the same"},
	{CgroupWrite, "", "", "the same"},
	{CgroupJoin, "", "", "the same"},
	{CgroupRemove, "", "", "the same"},
	{ProcClone, "call", "", "the same"},
	{UserMap, "", "", "only a rootless engine has a user namespace, and its ids are the host's"},
	{DeviceRules, "", "", "only a real kernel has a control group for devices"},
	{SeccompLoad, "instructions", "", "the filter is made for the host's architecture"},
	{SeccompLoad, "refused", "", "the same"},
	{BlobWrite, "size_bytes", "media_type=application/vnd.oci.image.config.v1+json", "the document holds times, whose length varies"},
}

// Masked reports whether the attribute key of an event of kind is volatile. with gives the event's other attributes, as text.
func Masked(kind, key string, with func(key string) string) bool {
	for _, m := range Masks {
		if m.Kind == kind && m.Key == key && m.applies(with) {
			return true
		}
	}
	return false
}

func (m Mask) applies(with func(key string) string) bool {
	if m.With == "" {
		return true
	}
	for i := range len(m.With) {
		if m.With[i] == '=' {
			return with(m.With[:i]) == m.With[i+1:]
		}
	}
	return false
}
