package userland

import (
	"fmt"
	"path"
	"strings"
)

func runDiff(t *task, args []string) int {
	o, ok := t.options(args, "uqrNU:sbwBa", "unified=u brief=q recursive=r new-file=N report-identical-files=s color=Z")
	if !ok || len(o.args) != 2 {
		if ok {
			t.usage("[-uqrN] FILE1 FILE2")
		}
		return 2
	}
	d := &differ{task: t, o: o, context: 3}
	if v, ok := o.value('U'); ok {
		d.context = int(min(number(v), 1<<20))
	}
	defer t.buffered()()
	changed := d.pair(o.args[0], o.args[1])
	switch {
	case t.failed:
		return 2
	case changed:
		return 1
	}
	return 0
}

type differ struct {
	*task
	o       opts
	context int
}

func (d *differ) pair(a, b string) bool {
	ai, aerr := d.info(a)
	bi, berr := d.info(b)
	if ai && bi && aerr == nil && berr == nil {
		return d.dirs(a, b)
	}
	if ai {
		a = path.Join(a, path.Base(b))
	} else if bi {
		b = path.Join(b, path.Base(a))
	}
	return d.files(a, b)
}

func (d *differ) info(name string) (bool, error) {
	if name == "-" {
		return false, nil
	}
	info, err := d.stat(name)
	return err == nil && info.IsDir(), err
}

func (d *differ) dirs(a, b string) bool {
	names, in := []string{}, map[string]int{}
	for side, dir := range []string{a, b} {
		entries, err := d.FS.ReadDir(d.abs(dir))
		if err != nil {
			d.fail(dir, err)
		}
		for _, e := range entries {
			if in[e.Name()] == 0 {
				names = append(names, e.Name())
			}
			in[e.Name()] |= 1 << side
		}
	}
	sortStrings(names)
	changed := false
	for _, n := range names {
		x, y := path.Join(a, n), path.Join(b, n)
		xd, _ := d.info(x)
		yd, _ := d.info(y)
		switch {
		case in[n] == 1 && !d.o.has('N'):
			d.printf("Only in %s: %s\n", a, n)
			changed = true
		case in[n] == 2 && !d.o.has('N'):
			d.printf("Only in %s: %s\n", b, n)
			changed = true
		case xd && yd:
			if d.o.has('r') {
				changed = d.dirs(x, y) || changed
			} else {
				d.printf("Common subdirectories: %s and %s\n", x, y)
			}
		default:
			changed = d.files(x, y) || changed
		}
	}
	return changed
}

func (d *differ) load(name string) ([]string, bool) {
	data, err := d.readFile(name)
	if err != nil {
		if _, serr := d.stat(name); serr != nil && d.o.has('N') {
			return nil, true
		}
		d.fail(name, err)
		return nil, false
	}
	text := strings.SplitAfter(string(data), "\n")
	if text[len(text)-1] == "" {
		text = text[:len(text)-1]
	}
	return text, true
}

func (d *differ) files(a, b string) bool {
	x, okx := d.load(a)
	y, oky := d.load(b)
	if !okx || !oky {
		return true
	}
	edits := diffLines(x, y, d.equal)
	if len(edits) == 0 {
		if d.o.has('s') {
			d.printf("Files %s and %s are identical\n", a, b)
		}
		return false
	}
	switch {
	case d.o.has('q'):
		d.printf("Files %s and %s differ\n", a, b)
	case d.o.has('u') || d.o.has('U'):
		if d.o.has('r') {
			d.printf("diff -ur %s %s\n", a, b)
		}
		d.unified(a, b, x, y, edits)
	default:
		if d.o.has('r') {
			d.printf("diff -r %s %s\n", a, b)
		}
		d.normal(x, y, edits)
	}
	return true
}

func (d *differ) equal(a, b string) bool {
	switch {
	case d.o.has('w'):
		return strings.Join(strings.Fields(a), "") == strings.Join(strings.Fields(b), "")
	case d.o.has('b'):
		return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
	}
	return a == b
}

// edit replaces x[a:b] by y[c:d].
type edit struct{ a, b, c, d int }

// diffLines finds the edits between two texts: common ends first, then the longest common subsequence of
// what is between, by table; a middle too large for that counts as one edit.
func diffLines(x, y []string, equal func(a, b string) bool) []edit {
	head := 0
	for head < len(x) && head < len(y) && equal(x[head], y[head]) {
		head++
	}
	n, m := len(x), len(y)
	for n > head && m > head && equal(x[n-1], y[m-1]) {
		n, m = n-1, m-1
	}
	if n == head && m == head {
		return nil
	}
	if (n-head)*(m-head) > 25_000_000 {
		return []edit{{head, n, head, m}}
	}
	width := m - head + 1
	table := make([]int32, (n-head+1)*width)
	for i := n - 1; i >= head; i-- {
		for j := m - 1; j >= head; j-- {
			at := (i-head)*width + j - head
			if equal(x[i], y[j]) {
				table[at] = table[at+width+1] + 1
			} else {
				table[at] = max(table[at+width], table[at+1])
			}
		}
	}
	var edits []edit
	for i, j := head, head; i < n || j < m; {
		if i < n && j < m && equal(x[i], y[j]) {
			i, j = i+1, j+1
			continue
		}
		e := edit{i, i, j, j}
		for (i < n || j < m) && !(i < n && j < m && equal(x[i], y[j])) {
			if j == m || i < n && table[(i+1-head)*width+j-head] >= table[(i-head)*width+j+1-head] {
				i++
			} else {
				j++
			}
		}
		e.b, e.d = i, j
		edits = append(edits, e)
	}
	return edits
}

func (d *differ) normal(x, y []string, edits []edit) {
	for _, e := range edits {
		verb := "c"
		switch {
		case e.a == e.b:
			verb = "a"
		case e.c == e.d:
			verb = "d"
		}
		d.printf("%s%s%s\n", lineRange(e.a, e.b), verb, lineRange(e.c, e.d))
		d.some("< ", x[e.a:e.b])
		if verb == "c" {
			d.print("---\n")
		}
		d.some("> ", y[e.c:e.d])
	}
}

// lineRange writes a range as diff does: the line before for an empty one.
func lineRange(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprint(from)
	case 1:
		return fmt.Sprint(from + 1)
	}
	return fmt.Sprintf("%d,%d", from+1, to)
}

func (d *differ) some(mark string, lines []string) {
	for _, l := range lines {
		d.print(mark + l)
		if !strings.HasSuffix(l, "\n") {
			d.print("\n\\ No newline at end of file\n")
		}
	}
}

func (d *differ) unified(a, b string, x, y []string, edits []edit) {
	d.printf("--- %s%s\n+++ %s%s\n", a, d.stamp(a), b, d.stamp(b))
	for len(edits) > 0 {
		n := 1
		for n < len(edits) && edits[n].a-edits[n-1].b <= 2*d.context {
			n++
		}
		group := edits[:n]
		edits = edits[n:]
		first, last := group[0], group[n-1]
		a0, c0 := max(0, first.a-d.context), max(0, first.c-d.context)
		b1, d1 := min(len(x), last.b+d.context), min(len(y), last.d+d.context)
		d.printf("@@ -%s +%s @@\n", hunk(a0, b1), hunk(c0, d1))
		at := a0
		for _, e := range group {
			d.some(" ", x[at:e.a])
			d.some("-", x[e.a:e.b])
			d.some("+", y[e.c:e.d])
			at = e.b
		}
		d.some(" ", x[at:b1])
	}
}

func (d *differ) stamp(name string) string {
	info, err := d.stat(name)
	if err != nil {
		return "\t1970-01-01 00:00:00.000000000 +0000"
	}
	return "\t" + info.ModTime().Format("2006-01-02 15:04:05.000000000 -0700")
}

func hunk(from, to int) string {
	switch to - from {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	}
	return fmt.Sprintf("%d,%d", from+1, to-from)
}
