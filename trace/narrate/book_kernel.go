package narrate

import (
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// kernelBook tells how the kernel makes a container out of a process.
var kernelBook = []phrase{
	{kind: vocab.ProcClone, from: Kernel, tell: cloned},
	{kind: vocab.NamespaceCreate, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "The container's process got its own " + namespace(f.str("namespace")) + ".",
				why: namespaceReason(f.str("namespace")),
				how: namespaceFlag(f.str("namespace")) + "; for the processes of " + f.container("container") + " ls -l /proc/PID/ns shows " +
					f.str("namespace") + ":[" + f.plain("inode") + "]."}
		}},
	{kind: vocab.NamespaceJoin, from: Full,
		tell: func(f *facts) text {
			whose, how := "the host's", "No new namespace was made"
			if of := f.plain("of"); of != "host" {
				whose, how = "that of container "+f.container("of"), "setns into "+"/proc/PID/ns/"+f.str("namespace")+" of its first process"
			}
			return text{say: "The container does not get its own " + shared(f.str("namespace")) + ": it uses " + whose + ".",
				why: "What is shared is no wall any more: each side sees and reaches there what the other has.",
				how: how + " for " + f.container("container") + "; for both sides ls -l /proc/PID/ns shows " + f.str("namespace") + ":[" + f.plain("inode") + "]."}
		}},
	{kind: vocab.UserMap, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "User ids inside container " + f.container("container") + " are mapped to ids outside, so root inside need not be root outside.",
				how: "/proc/PID/uid_map (inside, outside, how many): " + f.str("map") + "; gid_map: " + f.str("group_map") + "."}
		}},
	{kind: vocab.LoopbackUp, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Switched on " + f.str("interface") + " in the container's own network.",
				why: "A new network namespace has only this interface, and it is down: not even 127.0.0.1 would answer.",
				how: "ioctl SIOCSIFFLAGS with IFF_UP in the network namespace of " + f.container("container") + "."}
		}},
	{kind: vocab.MountPrivate, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Cut the container's mounts off from the host's.",
				why: "A new mount namespace begins as a copy, and shared mounts would still tell each other of what is mounted on them.",
				how: "mount(NULL, \"/\", NULL, MS_REC|MS_PRIVATE) in the mount namespace of " + f.container("container") + "."}
		}},
	{kind: vocab.SysctlSet, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Set " + f.str("name") + " to " + f.str("value") + " for this container.",
				why: "Such a setting belongs to a namespace, so the host's own stays as it is.",
				how: "A write to /proc/sys/" + strings.ReplaceAll(f.str("name"), ".", "/") + " of " + f.container("container") + "."}
		}},
	{kind: vocab.MountDo, from: Full, tell: mounted},
	{kind: vocab.PivotRoot, from: Full,
		tell: func(f *facts) text {
			return text{say: "The container's own tree became its root folder; the host's files went out of its sight.",
				how: "pivot_root in the mount namespace of " + f.container("container") + ", then the old root was unmounted. Unlike chroot, there is no way back."}
		}},
	{kind: vocab.HostnameSet, from: Full,
		tell: func(f *facts) text {
			return text{say: "Inside, the host name is " + f.str("hostname") + ".",
				how: "sethostname in the UTS namespace of " + f.container("container") + "; the host's own name stays."}
		}},
	{kind: vocab.CgroupCreate, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Made a control group, the kernel's way to count and limit what the processes of " + f.container("container") + " use together.",
				how: "mkdir " + f.path("path") + ", controller " + f.str("controller") + "."}
		}},
	{kind: vocab.CgroupWrite, from: Full,
		tell: func(f *facts) text {
			return text{say: "Set a limit for container " + f.container("container") + ": " + f.str("file") + " = " + f.str("value") + ".",
				why: "The kernel keeps it for all processes of the container together.",
				how: "A write to the file of that name in the container's control group."}
		}},
	{kind: vocab.CgroupJoin, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "The container's process became a member of its control group.",
				why: "What it starts is born there, too, and so counted and limited together with it.",
				how: "In " + f.path("path") + ", cgroup.procs lists the processes of " + f.container("container") + "."}
		}},
	{kind: vocab.CgroupRemove, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Removed the control group of container " + f.container("container") + ".", how: "rmdir " + f.path("path") + "."}
		}},
	{kind: vocab.CapsDrop, from: Full,
		tell: func(f *facts) text {
			kept := f.value("kept").List()
			return text{say: "The container's process gave up most powers of root and keeps " + Count(int64(len(kept)), "of them", "of them") + ".",
				why: "Root inside a container may not load kernel modules, set the clock or mount disks, for example.",
				how: "Bounding, permitted and effective sets of " + f.container("container") + ": " + f.list("kept") + "."}
		}},
	{kind: vocab.ProcUser, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "The process became user " + f.plain("uid") + " and group " + f.plain("gid") + also(f.list("groups")) + ".",
				why: "Programs should be no more than they need to be; without USER or --user this is root, with the few powers that are left.",
				how: "setgroups, setresgid, setresuid in " + f.container("container") + "; see Uid, Gid and Groups in /proc/PID/status."}
		}},
	{kind: vocab.RlimitSet, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Limited each process of its own: " + f.str("name") + " to " + f.str("soft") + ", which it may raise to " + f.str("hard") + ".",
				why: "Unlike a control group's such a limit is counted per process, or per user of the whole machine.",
				how: "setrlimit in " + f.container("container") + "; see /proc/PID/limits."}
		}},
	{kind: vocab.OOMScoreSet, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Adjusted how likely the kernel picks this container when memory runs out: " + f.plain("value") + ".",
				why: "The process with the highest score is killed first; -1000 spares it for ever.",
				how: "A write to /proc/PID/oom_score_adj of " + f.container("container") + "."}
		}},
	{kind: vocab.NoNewPrivs, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "From now on no program can bring the processes of " + f.container("container") + " more powers than they have.",
				why: "A set-user-ID program such as su or sudo then runs with the powers of whoever calls it.",
				how: "prctl(PR_SET_NO_NEW_PRIVS); grep NoNewPrivs /proc/PID/status shows 1."}
		}},
	{kind: vocab.DeviceAdd, from: Full,
		tell: func(f *facts) text {
			if f.plain("path") == "/dev" {
				return text{say: "Gave the container every device of the host.",
					why: "A privileged container can do with the machine's disks what root outside can.",
					how: "Nodes with the numbers and permissions of those in " + f.path("source") + ", in the /dev of " + f.container("container") + "."}
			}
			return text{say: "Gave the container the host's device " + f.path("source") + " as " + f.path("path") + ".",
				how: "A node with the same numbers for " + f.container("container") + "; allowed is " + f.str("access") + " (r read, w write, m make nodes)."}
		}},
	{kind: vocab.DeviceRules, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Told the kernel which devices the processes of " + f.container("container") + " may use; any other is refused, whatever nodes they make.",
				how: "The devices control group (version 1: devices.allow; version 2: a program that the kernel asks): " + f.list("rules") + "."}
		}},
	{kind: vocab.InitRun, from: Full,
		tell: func(f *facts) text {
			return text{say: "Process 1 of the container is a small init, and the command is its child.",
				why: "Process 1 must collect ended orphans, and the kernel keeps signals from it that it does not handle; init does the one and passes on the others.",
				how: "Asked for by --init of " + f.container("container") + "."}
		}},
	{kind: vocab.SeccompLoad, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "Loaded a filter that refuses dangerous system calls.",
				why: "What is refused here can't be used to attack the kernel, which all containers share.",
				how: "seccomp(SECCOMP_SET_MODE_FILTER), a program of " + f.count("instructions", "instruction") + " that the kernel runs before each system call of " + f.container("container") +
					"; see Seccomp: 2 in /proc/PID/status. Refused whatever their arguments: " + f.list("refused") + "."}
		}},
	{kind: vocab.ProcExec, from: Full,
		tell: func(f *facts) text {
			return text{say: "The program " + f.words("argv") + " takes over.",
				why: "All the walls are up before its first instruction runs.",
				how: "execve of " + f.path("program") + " in process " + f.plain("pid") + " of " + f.container("container") + ". Every descriptor but 0, 1 and 2 is closed by it."}
		}},
	{kind: vocab.RuntimeCall, from: Full,
		tell: func(f *facts) text {
			return text{say: "Told the runtime " + f.str("runtime") + " to " + f.str("command") + " " + f.container("container") + ".",
				why: "The OCI runtime specification says what a runtime is told and what it has to do, so that one can stand in for another.",
				how: f.str("runtime") + " " + f.str("command") + ", with a bundle in the container's folder."}
		}},
	{kind: vocab.ProcSignal, from: Kernel,
		tell: func(f *facts) text {
			return text{say: "The supervisor delivered " + f.str("signal") + " to process " + f.plain("pid") + " of " + f.container("container") + "."}
		}},
	{kind: vocab.ProcOOM, from: Short, tell: outOfMemory},
	{kind: vocab.ProcExit, from: Kernel, tell: processEnded},
}

func mounted(f *facts) text {
	target, source, kind := f.path("target"), f.path("source"), f.str("type")
	t := text{min: Kernel, say: "Mounted a file system of type " + kind + " at " + target + ".", how: mountLine(f)}
	switch kind {
	case "overlay":
		t.min = Full
		t.say = "Mounted the layers as one tree, the writable layer on top."
		t.why = "Reading goes down through the layers until one has the file; writing always ends in the top one."
	case "proc":
		t.say = "Mounted a /proc of its own at " + target + ", which lists the container's processes only."
	case "tmpfs":
		t.say = "Mounted an empty folder in memory at " + target + "."
	case "remount":
		t.say = "Changed the mount at " + target + ": " + f.str("options") + "."
	case "mask":
		t.say = "Hid " + target + ", which tells of the host or could harm it, below something empty."
	case "bind":
		if t.say = "Made " + source + " of the host visible at " + target + "."; source == target {
			t.say = "Made " + target + " a mount of its own, so that it can have its own options."
		}
	}
	return t
}

// cloned tells how the first process came to be.
func cloned(f *facts) text {
	call, flags := f.str("call"), strings.Join(f.value("flags").List(), "|")
	t := text{say: "Made the process that becomes the container's first one.",
		why: "A container is no thing of the kernel's: it is a process that was given its own view of nearly everything.",
		how: call + "(" + shorten(Clean(flags), f.limit()) + ") by the supervisor of " + f.container("container") + "."}
	if call == "clone3" {
		t.how = strings.TrimSuffix(t.how, ".") + "; with CLONE_INTO_CGROUP it is born in its control group."
	}
	return t
}

func also(groups string) string {
	if groups == "" {
		return ""
	}
	return ", also of groups " + groups
}

// mountLine is the mount command that would do the same.
func mountLine(f *facts) string {
	options, kind := f.str("options"), f.str("type")
	if options != "" {
		options = " -o " + options
	}
	how := "fsopen, fsconfig, fsmount, move_mount; as a command: mount -t " + kind + options + " " + f.path("source") + " " + f.path("target") + "."
	switch kind {
	case "bind":
		how = "open_tree(OPEN_TREE_CLONE), mount_setattr, move_mount; as a command: mount --bind" + options + " " + f.path("source") + " " + f.path("target") + "."
	case "mask":
		how = "A file is covered by /dev/null, a folder by an empty tmpfs."
	case "remount":
		how = "mount_setattr; as a command: mount -o remount,bind" + strings.TrimPrefix(options, " -o") + " " + f.path("target") + "."
	}
	return how + " Only in the mount namespace of " + f.container("container") + "."
}

func outOfMemory(f *facts) text {
	t := text{say: "Memory ran out in container " + f.container("container") + ": the kernel killed " + f.count("kills", "process") + " of it.",
		how: "The control group counted: memory.max and memory.peak in version 2, memory.limit_in_bytes and memory.max_usage_in_bytes in version 1."}
	if f.num("limit_bytes") > 0 {
		t.say += " It may have " + f.bytes("limit_bytes") + " in all."
		t.why = "When the processes of a control group want more than its limit and nothing can be given back, the kernel kills the one that has most."
	}
	if f.num("peak_bytes") > 0 {
		t.how += " The most it ever had was " + f.bytes("peak_bytes") + "."
	}
	return t
}

func processEnded(f *facts) text {
	say := "Process " + f.plain("pid") + " of container " + f.container("container")
	code := f.number("exit_code")
	if f.has("signal") {
		say += " was ended by " + f.str("signal") + ", which makes exit code " + code + "."
	} else {
		say += " ended with exit code " + code + "."
	}
	if f.flag("oom_killed") {
		say += " The kernel did it, because the container's memory limit was reached."
	}
	return text{say: say, how: "The supervisor learnt it from wait4."}
}

// namespace says what a kind of namespace is about.
func namespace(kind string) string {
	switch kind {
	case "mnt":
		return "view of the file systems (mount namespace)"
	case "pid":
		return "numbering of processes, in which it is number 1 (PID namespace)"
	case "uts":
		return "host name (UTS namespace)"
	case "ipc":
		return "shared memory and message queues (IPC namespace)"
	case "net":
		return "network, with nothing but a loopback in it at first (network namespace)"
	case "cgroup":
		return "view of the control groups (cgroup namespace)"
	case "user":
		return "user ids (user namespace)"
	}
	return kind + " namespace"
}

// namespaceReason says what a kind of namespace is good for.
func namespaceReason(kind string) string {
	switch kind {
	case "mnt":
		return "What is mounted inside is seen by nobody else, and goes with the last process."
	case "pid":
		return "It sees and can signal nobody outside; when its number 1 ends, the kernel ends all the others."
	case "uts":
		return "So it can have a host name of its own."
	case "ipc":
		return "Programs outside can't reach into its shared memory by a well-known key."
	case "net":
		return "It has its own ports, addresses and routes, which can't collide with the host's."
	case "cgroup":
		return "In /proc/self/cgroup it can't read where on the host it is kept."
	case "user":
		return "Ids inside mean other ids outside."
	}
	return ""
}

// shared says what a kind of namespace is about, where it is not the container's own.
func shared(kind string) string {
	switch kind {
	case "pid":
		return "numbering of processes (PID namespace)"
	case "net":
		return "network (network namespace)"
	}
	return namespace(kind)
}

func namespaceFlag(kind string) string {
	switch kind {
	case "mnt":
		return "CLONE_NEWNS"
	case "pid":
		return "CLONE_NEWPID"
	case "uts":
		return "CLONE_NEWUTS"
	case "ipc":
		return "CLONE_NEWIPC"
	case "net":
		return "CLONE_NEWNET"
	case "cgroup":
		return "unshare(CLONE_NEWCGROUP), after it had joined its groups, which so become the root of what it sees"
	case "user":
		return "CLONE_NEWUSER"
	}
	return "its flag"
}
