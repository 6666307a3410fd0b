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
	EngineOpen    = "engine.open"
	Recover       = "recover"
	RecoverRemove = "recover.remove"

	BlobWrite   = "blob.write"
	BlobRemove  = "blob.remove"
	ImageLoad   = "image.load"
	ImageSave   = "image.save"
	ImageImport = "image.import"
	ImageCreate = "image.create"
	ImageTag    = "image.tag"
	ImageUntag  = "image.untag"
	ImageRemove = "image.remove"
	ImagePrune  = "image.prune"

	LayerApply  = "layer.apply"
	LayerReuse  = "layer.reuse"
	LayerCommit = "layer.commit"
	LayerRemove = "layer.remove"
	LayerSkip   = "layer.skip"

	SnapshotPrepare = "snapshot.prepare"
	SnapshotRemove  = "snapshot.remove"

	CowCopyUp   = "cow.copyup"
	CowCreate   = "cow.create"
	CowWrite    = "cow.write"
	CowRemove   = "cow.remove"
	CowWhiteout = "cow.whiteout"
	CowOpaque   = "cow.opaque"

	ContainerCreate = "container.create"
	ContainerStart  = "container.start"
	ContainerState  = "container.state"
	ContainerSignal = "container.signal"
	ContainerExec   = "container.exec"
	ContainerCommit = "container.commit"
	ContainerExport = "container.export"
	ContainerRemove = "container.remove"

	NamespaceCreate = "ns.create"
	UserMap         = "ns.usermap"
	MountDo         = "mount"
	PivotRoot       = "pivot_root"
	HostnameSet     = "hostname.set"
	CgroupCreate    = "cgroup.create"
	CgroupWrite     = "cgroup.write"
	CgroupRemove    = "cgroup.remove"
	CapsDrop        = "caps.drop"
	SeccompLoad     = "seccomp.load"
	ProcExec        = "proc.exec"
	ProcSignal      = "proc.signal"
	ProcExit        = "proc.exit"

	Build        = "build"
	BuildContext = "build.context"
	BuildStep    = "build.step"
	CacheHit     = "cache.hit"
	CacheMiss    = "cache.miss"
	CacheStore   = "cache.store"
	CacheRemove  = "cache.remove"
)

func str(key, meaning string) Attr  { return Attr{key, "string", meaning} }
func num(key, meaning string) Attr  { return Attr{key, "int", meaning} }
func flag(key, meaning string) Attr { return Attr{key, "bool", meaning} }
func list(key, meaning string) Attr { return Attr{key, "list", meaning} }

func attrs(a ...Attr) []Attr { return a }

// Kinds is the whole vocabulary, by area.
var Kinds = []Kind{
	{Command, true, "a command line that the engine carries out", attrs(list("argv", "the words of the command")), attrs(num("exit_code", "what the command returned to its caller"))},
	{CommandStart, false, "a process opened the engine", attrs(num("pid", "its process id"), str("driver", "linux or sim")), nil},
	{EngineOpen, false, "which machine is below the engine", attrs(str("home", "the engine's folder"), str("driver", "the driver"), str("reason", "why this driver")), nil},
	{Recover, true, "what a killed process left behind is put right", attrs(str("operation", "what was under way"), num("pid", "the process that died")), attrs(num("removed", "how many things were removed"))},
	{RecoverRemove, false, "one leftover is removed", attrs(str("what", "container, snapshot, blob, temporary file, cgroup"), str("path", "its path or id")), nil},

	{BlobWrite, false, "bytes enter the content store under their digest", attrs(str("digest", "sha256 of the bytes"), num("size_bytes", "how many"), str("media_type", "what they are"), flag("existed", "the store had them already")), nil},
	{BlobRemove, false, "nothing refers to a blob any more", attrs(str("digest", "the blob"), num("size_bytes", "bytes set free")), nil},
	{ImageLoad, true, "images are read from an archive", attrs(str("source", "file name, or - for standard input")), attrs(num("images", "how many"))},
	{ImageSave, true, "images are written to an archive", attrs(list("refs", "names as given")), attrs(num("size_bytes", "length of the archive"))},
	{ImageImport, true, "a tree becomes an image of one layer", attrs(str("source", "file name, or -")), attrs(str("image", "the image's id"))},
	{ImageCreate, false, "an image exists from now on", attrs(str("image", "its id: the digest of its config"), str("manifest", "the digest of its manifest"), list("diff_ids", "its layers, lowest first"), num("size_bytes", "sum of its layers, uncompressed"), str("origin", "build, commit, load, import or base")), nil},
	{ImageTag, false, "a name now means an image", attrs(str("ref", "the full name"), str("image", "the image's id"), str("previous", "the image it meant before, or empty")), nil},
	{ImageUntag, false, "a name is taken away", attrs(str("ref", "the full name"), str("image", "the image it meant")), nil},
	{ImageRemove, false, "an image is gone", attrs(str("image", "its id")), nil},
	{ImagePrune, true, "unused images and blobs are looked for and removed", attrs(flag("all", "also images that have a name")), attrs(num("images", "how many went"), num("freed_bytes", "bytes set free on disk"))},

	{LayerApply, true, "a layer's archive is unpacked onto its parent", attrs(str("diff_id", "digest of the archive"), str("chain_id", "identity of this layer on its parents"), str("parent", "chain id below, or empty")), attrs(num("files", "entries unpacked"), num("size_bytes", "bytes of file content"))},
	{LayerReuse, false, "a layer was unpacked before and is shared", attrs(str("diff_id", "digest of its archive"), str("chain_id", "identity of this layer on its parents")), nil},
	{LayerCommit, true, "a writable layer's changes become a new layer", attrs(str("key", "the writable layer"), str("parent", "chain id below, or empty")), attrs(str("diff_id", "digest of the new archive"), str("chain_id", "identity on its parents"), num("size_bytes", "length of the archive"), num("files", "files and folders added or changed"), num("whiteouts", "names deleted"))},
	{LayerRemove, false, "an unpacked layer is removed from disk", attrs(str("chain_id", "which")), nil},
	{LayerSkip, false, "an entry of a layer can't be made on this machine and is left out", attrs(str("chain_id", "the layer being unpacked"), str("path", "the entry"), str("reason", "why not")), nil},

	{SnapshotPrepare, false, "a writable layer is put on top of read-only ones", attrs(str("key", "the writable layer: a container's id or a build step"), str("chain_id", "top read-only layer, or empty"), num("lowers", "how many read-only layers"), str("upper", "folder that receives the changes")), nil},
	{SnapshotRemove, false, "a writable layer is thrown away", attrs(str("key", "which")), nil},

	{CowCopyUp, false, "first change to a file of a lower layer: the kernel copied it up", attrs(str("key", "the writable layer"), str("path", "the file, as the container sees it"), str("layer", "diff id of the layer it came from"), num("copied_bytes", "what was copied"), num("changed_bytes", "how many bytes differ from the lower file afterwards"), str("change", "content, metadata or none")), nil},
	{CowCreate, false, "a name that no lower layer has", attrs(str("key", "the writable layer"), str("path", "the name"), str("type", "file, dir, symlink, device or pipe"), num("size_bytes", "its size when it was closed")), nil},
	{CowWrite, false, "a file already in the upper layer is written again", attrs(str("key", "the writable layer"), str("path", "the name"), num("size_bytes", "its size now")), nil},
	{CowRemove, false, "a name that only the upper layer had is gone", attrs(str("key", "the writable layer"), str("path", "the name")), nil},
	{CowWhiteout, false, "a name of a lower layer is hidden by a whiteout", attrs(str("key", "the writable layer"), str("path", "the name"), str("layer", "diff id of the layer that still holds it")), nil},
	{CowOpaque, false, "a folder hides everything below it in lower layers", attrs(str("key", "the writable layer"), str("path", "the folder")), nil},

	{ContainerCreate, false, "a container's record and writable layer exist", attrs(str("container", "its id"), str("name", "its name"), str("image", "the image's id"), list("command", "entrypoint and arguments")), nil},
	{ContainerStart, true, "a container's first process is started", attrs(str("container", "its id")), attrs(num("pid", "the process on the host"))},
	{ContainerState, false, "a container goes from one state to another", attrs(str("container", "its id"), str("from", "the state before"), str("to", "created, running, paused, exited"), num("exit_code", "of the first process, when the state is exited"), flag("oom_killed", "the memory limit ended it")), nil},
	{ContainerSignal, false, "a signal is sent to a container", attrs(str("container", "its id"), str("signal", "its name"), str("reason", "stop, stop-timeout, kill or remove")), nil},
	{ContainerExec, true, "a further process is started in a running container", attrs(str("container", "its id"), list("argv", "its command")), attrs(num("exit_code", "what it returned; 0 when it was left running"))},
	{ContainerCommit, true, "a container's changes become an image", attrs(str("container", "its id")), attrs(str("image", "the image's id"))},
	{ContainerExport, true, "a container's whole tree is written as one archive", attrs(str("container", "its id")), attrs(num("size_bytes", "length of the archive"))},
	{ContainerRemove, false, "a container's record and writable layer are gone", attrs(str("container", "its id")), nil},

	{NamespaceCreate, false, "a process gets its own view of one kind of resource", attrs(str("container", "its id"), str("namespace", "mnt, pid, uts, ipc, net, cgroup or user"), num("inode", "the namespace's number, as in /proc/PID/ns")), nil},
	{UserMap, false, "user ids inside are mapped to ids outside", attrs(str("container", "its id"), str("map", "lines of inside, outside, length")), nil},
	{MountDo, false, "a file system is mounted in the container's view", attrs(str("container", "its id"), str("target", "where"), str("type", "overlay, proc, tmpfs, bind ..."), str("source", "what"), str("options", "how")), nil},
	{PivotRoot, false, "the overlay becomes the root and the host's root goes out of sight", attrs(str("container", "its id")), nil},
	{HostnameSet, false, "the container's own host name", attrs(str("container", "its id"), str("hostname", "the name")), nil},
	{CgroupCreate, false, "a control group is made", attrs(str("container", "its id"), str("controller", "memory, pids, cpu ...; unified for version 2"), str("path", "its folder")), nil},
	{CgroupWrite, false, "a limit is written to a control group", attrs(str("container", "its id"), str("file", "the file"), str("value", "the value")), nil},
	{CgroupRemove, false, "a control group is removed", attrs(str("container", "its id"), str("path", "its folder")), nil},
	{CapsDrop, false, "powers of root are given up", attrs(str("container", "its id"), list("kept", "the capabilities that stay")), nil},
	{SeccompLoad, false, "a filter for system calls is loaded", attrs(str("container", "its id"), num("instructions", "length of the filter program")), nil},
	{ProcExec, false, "a program takes over a process", attrs(str("container", "its id"), num("pid", "process id on the host"), list("argv", "the command")), nil},
	{ProcSignal, false, "the supervisor delivers a signal", attrs(str("container", "its id"), num("pid", "process id on the host"), str("signal", "its name")), nil},
	{ProcExit, false, "a process ended", attrs(str("container", "its id"), num("pid", "process id on the host"), num("exit_code", "0 to 255; 128 and the signal's number when a signal ended it"), str("signal", "the signal that ended it, or empty"), flag("oom_killed", "the memory limit ended it")), nil},

	{Build, true, "an image is built from a Dockerfile", attrs(str("dockerfile", "its path"), str("context", "the folder sent")), attrs(str("image", "the image's id"), num("hits", "steps taken from the cache"), num("misses", "steps carried out"))},
	{BuildContext, false, "what the context holds after .dockerignore", attrs(num("files", "files and folders"), num("size_bytes", "bytes of content"), num("ignored", "names left out")), nil},
	{BuildStep, true, "one instruction", attrs(num("step", "from 1"), num("steps", "how many in all"), str("instruction", "its text")), attrs(flag("cached", "taken from the cache"), str("diff_id", "the layer it added, or empty"))},
	{CacheHit, false, "the result of a step is known", attrs(str("key", "digest of everything the step depends on"), str("instruction", "its text")), nil},
	{CacheMiss, false, "the step has to be carried out", attrs(str("key", "digest of everything the step depends on"), str("instruction", "its text"), str("reason", "what differs from the nearest earlier run")), nil},
	{CacheStore, false, "the result of a step is kept", attrs(str("key", "digest of everything the step depends on"), str("diff_id", "the layer, or empty")), nil},
	{CacheRemove, false, "a kept result is dropped", attrs(str("key", "which"), str("reason", "why")), nil},
}
