package sim

import (
	"strconv"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/eventlog"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/driver/standard"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// refusedCalls are the system calls that the machine has and refuses to every process of a container that is not privileged. There is no
// filter program: vfs and kernel refuse them by themselves, and what the machine does not have needs no rule.
func refusedCalls() []string {
	return []string{"mount", "umount2", "sethostname"}
}

// noteLimits tells which powers the processes of a container do without. A seccomp.load's length is the number of rules.
func noteLimits(spec *driver.Spec, log *eventlog.Log) {
	p := &spec.Process
	if spec.Init {
		log.Fact(vocab.InitRun, trace.String("container", spec.ID))
	}
	if !p.Privileged {
		kept := standard.CapabilityNames()
		if p.Powers != nil {
			mask, _ := standard.CapabilityMask(p.Powers)
			kept = standard.NamesOf(mask)
		}
		log.Fact(vocab.CapsDrop, trace.String("container", spec.ID), trace.Strings("kept", kept))
	}
	groups := make([]string, len(p.Groups))
	for i, g := range p.Groups {
		groups[i] = strconv.FormatUint(uint64(g), 10)
	}
	log.Fact(vocab.ProcUser, trace.String("container", spec.ID), trace.Int("uid", int64(p.UID)), trace.Int("gid", int64(p.GID)), trace.Strings("groups", groups))
	noteOwnLimits(spec, log)
	if p.NoNewPrivs {
		log.Fact(vocab.NoNewPrivs, trace.String("container", spec.ID))
	}
	if p.Privileged || p.Seccomp == driver.Unconfined {
		return
	}
	log.Fact(vocab.SeccompLoad, trace.String("container", spec.ID), trace.Int("instructions", int64(len(refusedCalls()))), trace.Strings("refused", refusedCalls()))
}

const firstNamespace = 4026531840 // the kernel gives numbers from 0xF0000000 on, the first to itself

func namespaceKinds() []string { return []string{"mnt", "pid", "uts", "ipc", "net", "cgroup"} }

// machineNamespaces are those of the machine itself, as links name them. A container has its user and time namespaces from it.
func machineNamespaces() map[string]string {
	links := map[string]string{"user": "user:[4026531837]", "time": "time:[4026531834]", "time_for_children": "time:[4026531834]"}
	for i, kind := range namespaceKinds() {
		links[kind] = kind + ":[" + strconv.Itoa(firstNamespace+i) + "]"
	}
	links["pid_for_children"] = links["pid"]
	return links
}

// namespaces records which views of its own a container gets, and gives their numbers by kind. They are made of a number that no other
// container has.
func namespaces(spec *driver.Spec, number int, log *eventlog.Log) map[string]uint64 {
	const first = firstNamespace
	names := namespaceKinds()
	noteCloned(spec, log)
	numbers := make(map[string]uint64, len(names))
	var shared []string
	for i, name := range names {
		if sharedWithHost(spec, name) {
			numbers[name] = uint64(first + i) // that of the machine
			shared = append(shared, name)
			continue
		}
		numbers[name] = uint64(first + number*len(names) + i)
		log.Fact(vocab.NamespaceCreate, trace.String("container", spec.ID), trace.String("namespace", name), trace.Int("inode", int64(numbers[name])))
	}
	for _, name := range shared {
		log.Fact(vocab.NamespaceJoin, trace.String("container", spec.ID), trace.String("namespace", name), trace.String("of", "host"), trace.Int("inode", int64(numbers[name])))
	}
	return numbers
}

func sharedWithHost(spec *driver.Spec, name string) bool {
	word := map[string]string{"net": spec.Network, "uts": spec.Shared.UTS, "cgroup": spec.Shared.Cgroup}[name]
	return word == driver.NamespaceHost
}

// noteOwnLimits tells which limits of its own the process has.
func noteOwnLimits(spec *driver.Spec, log *eventlog.Log) {
	word := func(n int64) string {
		if n < 0 {
			return "unlimited"
		}
		return strconv.FormatInt(n, 10)
	}
	for _, r := range spec.Process.Rlimits {
		log.Fact(vocab.RlimitSet, trace.String("container", spec.ID), trace.String("name", r.Name), trace.String("soft", word(r.Soft)), trace.String("hard", word(r.Hard)))
	}
	if adj := spec.Process.OOMScoreAdj; adj != 0 {
		log.Fact(vocab.OOMScoreSet, trace.String("container", spec.ID), trace.Int("value", int64(adj)))
	}
}

// noteCloned tells which namespaces the first process is made with. Its view of the control groups comes later.
func noteCloned(spec *driver.Spec, log *eventlog.Log) {
	flags := []string{"CLONE_NEWNS", "CLONE_NEWPID"}
	if spec.Shared.UTS != driver.NamespaceHost {
		flags = append(flags, "CLONE_NEWUTS")
	}
	flags = append(flags, "CLONE_NEWIPC")
	if spec.Network != driver.NetworkHost {
		flags = append(flags, "CLONE_NEWNET")
	}
	log.Fact(vocab.ProcClone, trace.String("container", spec.ID), trace.String("call", "clone3"), trace.Strings("flags", flags))
}

// numbered is what /proc shows of a container whose namespaces have these numbers.
type numbered struct {
	vfs.ProcSource
	namespaces map[string]uint64
}

// System implements vfs.ProcSource.
func (n numbered) System() vfs.SystemInfo {
	info := n.ProcSource.System()
	info.Namespaces = n.namespaces
	return info
}
