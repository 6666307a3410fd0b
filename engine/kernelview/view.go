// Package kernelview reads what a kernel shows of a container's first process (driver.Reveal) into facts that a person or a program can
// take in: namespaces, id maps, mounts, powers, control groups, descriptors, limits. It is pure: it asks nobody, and what it can't read it
// leaves out. Its input was partly written by the container (names of mounts, of files and of the process), so nothing in it is trusted to
// be printable.
package kernelview

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
)

// View is what the kernel has of a running container.
type View struct {
	Pid         int         // on the host
	Proc        string      // folder of the process, in which every File named here lies unless it is absolute
	Inside      bool        // these paths are paths inside the container
	Command     []string    // cmdline
	Program     string      `json:",omitempty"` // exe, as far as it may be seen
	Root        string      `json:",omitempty"`
	Cwd         string      `json:",omitempty"`
	Status      Status      // status
	Namespaces  []Namespace // ns/*
	UIDMap      []IDRange   // uid_map
	GIDMap      []IDRange   // gid_map
	SetGroups   string      `json:",omitempty"` // setgroups
	Mounts      []Mount     // mountinfo, each after what it is mounted on
	Groups      []Group     // control groups
	Membership  []string    // cgroup: the lines of all hierarchies
	Descriptors []Descriptor
	Limits      []Limit
	OOMScoreAdj string `json:",omitempty"`
}

// Namespace is one view of the container's.
type Namespace struct {
	Kind   string // mnt, pid ...
	Inode  uint64 // two processes are in the same namespace if and only if its number is the same for both
	Shared bool   // it is the machine's, not the container's own
}

// IDRange maps ids.
type IDRange struct{ Inside, Outside, Count uint64 }

// Descriptor is an open file of the process.
type Descriptor struct {
	FD     int
	Target string
}

// Limit is a line of limits.
type Limit struct{ Name, Soft, Hard, Unit string }

// Group is a control group with the files that say something.
type Group struct {
	Controllers string
	Dir         string
	Values      []Value // sorted by name
}

// Value is a file of a control group.
type Value struct{ File, Text string }

// Read takes in what the kernel showed.
func Read(r driver.Reveal) View {
	v := View{Pid: r.Pid, Proc: r.Proc, Inside: r.Inside, Program: r.Links["exe"], Root: r.Links["root"], Cwd: r.Links["cwd"],
		Command: words(r.Files["cmdline"]), Status: readStatus(r.Files["status"]), Namespaces: readNamespaces(r), UIDMap: readIDMap(r.Files["uid_map"]),
		GIDMap: readIDMap(r.Files["gid_map"]), SetGroups: strings.TrimSpace(r.Files["setgroups"]), Mounts: readMounts(r.Files["mountinfo"]),
		Membership: lines(r.Files["cgroup"]), Descriptors: readDescriptors(r.Links), Limits: readLimits(r.Files["limits"]),
		OOMScoreAdj: strings.TrimSpace(r.Files["oom_score_adj"])}
	for _, g := range r.Groups {
		v.Groups = append(v.Groups, readGroup(g))
	}
	return v
}

// words splits a list whose items end in NUL.
func words(s string) []string {
	if s == "" {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(s, "\x00"), "\x00")
}

func lines(s string) []string {
	list := []string{}
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			list = append(list, l)
		}
	}
	return list
}

// inode takes the number out of "mnt:[4026531841]".
func inode(link string) uint64 {
	_, rest, _ := strings.Cut(link, ":[")
	n, _ := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	return n
}

func readNamespaces(r driver.Reveal) []Namespace {
	list := []Namespace{}
	for name, link := range r.Links {
		kind, ok := strings.CutPrefix(name, "ns/")
		if !ok || strings.HasSuffix(kind, "_for_children") {
			continue
		}
		list = append(list, Namespace{kind, inode(link), link == r.Machine[kind]})
	}
	slices.SortFunc(list, func(a, b Namespace) int { return strings.Compare(a.Kind, b.Kind) })
	return list
}

func readIDMap(s string) []IDRange {
	list := []IDRange{}
	for _, l := range lines(s) {
		f := strings.Fields(l)
		if len(f) != 3 {
			continue
		}
		var n [3]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(f[i], 10, 64)
		}
		list = append(list, IDRange{n[0], n[1], n[2]})
	}
	return list
}

func readDescriptors(links map[string]string) []Descriptor {
	list := []Descriptor{}
	for name, target := range links {
		number, ok := strings.CutPrefix(name, "fd/")
		n, err := strconv.Atoi(number)
		if ok && err == nil {
			list = append(list, Descriptor{n, target})
		}
	}
	slices.SortFunc(list, func(a, b Descriptor) int { return cmp.Compare(a.FD, b.FD) })
	return list
}

// readLimits reads proc_pid_limits(5): columns of fixed width under a heading.
func readLimits(s string) []Limit {
	list := []Limit{}
	head, rest, _ := strings.Cut(s, "\n")
	soft, hard, unit := strings.Index(head, "Soft Limit"), strings.Index(head, "Hard Limit"), strings.Index(head, "Units")
	if soft < 0 || hard < soft || unit < hard {
		return list
	}
	for l := range strings.Lines(rest) {
		l = strings.TrimRight(l, "\n")
		if len(l) < hard {
			continue
		}
		at := min(unit, len(l))
		list = append(list, Limit{strings.TrimSpace(l[:soft]), strings.TrimSpace(l[soft:hard]), strings.TrimSpace(l[hard:at]), strings.TrimSpace(l[at:])})
	}
	return list
}

func readGroup(g driver.RevealedGroup) Group {
	out := Group{g.Controllers, g.Dir, []Value{}}
	for name, text := range g.Files {
		out.Values = append(out.Values, Value{name, strings.TrimSpace(text)})
	}
	slices.SortFunc(out.Values, func(a, b Value) int { return strings.Compare(a.File, b.File) })
	return out
}
