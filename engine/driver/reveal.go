package driver

import "context"

// Revealer is an ability that a Task may have besides: to show what the machine's kernel has of it right now.
type Revealer interface {
	// Reveal reads what there is to read. ErrNotRunning if nothing runs.
	Reveal(ctx context.Context) (Reveal, error)
}

// Reveal is what a kernel shows of a running container's first process: files of proc(5) and of its control groups, as they are. What can't
// be read is left out. The environment is never in it, since it holds secrets.
type Reveal struct {
	Pid     int               // on the host
	Proc    string            // the folder of the process: /proc/4711
	Inside  bool              // Proc and the folders of Groups are paths inside the container, for there are none outside
	Files   map[string]string // of Proc, by name: "status"
	Links   map[string]string // of Proc, by name: "ns/mnt", "fd/0"
	Machine map[string]string // the machine's own namespaces, by kind, as a link of ns/ names them: "mnt:[4026531841]"
	Groups  []RevealedGroup
}

// RevealedGroup is a control group that the process is in.
type RevealedGroup struct {
	Controllers string            // memory; unified for version 2
	Dir         string            // its folder
	Files       map[string]string // what is in the folder, by name
}

// The parts of Reveal.
var (
	// RevealedFiles are the files of the process.
	RevealedFiles = []string{"status", "mountinfo", "uid_map", "gid_map", "setgroups", "limits", "cgroup", "cmdline", "oom_score_adj", "net/tcp", "net/tcp6", "net/udp", "net/udp6"}
	// RevealedLinks are links of the process; besides them come those of ns and fd.
	RevealedLinks = []string{"exe", "root", "cwd"}
)
