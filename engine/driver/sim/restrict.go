package sim

import (
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
	if spec.Process.Privileged {
		return
	}
	log.Fact(vocab.CapsDrop, trace.String("container", spec.ID), trace.Strings("kept", standard.CapabilityNames()))
	log.Fact(vocab.SeccompLoad, trace.String("container", spec.ID), trace.Int("instructions", int64(len(refusedCalls()))))
}

// namespaces records which views of its own a container gets, and gives their numbers by kind. They are made of a number that no other
// container has.
func namespaces(spec *driver.Spec, number int, log *eventlog.Log) map[string]uint64 {
	const first = 4026531840 // the kernel gives numbers from 0xF0000000 on, the first to itself
	names := []string{"mnt", "pid", "uts", "ipc", "net", "cgroup"}
	numbers := make(map[string]uint64, len(names))
	for i, name := range names {
		if name == "net" && spec.Network == driver.NetworkHost {
			numbers[name] = uint64(first + i) // that of the machine
			continue
		}
		numbers[name] = uint64(first + number*len(names) + i)
		log.Fact(vocab.NamespaceCreate, trace.String("container", spec.ID), trace.String("namespace", name), trace.Int("inode", int64(numbers[name])))
	}
	return numbers
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
