package userland

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

type usage struct {
	*task
	o     opts
	seen  map[[2]uint64]bool
	depth int
}

func runDu(t *task, args []string) int {
	o, ok := t.options(args, "shackbmd:xLDl", "summarize=s human-readable=h all=a total=c max-depth=d bytes=b apparent-size=A")
	if !ok {
		return 1
	}
	u := &usage{task: t, o: o, seen: map[[2]uint64]bool{}, depth: 1 << 30}
	if d, ok := o.value('d'); ok {
		u.depth = int(number(d))
	}
	if o.has('s') {
		u.depth = 0
	}
	if len(o.args) == 0 {
		o.args = []string{"."}
	}
	var total int64
	for _, name := range o.args {
		total += u.walk(name, 0)
	}
	if o.has('c') {
		u.line(total, "total")
	}
	return t.code()
}

func (u *usage) walk(name string, depth int) int64 {
	info, err := u.lstat(name)
	if err != nil {
		u.errorf("cannot access '%s': %s", name, reason(err))
		return 0
	}
	a := u.attr(info)
	id := [2]uint64{a.Dev, a.Inode}
	if a.Inode != 0 && a.Links > 1 && !info.IsDir() {
		if u.seen[id] {
			return 0
		}
		u.seen[id] = true
	}
	sum := a.Blocks * 512
	if u.o.has('b') || u.o.has('A') {
		sum = info.Size()
	}
	if info.IsDir() {
		entries, err := u.FS.ReadDir(u.abs(name))
		if err != nil {
			u.errorf("cannot read directory '%s': %s", name, reason(err))
		}
		for _, e := range entries {
			sum += u.walk(strings.TrimSuffix(name, "/")+"/"+e.Name(), depth+1)
		}
	}
	if depth <= u.depth && (info.IsDir() || u.o.has('a') || depth == 0) {
		u.line(sum, name)
	}
	return sum
}

func (u *usage) line(n int64, name string) {
	text := ""
	switch u.o.last("hkmb") {
	case 'h':
		text = human(n)
	case 'b':
		text = strconv.FormatInt(n, 10)
	case 'm':
		text = strconv.FormatInt((n+1<<20-1)>>20, 10)
	default:
		text = strconv.FormatInt((n+1023)>>10, 10)
	}
	u.printf("%s\t%s\n", text, name)
}

func runDf(t *task, args []string) int {
	o, ok := t.options(args, "hTakPim", "human-readable=h print-type=T all=a portability=P inodes=i")
	if !ok {
		return 1
	}
	if t.Mounts == nil {
		return t.unable("mount table")
	}
	all, err := t.Mounts.List()
	if err != nil {
		return t.errorf("cannot read table of mounted file systems: %s", reason(err))
	}
	rows := [][]string{dfHead(o)}
	if len(o.args) == 0 {
		if !o.has('a') {
			all = t.devices(all)
		}
		for _, m := range all {
			if s, err := t.Mounts.Space(m.Target); err == nil && (s.Total > 0 || o.has('a')) {
				rows = append(rows, dfRow(o, m, s))
			}
		}
	}
	for _, name := range o.args {
		at, err := t.real(name, true, false)
		if err != nil {
			t.fail(name, err)
			continue
		}
		var best MountEntry
		for _, m := range all {
			if len(m.Target) >= len(best.Target) && (m.Target == "/" || strings.HasPrefix(at+"/", m.Target+"/")) {
				best = m
			}
		}
		s, err := t.Mounts.Space(at)
		if err != nil {
			t.fail(name, err)
			continue
		}
		rows = append(rows, dfRow(o, best, s))
	}
	t.aligned(rows, o.has('T'))
	return t.code()
}

// devices keeps one mount of each file system, the one with the shortest path, and none that another mount or a file hides.
func (t *task) devices(all []MountEntry) []MountEntry {
	var kept []MountEntry
	at := map[uint64]int{}
	for _, m := range all {
		info, err := t.FS.Stat(m.Target)
		if err != nil {
			continue
		}
		device := t.attr(info).Dev
		i, known := at[device]
		switch {
		case !known:
			at[device] = len(kept)
			kept = append(kept, m)
		case len(m.Target) < len(kept[i].Target), m.Target == kept[i].Target:
			kept[i] = m
		}
	}
	return kept
}

func dfHead(o opts) []string {
	head := []string{"Filesystem"}
	if o.has('T') {
		head = append(head, "Type")
	}
	switch {
	case o.has('i'):
		head = append(head, "Inodes", "IUsed", "IFree", "IUse%")
	case o.has('h'):
		head = append(head, "Size", "Used", "Avail", "Use%")
	case o.has('P'):
		head = append(head, "1024-blocks", "Used", "Available", "Capacity")
	default:
		head = append(head, "1K-blocks", "Used", "Available", "Use%")
	}
	return append(head, "Mounted on")
}

func dfRow(o opts, m MountEntry, s Space) []string {
	row := []string{m.Source}
	if o.has('T') {
		row = append(row, m.Type)
	}
	form := func(n int64) string { return strconv.FormatInt(n>>10, 10) }
	if o.has('h') {
		form = human
	}
	used, usable := s.Total-s.Free, s.Total-s.Free+s.Available
	if o.has('i') {
		form = func(n int64) string { return strconv.FormatInt(n, 10) }
		s.Total, s.Available = s.Files, s.FilesFree
		used, usable = s.Files-s.FilesFree, s.Files
	}
	percent := "-"
	if usable > 0 {
		percent = fmt.Sprintf("%d%%", ceil(float64(used)/float64(usable)*100))
	}
	return append(row, form(s.Total), form(used), form(s.Available), percent, m.Target)
}

// aligned prints a table: the first column (two when typed) to the left, the last as it is.
func (t *task) aligned(rows [][]string, typed bool) {
	widths := make([]int, len(rows[0]))
	widths[0] = 14 // as df has it
	for i := 1; i < len(widths); i++ {
		widths[i] = 5
	}
	widths[len(widths)-2] = len("Use%")
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], len(c))
		}
	}
	for _, r := range rows {
		line := ""
		for i, c := range r {
			switch {
			case i == len(r)-1:
				line += c
			case i == 0 || i == 1 && typed:
				line += fmt.Sprintf("%-*s ", widths[i], c)
			default:
				line += fmt.Sprintf("%*s ", widths[i], c)
			}
		}
		t.print(line + "\n")
	}
}

func runMount(t *task, args []string) int {
	o, ok := t.options(args, "t:o:anrwv", "types=t options=o bind=B rbind=C make-private=D make-rprivate=E")
	if !ok {
		return 1
	}
	if t.Mounts == nil {
		return t.unable("mount table")
	}
	if len(o.args) == 0 {
		return t.listMounts(o)
	}
	m := MountEntry{Target: o.args[len(o.args)-1], Options: strings.Join(o.values('o'), ",")}
	m.Type, _ = o.value('t')
	m.Source = m.Type
	if len(o.args) > 1 {
		m.Source = o.args[0]
	}
	for letter, option := range map[byte]string{'r': "ro", 'B': "bind", 'C': "rbind", 'D': "private", 'E': "rprivate"} {
		if o.has(letter) {
			m.Options += "," + option
		}
	}
	if m.Type == "" && strings.Contains(m.Source, "/") {
		m.Source = t.abs(m.Source)
	}
	m.Target = t.abs(m.Target)
	if err := t.Mounts.Mount(m); err != nil {
		t.errorf("mounting %s on %s failed: %s", m.Source, m.Target, reason(err))
		return 32
	}
	return 0
}

func (t *task) listMounts(o opts) int {
	all, err := t.Mounts.List()
	if err != nil {
		return t.errorf("%s", reason(err))
	}
	kind, typed := o.value('t')
	for _, m := range all {
		if !typed || m.Type == kind {
			t.printf("%s on %s type %s (%s)\n", m.Source, m.Target, m.Type, m.Options)
		}
	}
	return 0
}

func runUmount(t *task, args []string) int {
	o, ok := t.options(args, "lfrn", "lazy=l force=f")
	if !ok {
		return 1
	}
	if t.Mounts == nil {
		return t.unable("mount table")
	}
	for _, name := range o.args {
		if err := t.Mounts.Unmount(path.Clean(t.abs(name)), o.has('l')); err != nil {
			t.errorf("can't unmount %s: %s", name, reason(err))
		}
	}
	return t.code()
}
