package userland

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// row is one line of ls.
type row struct {
	name string
	path string
	info fs.FileInfo
	attr Attr
}

type lister struct {
	*task
	o     opts
	names directory
	wide  bool // columns
}

func runLs(t *task, args []string) int {
	o, ok := t.options(args, "laAhR1dinotSrFpsCgGmkcuULx", "all=a almost-all=A human-readable=h recursive=R directory=d inode=i reverse=r numeric-uid-gid=n classify=F color=Z size=s full-time=Y dereference=L")
	if !ok {
		return 2
	}
	defer t.buffered()()
	l := &lister{task: t, o: o, names: directory{t: t}}
	l.wide = o.has('C') || !o.has('1') && !o.has('l') && t.terminalOut()
	names := o.args
	if len(names) == 0 {
		names = []string{"."}
	}
	var files, dirs []row
	for _, name := range names {
		r, err := l.row(name, name, true)
		switch {
		case err != nil:
			t.errorf("cannot access '%s': %s", name, reason(err))
		case r.info.IsDir() && !o.has('d'):
			dirs = append(dirs, r)
		default:
			files = append(files, r)
		}
	}
	l.sort(files)
	l.sort(dirs)
	l.show(files, false)
	for i, d := range dirs {
		if i > 0 || len(files) > 0 {
			t.print("\n")
		}
		l.list(d.path, len(names) > 1 || o.has('R'))
	}
	if t.failed {
		return 2
	}
	return 0
}

// row looks at one file; a link given as an argument counts as its target unless -l, -d or -F is there.
func (l *lister) row(name, file string, argument bool) (row, error) {
	look := l.lstat
	if l.o.has('L') || argument && !l.o.has('l') && !l.o.has('d') && !l.o.has('F') {
		look = l.stat
	}
	info, err := look(file)
	if err != nil && argument {
		info, err = l.lstat(file)
	}
	if err != nil {
		return row{}, err
	}
	return row{name, file, info, l.attr(info)}, nil
}

func (l *lister) list(dir string, title bool) {
	entries, err := l.FS.ReadDir(l.abs(dir))
	if err != nil {
		l.errorf("cannot open directory '%s': %s", dir, reason(err))
		return
	}
	if title {
		l.printf("%s:\n", dir)
	}
	var rows []row
	add := func(name string) {
		if r, err := l.row(name, path.Join(dir, name), false); err == nil {
			rows = append(rows, r)
		}
	}
	if l.o.has('a') {
		add(".")
		add("..")
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") || l.o.has('a') || l.o.has('A') {
			add(e.Name())
		}
	}
	l.sort(rows)
	l.show(rows, true)
	if !l.o.has('R') {
		return
	}
	for _, r := range rows {
		if r.info.IsDir() && r.name != "." && r.name != ".." {
			l.print("\n")
			l.list(strings.TrimSuffix(dir, "/")+"/"+r.name, true)
		}
	}
}

func (l *lister) sort(rows []row) {
	if l.o.has('U') {
		return
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		order := 0
		switch l.o.last("tS") {
		case 't':
			order = b.info.ModTime().Compare(a.info.ModTime())
		case 'S':
			order = cmp.Compare(b.info.Size(), a.info.Size())
		}
		if order == 0 {
			order = cmp.Compare(a.name, b.name)
		}
		if l.o.has('r') {
			order = -order
		}
		return order
	})
}

func (l *lister) show(rows []row, total bool) {
	if l.long() || l.o.has('s') {
		var blocks int64
		for _, r := range rows {
			blocks += r.attr.Blocks
		}
		if total {
			l.printf("total %s\n", l.size(blocks*512, 1024))
		}
	}
	switch {
	case l.long():
		l.showLong(rows)
	case l.wide:
		l.showColumns(rows)
	default:
		for _, r := range rows {
			l.print(l.prefix(r) + l.label(r) + "\n")
		}
	}
}

func (l *lister) long() bool { return l.o.has('l') || l.o.has('n') || l.o.has('o') || l.o.has('g') }

func (l *lister) size(n, unit int64) string {
	if l.o.has('h') {
		return human(n)
	}
	return strconv.FormatInt((n+unit-1)/unit, 10)
}

func (l *lister) prefix(r row) string {
	s := ""
	if l.o.has('i') {
		s = strconv.FormatUint(r.attr.Inode, 10) + " "
	}
	if l.o.has('s') {
		s += l.size(r.attr.Blocks*512, 1024) + " "
	}
	return s
}

func (l *lister) label(r row) string {
	name := r.name
	switch {
	case r.info.IsDir() && (l.o.has('F') || l.o.has('p')):
		name += "/"
	case !l.o.has('F'):
	case r.info.Mode()&fs.ModeSymlink != 0 && !l.long():
		name += "@"
	case r.info.Mode()&fs.ModeNamedPipe != 0:
		name += "|"
	case r.info.Mode().IsRegular() && r.info.Mode()&0o111 != 0:
		name += "*"
	}
	return name
}

func (l *lister) showLong(rows []row) {
	cells := make([][6]string, len(rows))
	var width [6]int
	for i, r := range rows {
		cells[i] = l.cells(r)
		for c, cell := range cells[i] {
			width[c] = max(width[c], len(cell))
		}
	}
	for i, r := range rows {
		c := cells[i]
		line := fmt.Sprintf("%s%s %*s %-*s %-*s %*s %s %s", l.prefix(r), c[0], width[1], c[1], width[2], c[2], width[3], c[3], width[4], c[4], c[5], l.label(r))
		if r.info.Mode()&fs.ModeSymlink != 0 {
			if links, err := l.links(); err == nil {
				if target, err := links.Readlink(l.abs(r.path)); err == nil {
					line += " -> " + target
				}
			}
		}
		l.print(line + "\n")
	}
}

func (l *lister) cells(r row) [6]string {
	user, group := strconv.Itoa(r.attr.UID), strconv.Itoa(r.attr.GID)
	if !l.o.has('n') {
		user, group = l.names.user(r.attr.UID), l.names.group(r.attr.GID)
	}
	length := l.size(r.info.Size(), 1)
	if r.info.Mode()&fs.ModeDevice != 0 {
		length = fmt.Sprintf("%d, %d", major(r.attr.Rdev), minor(r.attr.Rdev))
	}
	return [6]string{modeString(r.info.Mode()), strconv.FormatUint(r.attr.Links, 10), user, group, length, l.when(r.info.ModTime())}
}

func (l *lister) when(at time.Time) string {
	if l.o.has('Y') {
		return at.Format("2006-01-02 15:04:05.000000000 -0700")
	}
	age := l.now().Sub(at)
	if age > 182*24*time.Hour || age < -time.Hour {
		return at.Format("Jan _2  2006")
	}
	return at.Format("Jan _2 15:04")
}

func major(dev uint64) uint64 { return dev>>8&0xfff | dev>>32&^0xfff }
func minor(dev uint64) uint64 { return dev&0xff | dev>>12&^0xff&0xffffff00 }

// showColumns fills columns downwards, as many as fit in 80.
func (l *lister) showColumns(rows []row) {
	labels := make([]string, len(rows))
	for i, r := range rows {
		labels[i] = l.prefix(r) + l.label(r)
	}
	for lines := 1; lines <= len(labels); lines++ {
		widths, total := columnWidths(labels, lines)
		if total > 80 && lines < len(labels) {
			continue
		}
		for y := range lines {
			line := ""
			for c, i := 0, y; i < len(labels); c, i = c+1, i+lines {
				if i+lines >= len(labels) {
					line += labels[i]
					break
				}
				line += fmt.Sprintf("%-*s", widths[c], labels[i])
			}
			l.print(line + "\n")
		}
		return
	}
}

func columnWidths(labels []string, lines int) ([]int, int) {
	var widths []int
	total := 0
	for i := 0; i < len(labels); i += lines {
		w := 0
		for _, s := range labels[i:min(i+lines, len(labels))] {
			w = max(w, len(s)+2)
		}
		widths, total = append(widths, w), total+w
	}
	return widths, total - 2
}
