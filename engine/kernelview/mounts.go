package kernelview

import (
	"strconv"
	"strings"
)

// Mount is a line of mountinfo (proc_pid_mountinfo(5)), decoded.
type Mount struct {
	ID, Parent  int
	Depth       int    // how many mounts it lies on
	Target      string // as seen inside
	Root        string // what part of its file system is mounted
	Type        string
	Source      string
	Options     string   // of this mount
	Super       string   // of the file system, without what is listed below
	Propagation string   `json:",omitempty"` // "shared:1", "master:2"; empty: private
	Lower       []string `json:",omitempty"` // overlay: the read-only layers, top first
	Upper       string   `json:",omitempty"` // overlay: the writable layer
	Work        string   `json:",omitempty"`
}

// maxMounts bounds how many mounts are looked at: a privileged container can make as many as it likes.
const maxMounts = 5000

// readMounts reads a mount table, and puts each mount behind the one that it lies on.
func readMounts(s string) []Mount {
	var all []Mount
	for l := range strings.Lines(s) {
		if m, ok := readMount(strings.TrimRight(l, "\n")); ok && len(all) < maxMounts {
			all = append(all, m)
		}
	}
	here := map[int]bool{}
	below := map[int][]int{}
	for i, m := range all {
		here[m.ID] = true
		below[m.Parent] = append(below[m.Parent], i)
	}
	tree := make([]Mount, 0, len(all))
	seen := make([]bool, len(all))
	var add func(i, depth int)
	add = func(i, depth int) {
		if seen[i] {
			return
		}
		seen[i] = true
		all[i].Depth = depth
		tree = append(tree, all[i])
		for _, j := range below[all[i].ID] {
			add(j, depth+1)
		}
	}
	for i, m := range all {
		if !here[m.Parent] || m.Parent == m.ID {
			add(i, 0)
		}
	}
	for i := range all { // a table that makes no sense still is shown whole
		add(i, 0)
	}
	return tree
}

func readMount(line string) (Mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	front, back := strings.Split(before, " "), strings.Split(after, " ")
	if !ok || len(front) < 6 || len(back) < 2 {
		return Mount{}, false
	}
	m := Mount{Root: unescape(front[3]), Target: unescape(front[4]), Options: front[5], Propagation: strings.TrimSpace(strings.Join(front[6:], " ")), Type: back[0], Source: unescape(back[1])}
	var err, perr error
	m.ID, err = strconv.Atoi(front[0])
	m.Parent, perr = strconv.Atoi(front[1])
	if len(back) > 2 {
		m.super(back[2])
	}
	return m, err == nil && perr == nil
}

// super takes the options of the file system apart. Commas in the paths of layers are escaped by a backslash.
func (m *Mount) super(options string) {
	var rest []string
	for _, o := range splitOptions(unescape(options)) {
		key, value, _ := strings.Cut(o, "=")
		switch {
		case m.Type != "overlay":
			rest = append(rest, o)
		case key == "lowerdir":
			m.Lower = append(m.Lower, splitColons(value)...)
		case key == "lowerdir+":
			m.Lower = append(m.Lower, value)
		case key == "upperdir":
			m.Upper = value
		case key == "workdir":
			m.Work = value
		default:
			rest = append(rest, o)
		}
	}
	m.Super = strings.Join(rest, ",")
}

func splitOptions(s string) []string { return splitUnescaped(s, ',') }
func splitColons(s string) []string  { return splitUnescaped(s, ':') }

// splitUnescaped splits at sep unless a backslash stands before it.
func splitUnescaped(s string, sep byte) []string {
	var parts []string
	begin := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:])
}

// unescape undoes the kernel's octal escapes: \040 is a space.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
