// Package vocab lists every kind of event that an engine may record: its name, its meaning and its
// attributes. It is data only. An emitter must give exactly the declared attributes, in order; a reader may
// rely on them. A unit is the last word of a key: size_bytes.
package vocab

// Attr declares one attribute: its key and its type (string, int, bool or list).
type Attr struct {
	Key, Type, Meaning string
}

// Kind declares one kind of event.
type Kind struct {
	Name    string
	Step    bool   // begin and end; otherwise a note
	Meaning string // one sentence
	Attrs   []Attr // of the begin or the note
	Ends    []Attr // of a successful end; an end with an error has none
}

// The kinds, in the order of Kinds.
const (
	Command       = "command"
	CommandStart  = "command.start"
	ExerciseCheck = "exercise.check"
	EngineOpen    = "engine.open"
	Recover       = "recover"
	RecoverRemove = "recover.remove"

	BlobFetch      = "blob.fetch"
	BlobWrite      = "blob.write"
	BlobRemove     = "blob.remove"
	ArchiveDrop    = "archive.drop"
	ImageLoad      = "image.load"
	ImageSave      = "image.save"
	ImageImport    = "image.import"
	ImageCreate    = "image.create"
	ImageTag       = "image.tag"
	ImageUntag     = "image.untag"
	ImageRemove    = "image.remove"
	ImagePrune     = "image.prune"
	ImagePull      = "image.pull"
	ImageDigests   = "image.digests"
	ImagePush      = "image.push"
	ImagePushLayer = "image.push.layer"
	ImageLook      = "image.look"

	SBOMRead       = "sbom.read"
	SBOMDatabase   = "sbom.database"
	Scan           = "scan"
	ReferrerFetch  = "referrer.fetch"
	ReferrerGive   = "referrer.give"
	ReferrerAttach = "referrer.attach"

	LayerApply  = "layer.apply"
	LayerReuse  = "layer.reuse"
	LayerCommit = "layer.commit"
	LayerRemove = "layer.remove"
	LayerSkip   = "layer.skip"
	LayerLook   = "layer.look"

	SnapshotPrepare = "snapshot.prepare"
	SnapshotRemove  = "snapshot.remove"

	CowCopyUp   = "cow.copyup"
	CowCreate   = "cow.create"
	CowWrite    = "cow.write"
	CowRemove   = "cow.remove"
	CowWhiteout = "cow.whiteout"
	CowOpaque   = "cow.opaque"

	ContainerCreate  = "container.create"
	ContainerStart   = "container.start"
	ContainerState   = "container.state"
	ContainerSignal  = "container.signal"
	ContainerExec    = "container.exec"
	ContainerCommit  = "container.commit"
	ContainerExport  = "container.export"
	ContainerUpdate  = "container.update"
	ContainerRename  = "container.rename"
	ContainerCopyIn  = "container.copy.in"
	ContainerCopyOut = "container.copy.out"
	ContainerRemove  = "container.remove"

	HealthProbe   = "health.probe"
	HealthState   = "health.state"
	VolumeCreate  = "volume.create"
	VolumeFill    = "volume.fill"
	VolumeMount   = "volume.mount"
	VolumeWrite   = "volume.write"
	VolumeUnmount = "volume.unmount"
	VolumeRemove  = "volume.remove"

	NetworkCreate  = "network.create"
	NetworkLease   = "network.lease"
	NetworkRelease = "network.release"
	NetworkRemove  = "network.remove"

	ProcClone       = "proc.clone"
	NamespaceCreate = "ns.create"
	NamespaceJoin   = "ns.join"
	UserMap         = "ns.usermap"
	LoopbackUp      = "net.loopback"
	NetBridge       = "net.bridge"
	NetCable        = "net.cable"
	NetAddress      = "net.address"
	NetRoute        = "net.route"
	NetRule         = "net.rule"
	NetForwarding   = "net.forwarding"
	NetPublish      = "net.publish"
	NetResolver     = "net.resolver"
	NetLookup       = "net.lookup"
	NetRefused      = "net.refused"
	NetUnplug       = "net.unplug"
	NetBridgeGone   = "net.bridge.remove"
	MountPrivate    = "mount.private"
	MountDo         = "mount"
	SysctlSet       = "sysctl"
	PivotRoot       = "pivot_root"
	HostnameSet     = "hostname.set"
	CgroupCreate    = "cgroup.create"
	CgroupWrite     = "cgroup.write"
	CgroupJoin      = "cgroup.join"
	CgroupRemove    = "cgroup.remove"
	CapsDrop        = "caps.drop"
	ProcUser        = "proc.user"
	RlimitSet       = "rlimit.set"
	OOMScoreSet     = "oom_score_adj"
	NoNewPrivs      = "proc.no_new_privs"
	SeccompLoad     = "seccomp.load"
	DeviceAdd       = "device.add"
	DeviceRules     = "device.rules"
	InitRun         = "init.run"
	ProcExec        = "proc.exec"
	RuntimeCall     = "runtime.call"
	ProcSignal      = "proc.signal"
	ProcOOM         = "proc.oom"
	ProcExit        = "proc.exit"

	Build        = "build"
	BuildContext = "build.context"
	BuildStep    = "build.step"
	CacheHit     = "cache.hit"
	CacheMiss    = "cache.miss"
	CacheStore   = "cache.store"
	CacheRemove  = "cache.remove"
	CacheImport  = "cache.import"
	CacheExport  = "cache.export"
	BuildOutput  = "build.output"

	RegistryServe    = "registry.serve"
	RegistryBlob     = "registry.blob"
	RegistryManifest = "registry.manifest"
)

// Kinds is the whole vocabulary, by area. Nothing of it is made when a process starts: it lies in the program as it is here.
var Kinds = []Kind{
	{Command, true, "a command line that the engine carries out", []Attr{{"argv", "list", "the words of the command"}}, []Attr{{"exit_code", "int", "what the command returned to its caller"}}},
	{CommandStart, false, "a process opened the engine", []Attr{{"pid", "int", "its process id"}, {"driver", "string", "linux or sim"}}, nil},
	{ExerciseCheck, true, "an exercise's check tries something on the engine", []Attr{{"exercise", "string", "its id"}, {"check", "string", "the check's id"}}, nil},
	{EngineOpen, false, "which machine is below the engine", []Attr{{"home", "string", "the engine's folder"}, {"driver", "string", "the driver"}, {"reason", "string", "why this driver"}}, nil},
	{Recover, true, "what a killed process left behind is put right", []Attr{{"operation", "string", "what was under way"}, {"pid", "int", "the process that died"}}, []Attr{{"removed", "int", "how many things were removed"}}},
	{RecoverRemove, false, "one leftover is removed", []Attr{{"what", "string", "container, snapshot, blob, temporary file, cgroup"}, {"path", "string", "its path or id"}}, nil},

	{BlobWrite, false, "bytes enter the content store under their digest", []Attr{{"digest", "string", "sha256 of the bytes"}, {"size_bytes", "int", "how many"}, {"media_type", "string", "what they are"}, {"existed", "bool", "the store had them already"}}, nil},
	{BlobFetch, false, "a layer that an image in a registry needs is here now", []Attr{{"digest", "string", "sha256 of its archive, as the registry has it"}, {"size_bytes", "int", "length of that archive"}, {"existed", "bool", "it was here before: nothing came over the network"}, {"resumed_bytes", "int", "bytes of it that an earlier pull had left"}, {"shared_with", "string", "an image here that has the same layer, or empty"}}, nil},
	{BlobRemove, false, "nothing refers to a blob any more", []Attr{{"digest", "string", "the blob"}, {"size_bytes", "int", "bytes set free"}}, nil},
	{ImageLoad, true, "images are read from an archive", []Attr{{"source", "string", "file name, or - for standard input"}}, []Attr{{"images", "int", "how many"}}},
	{ArchiveDrop, false, "the archive of an unpacked layer is removed, since it can be put together again", []Attr{{"digest", "string", "the blob, which can still be read"}, {"size_bytes", "int", "length of the archive"}, {"skeleton_bytes", "int", "what is kept of it"}}, nil},
	{ImageSave, true, "images are written to an archive", []Attr{{"refs", "list", "names as given"}}, []Attr{{"size_bytes", "int", "length of the archive"}}},
	{ImageImport, true, "a tree becomes an image of one layer", []Attr{{"source", "string", "file name, or -"}}, []Attr{{"image", "string", "the image's id"}}},
	{ImageCreate, false, "an image exists from now on", []Attr{{"image", "string", "its id: the digest of its config"}, {"manifest", "string", "the digest of its manifest"}, {"diff_ids", "list", "its layers, lowest first"}, {"size_bytes", "int", "sum of its layers, uncompressed"}, {"origin", "string", "build, commit, load, import, base or pull"}}, nil},
	{ImageTag, false, "a name now means an image", []Attr{{"ref", "string", "the full name"}, {"image", "string", "the image's id"}, {"previous", "string", "the image it meant before, or empty"}}, nil},
	{ImageUntag, false, "a name is taken away", []Attr{{"ref", "string", "the full name"}, {"image", "string", "the image it meant"}}, nil},
	{ImageRemove, false, "an image is gone", []Attr{{"image", "string", "its id"}}, nil},
	{ImagePrune, true, "unused images and blobs are looked for and removed", []Attr{{"all", "bool", "also images that have a name"}}, []Attr{{"images", "int", "how many went"}, {"freed_bytes", "int", "bytes set free on disk"}}},
	{ImagePull, true, "an image is fetched from a registry", []Attr{{"ref", "string", "the full name"}, {"platform", "string", "the machine that it is for: linux/amd64"}}, []Attr{{"image", "string", "the image's id"}, {"blobs", "int", "how many came over the network"}, {"size_bytes", "int", "their bytes"}}},
	{ImageDigests, false, "what leads from a name in a registry to an image", []Attr{{"index", "string", "digest of the list of manifests, one for each platform; empty if there is none"}, {"manifest", "string", "digest of the image's manifest"}, {"config", "string", "digest of its config, which is the image's id"}, {"layers", "int", "how many layers the manifest lists"}}, nil},
	{ImagePush, true, "an image is given to a registry", []Attr{{"ref", "string", "the full name"}}, []Attr{{"manifest", "string", "the digest that it has there"}, {"blobs", "int", "how many the repository did not have"}, {"mounted", "int", "how many of them the registry took from another of its repositories"}, {"size_bytes", "int", "bytes of those that were sent"}}},
	{ImagePushLayer, false, "a repository has a layer", []Attr{{"diff_id", "string", "the layer, by the digest of its uncompressed archive"}, {"digest", "string", "its blob there"}, {"how", "string", "exists, mounted or uploaded"}, {"from", "string", "the repository that a mounted one came from"}, {"sent_bytes", "int", "what went over the network"}, {"layer_bytes", "int", "the uncompressed archive"}}, nil},
	{ImageLook, true, "an image's layers are looked into, without unpacking them", []Attr{{"image", "string", "the image's id"}, {"layers", "int", "how many it has"}}, []Attr{{"wasted_bytes", "int", "bytes in the layers that no container sees"}}},

	{SBOMRead, true, "the packages of an image are looked for", []Attr{{"image", "string", "the image's id"}}, []Attr{{"databases", "int", "lists of packages that were read"}, {"packages", "int", "how many packages there are"}}},
	{SBOMDatabase, false, "a list that a package manager keeps was found and read", []Attr{{"type", "string", "deb, apk or rpm"}, {"path", "string", "the file, as a container sees it"}, {"diff_id", "string", "the layer that wrote it last"}, {"packages", "int", "how many it lists"}}, nil},
	{Scan, true, "an image's packages are compared with known vulnerabilities", []Attr{{"image", "string", "the image's id"}, {"db", "string", "the folder of the vulnerability database"}}, []Attr{{"packages", "int", "packages looked up"}, {"records", "int", "records that name one of them"}, {"findings", "int", "those that concern the version that is there"}}},
	{ReferrerFetch, false, "an artifact that refers to an image came along with it", []Attr{{"subject", "string", "digest of the manifest that it refers to"}, {"manifest", "string", "its own digest"}, {"artifact_type", "string", "what it is"}, {"size_bytes", "int", "its manifest and its blobs"}, {"existed", "bool", "it was here already"}}, nil},
	{ReferrerGive, false, "an artifact that refers to an image went along with it", []Attr{{"subject", "string", "digest of the manifest that it refers to"}, {"manifest", "string", "its own digest"}, {"artifact_type", "string", "what it is"}, {"tag", "string", "tag of the list that names it, where the registry keeps no list itself; else empty"}}, nil},
	{ReferrerAttach, false, "an artifact that refers to an image was made", []Attr{{"subject", "string", "digest of the manifest that it refers to"}, {"manifest", "string", "its own digest"}, {"artifact_type", "string", "what it is"}, {"size_bytes", "int", "of its content"}}, nil},

	{LayerApply, true, "a layer's archive is unpacked onto its parent", []Attr{{"diff_id", "string", "digest of the archive"}, {"chain_id", "string", "identity of this layer on its parents"}, {"parent", "string", "chain id below, or empty"}}, []Attr{{"files", "int", "entries unpacked"}, {"size_bytes", "int", "bytes of file content"}}},
	{LayerReuse, false, "a layer was unpacked before and is shared", []Attr{{"diff_id", "string", "digest of its archive"}, {"chain_id", "string", "identity of this layer on its parents"}}, nil},
	{LayerCommit, true, "a writable layer's changes become a new layer", []Attr{{"key", "string", "the writable layer"}, {"parent", "string", "chain id below, or empty"}}, []Attr{{"diff_id", "string", "digest of the new archive"}, {"chain_id", "string", "identity on its parents"}, {"size_bytes", "int", "length of the archive"}, {"files", "int", "files and folders added or changed"}, {"whiteouts", "int", "names deleted"}}},
	{LayerRemove, false, "an unpacked layer is removed from disk", []Attr{{"chain_id", "string", "which"}}, nil},
	{LayerSkip, false, "an entry of a layer can't be made on this machine and is left out", []Attr{{"chain_id", "string", "the layer being unpacked"}, {"path", "string", "the entry"}, {"reason", "string", "why not"}}, nil},
	{LayerLook, false, "what a layer of an image that is looked into did to those below it", []Attr{{"number", "int", "from 1, the lowest"}, {"diff_id", "string", "the layer"}, {"cached", "bool", "an earlier look was remembered, the archive not read"}, {"added", "int", "files that nothing below has"}, {"changed", "int", "files with another content or type than below"}, {"metadata", "int", "files of which only mode, owner, attributes or time differ"}, {"deleted", "int", "files below that are out of sight from here on"}, {"whiteouts", "int", "marks that delete a name"}, {"opaque", "int", "folders that hide all that is below in them"}, {"content_bytes", "int", "of its files"}, {"copied_bytes", "int", "of those that are copies of files below with other metadata or none"}, {"wasted_bytes", "int", "of its files that layers above take out of sight"}}, nil},

	{SnapshotPrepare, false, "a writable layer is put on top of read-only ones", []Attr{{"key", "string", "the writable layer: a container's id or a build step"}, {"chain_id", "string", "top read-only layer, or empty"}, {"lowers", "int", "how many read-only layers"}, {"upper", "string", "folder that receives the changes"}}, nil},
	{SnapshotRemove, false, "a writable layer is thrown away", []Attr{{"key", "string", "which"}}, nil},

	{CowCopyUp, false, "first change to a file of a lower layer: the kernel copied it up", []Attr{{"key", "string", "the writable layer"}, {"path", "string", "the file, as the container sees it"}, {"layer", "string", "diff id of the layer it came from"}, {"copied_bytes", "int", "what was copied"}, {"changed_bytes", "int", "how many bytes differ from the lower file afterwards"}, {"change", "string", "content, metadata or none"}}, nil},
	{CowCreate, false, "a name that no lower layer has", []Attr{{"key", "string", "the writable layer"}, {"path", "string", "the name"}, {"type", "string", "file, dir, symlink, device or pipe"}, {"size_bytes", "int", "its size when it was closed"}}, nil},
	{CowWrite, false, "a file already in the upper layer is written again", []Attr{{"key", "string", "the writable layer"}, {"path", "string", "the name"}, {"size_bytes", "int", "its size now"}}, nil},
	{CowRemove, false, "a name that only the upper layer had is gone", []Attr{{"key", "string", "the writable layer"}, {"path", "string", "the name"}}, nil},
	{CowWhiteout, false, "a name of a lower layer is hidden by a whiteout", []Attr{{"key", "string", "the writable layer"}, {"path", "string", "the name"}, {"layer", "string", "diff id of the layer that still holds it"}}, nil},
	{CowOpaque, false, "a folder hides everything below it in lower layers", []Attr{{"key", "string", "the writable layer"}, {"path", "string", "the folder"}}, nil},

	{ContainerCreate, false, "a container's record and writable layer exist", []Attr{{"container", "string", "its id"}, {"name", "string", "its name"}, {"image", "string", "the image's id"}, {"command", "list", "entrypoint and arguments"}}, nil},
	{ContainerStart, true, "a container's first process is started", []Attr{{"container", "string", "its id"}}, []Attr{{"pid", "int", "the process on the host"}}},
	{ContainerState, false, "a container goes from one state to another", []Attr{{"container", "string", "its id"}, {"from", "string", "the state before"}, {"to", "string", "created, running, paused, restarting, exited"}, {"exit_code", "int", "of the first process, when the state is exited or restarting"}, {"oom_killed", "bool", "a process of it was killed because memory ran out"}}, nil},
	{ContainerSignal, false, "a signal is sent to a container", []Attr{{"container", "string", "its id"}, {"signal", "string", "its name"}, {"reason", "string", "stop, stop-timeout, kill or remove"}}, nil},
	{ContainerExec, true, "a further process is started in a running container", []Attr{{"container", "string", "its id"}, {"argv", "list", "its command"}}, []Attr{{"exit_code", "int", "what it returned; 0 when it was left running"}}},
	{ContainerCommit, true, "a container's changes become an image", []Attr{{"container", "string", "its id"}}, []Attr{{"image", "string", "the image's id"}}},
	{ContainerExport, true, "a container's whole tree is written as one archive", []Attr{{"container", "string", "its id"}}, []Attr{{"size_bytes", "int", "length of the archive"}}},
	{ContainerUpdate, false, "limits or the restart policy of a container change", []Attr{{"container", "string", "its id"}, {"settings", "list", "what is set, as NAME=VALUE with docker's names and units"}}, nil},
	{ContainerRename, false, "a container has another name", []Attr{{"container", "string", "its id"}, {"name", "string", "its name now"}, {"previous", "string", "its name before"}}, nil},
	{HealthProbe, false, "a container's health check was run", []Attr{{"container", "string", "its id"}, {"argv", "list", "the check"}, {"exit_code", "int", "0 for healthy; -1 when it took too long or could not be run"}}, nil},
	{HealthState, false, "what is known of a container's health changed", []Attr{{"container", "string", "its id"}, {"status", "string", "starting, healthy or unhealthy"}, {"streak", "int", "checks that failed in a row"}}, nil},
	{ContainerCopyIn, true, "files are copied into a container", []Attr{{"container", "string", "its id"}, {"source", "string", "path on the host; - for an archive"}, {"path", "string", "where to, in the container"}}, []Attr{{"into", "string", "what keeps them now: the writable layer, a volume, a folder of the host"}, {"files", "int", "files, folders and links"}, {"size_bytes", "int", "bytes of file content"}}},
	{ContainerCopyOut, true, "files are copied out of a container", []Attr{{"container", "string", "its id"}, {"path", "string", "what, in the container"}, {"dest", "string", "path on the host; - for an archive"}}, []Attr{{"files", "int", "files, folders and links"}, {"size_bytes", "int", "bytes of file content"}}},
	{ContainerRemove, false, "a container's record and writable layer are gone", []Attr{{"container", "string", "its id"}}, nil},

	{VolumeCreate, false, "a folder that outlives containers exists", []Attr{{"volume", "string", "its name"}, {"driver", "string", "local"}, {"anonymous", "bool", "it was made for one container, without a name"}}, nil},
	{VolumeFill, false, "what an image has at the place of an empty volume is copied into it", []Attr{{"volume", "string", "its name"}, {"path", "string", "the folder in the image"}, {"files", "int", "files and folders"}, {"size_bytes", "int", "bytes of content"}}, nil},
	{VolumeMount, false, "a running container has a volume", []Attr{{"volume", "string", "its name"}, {"container", "string", "the container's id"}, {"target", "string", "where, as the container sees it"}, {"read_only", "bool", "it can't be written there"}}, nil},
	{VolumeWrite, false, "something in a volume that a container has mounted is changed", []Attr{{"volume", "string", "its name"}, {"path", "string", "in the volume"}, {"change", "string", "create, write or remove"}, {"type", "string", "of what is created: file, dir, symlink, device or pipe; else empty"}, {"size_bytes", "int", "its size now"}}, nil},
	{VolumeUnmount, false, "a container that has ended lets go of a volume", []Attr{{"volume", "string", "its name"}, {"container", "string", "the container's id"}, {"target", "string", "where it was"}}, nil},
	{VolumeRemove, false, "a volume and everything in it is gone", []Attr{{"volume", "string", "its name"}}, nil},

	{NetworkCreate, false, "a network exists", []Attr{{"network", "string", "its id"}, {"name", "string", "its name"}, {"driver", "string", "bridge, host or null"}, {"subnets", "list", "what addresses are given from: 172.18.0.0/16"}, {"internal", "bool", "nothing passes between it and the outside"}}, nil},
	{NetworkLease, false, "a container has its addresses in a network", []Attr{{"network", "string", "the network's id"}, {"name", "string", "the network's name"}, {"container", "string", "the container's id"}, {"addresses", "list", "each with the length of its subnet's prefix"}, {"mac", "string", "the hardware address"}, {"names", "list", "that lead to it in this network"}}, nil},
	{NetworkRelease, false, "a container that has ended or left gives its addresses in a network back", []Attr{{"network", "string", "the network's id"}, {"container", "string", "the container's id"}}, nil},
	{NetworkRemove, false, "a network is gone", []Attr{{"network", "string", "its id"}, {"name", "string", "its name"}}, nil},

	{ProcClone, false, "the supervisor makes the process that becomes the container's first", []Attr{{"container", "string", "its id"}, {"call", "string", "clone, or clone3 when it is born in its control group"}, {"flags", "list", "which namespaces it gets"}}, nil},
	{NamespaceCreate, false, "a process gets its own view of one kind of resource", []Attr{{"container", "string", "its id"}, {"namespace", "string", "mnt, pid, uts, ipc, net, cgroup or user"}, {"inode", "int", "the namespace's number, as in /proc/PID/ns"}}, nil},
	{NamespaceJoin, false, "a process shares another's view of one kind of resource", []Attr{{"container", "string", "its id"}, {"namespace", "string", "pid, uts, ipc, net or cgroup"}, {"of", "string", "host, or the id of the container whose it is"}, {"inode", "int", "the namespace's number, as in /proc/PID/ns"}}, nil},
	{UserMap, false, "user ids inside are mapped to ids outside", []Attr{{"container", "string", "its id"}, {"map", "string", "lines of inside, outside, length"}, {"group_map", "string", "the same for groups"}}, nil},
	{LoopbackUp, false, "the loopback interface of the container's own network is switched on", []Attr{{"container", "string", "its id"}, {"interface", "string", "its name"}}, nil},
	{NetBridge, false, "the switch of a network is made on the machine", []Attr{{"network", "string", "the network's id"}, {"interface", "string", "the bridge's name"}}, nil},
	{NetCable, false, "a virtual cable joins a container to the bridge of a network", []Attr{{"container", "string", "its id"}, {"network", "string", "the network's id"}, {"interface", "string", "the end in the container"}, {"peer", "string", "the end on the host, a port of the bridge"}}, nil},
	{NetAddress, false, "an interface gets an address", []Attr{{"container", "string", "its id; empty: the address is the host's own, on a bridge"}, {"network", "string", "the network's id"}, {"interface", "string", "its name"}, {"address", "string", "with the length of its subnet's prefix"}}, nil},
	{NetRoute, false, "packets of a container for anywhere else take this way", []Attr{{"container", "string", "its id"}, {"network", "string", "the network's id"}, {"interface", "string", "they leave through"}, {"gateway", "string", "the address of the next machine on the way"}}, nil},
	{NetRule, false, "the firewall of the machine gets a rule, or a set of it an element", []Attr{{"container", "string", "the id of the container it serves; empty: none in particular"}, {"network", "string", "the id of the network it serves; empty: none in particular"}, {"table", "string", "family and name"}, {"place", "string", "the chain, set or map it is in"}, {"rule", "string", "as nft list ruleset shows it"}}, nil},
	{NetForwarding, false, "the machine begins to pass packets on between its interfaces", []Attr{{"setting", "string", "as sysctl(8) shows it, or the rule that guards what was not passed on before"}}, nil},
	{NetPublish, false, "a port of the host leads to a container", []Attr{{"container", "string", "its id"}, {"protocol", "string", "tcp or udp"}, {"host", "string", "address and port of the host; 0.0.0.0 and [::] stand for every address"}, {"to", "string", "address and port of the container"}}, nil},
	{NetResolver, false, "a container has a name server of its own", []Attr{{"container", "string", "its id"}, {"address", "string", "where it is asked"}, {"networks", "list", "names of the networks whose containers it knows"}, {"servers", "list", "it asks about all other names"}}, nil},
	{NetLookup, false, "a container's name server has answered", []Attr{{"container", "string", "its id"}, {"name", "string", "that was asked about"}, {"type", "string", "A, AAAA, PTR ..."}, {"code", "string", "NOERROR, NXDOMAIN ..."}, {"answer", "list", "addresses or names"}, {"server", "string", "that knew the answer; empty: the container's own did"}}, nil},
	{NetRefused, false, "a connection to a published port did not get through to the program", []Attr{{"container", "string", "its id"}, {"host", "string", "address and port of the host"}, {"to", "string", "address and port of the container"}, {"error", "string", "the kernel's word: connection refused"}}, nil},
	{NetUnplug, false, "a container has left a network: cable, addresses, routes and rules are gone", []Attr{{"container", "string", "its id"}, {"network", "string", "the network's id"}, {"interface", "string", "that it had in the container"}}, nil},
	{NetBridgeGone, false, "the switch of a network is gone from the machine, with its rules: nothing was connected to it", []Attr{{"network", "string", "the network's id"}, {"interface", "string", "the bridge's name"}}, nil},
	{MountPrivate, false, "mounts made from now on stay in the container's mount namespace", []Attr{{"container", "string", "its id"}}, nil},
	{MountDo, false, "a file system is mounted in the container's view", []Attr{{"container", "string", "its id"}, {"target", "string", "where"}, {"type", "string", "overlay, proc, tmpfs, bind ..."}, {"source", "string", "what"}, {"options", "string", "how"}}, nil},
	{SysctlSet, false, "a setting of the kernel is changed for the container's namespaces only", []Attr{{"container", "string", "its id"}, {"name", "string", "the file below /proc/sys, with dots"}, {"value", "string", "what is written"}}, nil},
	{PivotRoot, false, "the overlay becomes the root and the host's root goes out of sight", []Attr{{"container", "string", "its id"}}, nil},
	{HostnameSet, false, "the container's own host name", []Attr{{"container", "string", "its id"}, {"hostname", "string", "the name"}}, nil},
	{CgroupCreate, false, "a control group is made", []Attr{{"container", "string", "its id"}, {"controller", "string", "memory, pids, cpu ...; unified for version 2"}, {"path", "string", "its folder"}}, nil},
	{CgroupWrite, false, "a limit is written to a control group", []Attr{{"container", "string", "its id"}, {"file", "string", "the file"}, {"value", "string", "the value"}}, nil},
	{CgroupJoin, false, "the container's process becomes a member of a control group", []Attr{{"container", "string", "its id"}, {"path", "string", "its folder"}}, nil},
	{CgroupRemove, false, "a control group is removed", []Attr{{"container", "string", "its id"}, {"path", "string", "its folder"}}, nil},
	{CapsDrop, false, "powers of root are given up", []Attr{{"container", "string", "its id"}, {"kept", "list", "the capabilities that stay"}}, nil},
	{ProcUser, false, "the process becomes the user that the program is to run as", []Attr{{"container", "string", "its id"}, {"uid", "int", "the user, as seen inside"}, {"gid", "int", "its group"}, {"groups", "list", "further groups"}}, nil},
	{RlimitSet, false, "a limit of the process itself is set", []Attr{{"container", "string", "its id"}, {"name", "string", "as in setrlimit(2), in lower case: nofile"}, {"soft", "string", "a number, or unlimited"}, {"hard", "string", "the same"}}, nil},
	{OOMScoreSet, false, "the process becomes a more or a less likely victim when memory runs out", []Attr{{"container", "string", "its id"}, {"value", "int", "-1000 to 1000; added to what the kernel reckons"}}, nil},
	{NoNewPrivs, false, "the process and its descendants can't gain powers by executing a program", []Attr{{"container", "string", "its id"}}, nil},
	{SeccompLoad, false, "a filter for system calls is loaded", []Attr{{"container", "string", "its id"}, {"instructions", "int", "length of the filter program"}, {"refused", "list", "the calls that it refuses whatever their arguments"}}, nil},
	{DeviceAdd, false, "a container gets a device of the host", []Attr{{"container", "string", "its id"}, {"path", "string", "inside; /dev for all of them"}, {"source", "string", "on the host"}, {"access", "string", "of r, w and m"}}, nil},
	{DeviceRules, false, "a control group says what may be done with devices", []Attr{{"container", "string", "its id"}, {"rules", "list", "what is allowed: kind, numbers, access"}}, nil},
	{InitRun, false, "a small init is the first process and runs the command as its child", []Attr{{"container", "string", "its id"}}, nil},
	{ProcExec, false, "a program takes over a process", []Attr{{"container", "string", "its id"}, {"pid", "int", "process id on the host"}, {"program", "string", "its file, as it was found"}, {"argv", "list", "the command"}}, nil},
	{RuntimeCall, false, "another OCI runtime is told to do something", []Attr{{"container", "string", "its id"}, {"runtime", "string", "which one, as it was chosen"}, {"command", "string", "create, start, exec, kill, pause, resume or delete"}}, nil},
	{ProcSignal, false, "the supervisor delivers a signal", []Attr{{"container", "string", "its id"}, {"pid", "int", "process id on the host"}, {"signal", "string", "its name"}}, nil},
	{ProcOOM, false, "processes of a container were killed because memory ran out", []Attr{{"container", "string", "its id"}, {"limit_bytes", "int", "what it may have; 0 for no limit"}, {"peak_bytes", "int", "most that it ever had; 0 if it is not known"}, {"kills", "int", "processes killed"}}, nil},
	{ProcExit, false, "a process ended", []Attr{{"container", "string", "its id"}, {"pid", "int", "process id on the host"}, {"exit_code", "int", "0 to 255; 128 and the signal's number when a signal ended it"}, {"signal", "string", "the signal that ended it, or empty"}, {"oom_killed", "bool", "the memory limit ended it"}}, nil},

	{Build, true, "an image is built from a Dockerfile", []Attr{{"dockerfile", "string", "its path"}, {"context", "string", "the folder sent"}}, []Attr{{"image", "string", "the image's id"}, {"hits", "int", "steps taken from the cache"}, {"misses", "int", "steps carried out"}}},
	{BuildContext, false, "what the context holds after .dockerignore", []Attr{{"files", "int", "files and folders"}, {"size_bytes", "int", "bytes of content"}, {"ignored", "int", "names left out"}}, nil},
	{BuildStep, true, "one instruction", []Attr{{"step", "int", "from 1"}, {"steps", "int", "how many in all"}, {"instruction", "string", "its text"}}, []Attr{{"cached", "bool", "taken from the cache"}, {"diff_id", "string", "the layer it added, or empty"}}},
	{CacheHit, false, "the result of a step is known", []Attr{{"key", "string", "digest of everything the step depends on"}, {"instruction", "string", "its text"}, {"build", "string", "id of the build that made it"}, {"size_bytes", "int", "length of the layer that need not be made"}}, nil},
	{CacheMiss, false, "the step has to be carried out", []Attr{{"key", "string", "digest of everything the step depends on"}, {"instruction", "string", "its text"}, {"reason", "string", "what differs from the nearest earlier run"}, {"reason_kind", "string", "never, forced, gone, failed, instruction, arg, env, setting, mount, files, parent or base"}, {"nearest", "string", "key of that run, or empty"}, {"cause", "string", "the instruction that changed first, when this one is the same"}, {"changes", "list", "files that it reads and that changed, at most 20"}, {"changed_files", "int", "how many did"}}, nil},
	{CacheStore, false, "the result of a step is kept", []Attr{{"key", "string", "digest of everything the step depends on"}, {"diff_id", "string", "the layer, or empty"}}, nil},
	{CacheRemove, false, "a kept result is dropped", []Attr{{"key", "string", "which"}, {"reason", "string", "why"}}, nil},
	{CacheImport, true, "kept results of other builds are looked up", []Attr{{"source", "string", "where they are"}}, []Attr{{"records", "int", "how many there are"}}},
	{CacheExport, true, "kept results are given away for other builds", []Attr{{"target", "string", "where to"}}, []Attr{{"records", "int", "how many"}, {"layers", "int", "how many layers they have"}, {"size_bytes", "int", "bytes of layers that were not there yet"}}},
	{BuildOutput, true, "the result of a build is written", []Attr{{"type", "string", "local, tar, oci, docker, image"}, {"dest", "string", "file, folder or name"}}, []Attr{{"size_bytes", "int", "bytes written"}}},

	{RegistryServe, false, "a registry of our own begins to serve", []Attr{{"address", "string", "host and port"}, {"storage", "string", "the folder that it keeps everything in"}}, nil},
	{RegistryBlob, false, "a registry of our own answers for a blob", []Attr{{"act", "string", "has, lacks, gives, takes, mounts or deletes"}, {"repository", "string", "of which repository"}, {"digest", "string", "the blob"}, {"size_bytes", "int", "its bytes, 0 if they are not known"}}, nil},
	{RegistryManifest, false, "a registry of our own answers for a manifest", []Attr{{"act", "string", "has, lacks, gives, takes or deletes"}, {"repository", "string", "of which repository"}, {"reference", "string", "the tag or digest that it was asked for by"}, {"digest", "string", "the manifest, empty if there is none"}, {"media_type", "string", "what it is"}}, nil},
}
