package userland

import (
	"bufio"
	"cmp"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// sortKey is one -k: fields and characters from one, end inclusive; 0 for the end of the line.
type sortKey struct {
	field, char       int
	endField, endChar int
	flags             string
}

type sorter struct {
	keys      []sortKey
	separator string
	flags     string
	unique    bool
	stable    bool
}

func runSort(t *task, args []string) int {
	o, ok := t.options(args, "nrufk:t:hgbdiMVszco:mS:T:R", "numeric-sort=n reverse=r unique=u key=k field-separator=t human-numeric-sort=h general-numeric-sort=g ignore-case=f ignore-leading-blanks=b version-sort=V stable=s zero-terminated=z check=c output=o month-sort=M random-sort=R")
	if !ok {
		return 2
	}
	s := sorter{unique: o.has('u'), stable: o.has('s')}
	s.separator, _ = o.value('t')
	for _, f := range o.set {
		if strings.IndexByte("nrfhgbdMV", f.letter) >= 0 {
			s.flags += string(f.letter)
		}
	}
	for _, text := range o.values('k') {
		k, ok := parseKey(text, s.flags)
		if !ok {
			t.errorf("invalid key: '%s'", text)
			return 2
		}
		s.keys = append(s.keys, k)
	}
	var all []string
	delim := byte('\n')
	if o.has('z') {
		delim = 0
	}
	t.inputs(o.args, func(_ string, r io.Reader) error {
		b := bufio.NewReaderSize(r, 64<<10)
		for {
			line, err := t.readLine(b, delim)
			if len(line) > 0 {
				all = append(all, strings.TrimSuffix(string(line), string(rune(delim))))
				if err := t.grow(int64(len(line)) + 16); err != nil {
					return err
				}
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	if t.failed {
		return 2
	}
	if o.has('c') {
		return t.sortCheck(s, all)
	}
	slices.SortStableFunc(all, s.compare)
	return t.sortWrite(o, s, all, delim)
}

func (t *task) sortCheck(s sorter, all []string) int {
	for i := 1; i < len(all); i++ {
		if c := s.compare(all[i-1], all[i]); c > 0 || c == 0 && s.unique {
			return t.errorf("-:%d: disorder: %s", i+1, all[i])
		}
	}
	return 0
}

func (t *task) sortWrite(o opts, s sorter, all []string, delim byte) int {
	if s.unique {
		all = slices.CompactFunc(all, func(a, b string) bool { return s.byKeys(a, b) == 0 })
	}
	if name, ok := o.value('o'); ok {
		text := strings.Join(all, string(rune(delim)))
		if len(all) > 0 {
			text += string(rune(delim))
		}
		if err := t.writeFile(name, []byte(text), 0o666); err != nil {
			t.errorf("open failed: %s: %s", name, reason(err))
			return 2
		}
		return 0
	}
	defer t.buffered()()
	for _, line := range all {
		if t.broken {
			break
		}
		t.print(line)
		t.print(string(rune(delim)))
	}
	return 0
}

// parseKey reads F[.C][OPTS][,F[.C][OPTS]].
func parseKey(s, global string) (sortKey, bool) {
	k := sortKey{char: 1}
	start, end, hasEnd := strings.Cut(s, ",")
	part := func(s string) (field, char int, flags string, ok bool) {
		digits := strings.TrimRight(s, "nrfhgbdMVi")
		flags = s[len(digits):]
		f, c, dotted := strings.Cut(digits, ".")
		field, err := strconv.Atoi(f)
		if dotted {
			var cerr error
			char, cerr = strconv.Atoi(c)
			ok = cerr == nil
		} else {
			ok = true
		}
		return field, char, flags, ok && err == nil && field >= 0 && char >= 0
	}
	field, char, flags, ok := part(start)
	if !ok || field == 0 {
		return k, false
	}
	k.field, k.char, k.flags = field, max(char, 1), flags
	if hasEnd {
		if k.endField, k.endChar, flags, ok = part(end); !ok {
			return k, false
		}
		k.flags += flags
	}
	if k.flags == "" {
		k.flags = global
	}
	return k, true
}

// compare orders by the keys, and in the end by the whole line.
func (s sorter) compare(a, b string) int {
	c := s.byKeys(a, b)
	if c == 0 && !s.unique && !s.stable {
		c = strings.Compare(a, b)
		if strings.Contains(s.flags, "r") {
			c = -c
		}
	}
	return c
}

func (s sorter) byKeys(a, b string) int {
	if len(s.keys) == 0 {
		return compareAs(s.flags, a, b)
	}
	for _, k := range s.keys {
		if c := compareAs(k.flags, s.part(k, a), s.part(k, b)); c != 0 {
			return c
		}
	}
	return 0
}

// part is what a key takes of a line.
func (s sorter) part(k sortKey, line string) string {
	starts, ends := s.fields(line)
	if k.field > len(starts) {
		return ""
	}
	from := starts[k.field-1]
	if strings.Contains(k.flags, "b") {
		for from < len(line) && (line[from] == ' ' || line[from] == '\t') {
			from++
		}
	}
	from = min(from+k.char-1, len(line))
	to := len(line)
	if k.endField > 0 && k.endField <= len(ends) {
		to = ends[k.endField-1]
		if k.endChar > 0 {
			to = min(starts[k.endField-1]+k.endChar, len(line))
		}
	}
	return line[from:max(from, to)]
}

// fields finds where fields begin and end; without a separator each begins with the blanks before it.
func (s sorter) fields(line string) (starts, ends []int) {
	if s.separator != "" {
		at := 0
		for {
			i := strings.Index(line[at:], s.separator)
			starts = append(starts, at)
			if i < 0 {
				return starts, append(ends, len(line))
			}
			ends = append(ends, at+i)
			at += i + len(s.separator)
		}
	}
	for i := 0; i < len(line); {
		starts = append(starts, i)
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		for i < len(line) && line[i] != ' ' && line[i] != '\t' {
			i++
		}
		ends = append(ends, i)
	}
	return starts, ends
}

func compareAs(flags, a, b string) int {
	c := 0
	switch {
	case strings.ContainsAny(flags, "ng"):
		c = cmp.Compare(leadingNumber(a), leadingNumber(b))
	case strings.Contains(flags, "h"):
		c = cmp.Compare(humanNumber(a), humanNumber(b))
	case strings.Contains(flags, "V"):
		c = compareVersions(a, b)
	case strings.Contains(flags, "M"):
		c = cmp.Compare(month(a), month(b))
	case strings.Contains(flags, "f"):
		c = strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
	default:
		if strings.Contains(flags, "b") {
			a, b = strings.TrimLeft(a, " \t"), strings.TrimLeft(b, " \t")
		}
		c = strings.Compare(a, b)
	}
	if strings.Contains(flags, "r") {
		return -c
	}
	return c
}

// leadingNumber is the number that a string begins with, or 0.
func leadingNumber(s string) float64 {
	s = strings.TrimLeft(s, " \t")
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.' || i == 0 && s[i] == '-') {
		i++
	}
	f, _ := strconv.ParseFloat(s[:i], 64)
	return f
}

func humanNumber(s string) float64 {
	s = strings.TrimLeft(s, " \t")
	f := leadingNumber(s)
	if rest := strings.TrimLeft(s, "-0123456789."); rest != "" {
		for range strings.IndexByte("KMGTPE", rest[0]&^0x20) + 1 {
			f *= 1024
		}
	}
	return f
}

func month(s string) int {
	s = strings.ToUpper(strings.TrimLeft(s, " \t"))
	if len(s) < 3 {
		return 0
	}
	return strings.Index("   JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", s[:3]) / 3
}

// compareVersions compares runs of digits as numbers.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		x, y := strings.TrimLeft(a, "0123456789"), strings.TrimLeft(b, "0123456789")
		if len(x) < len(a) && len(y) < len(b) {
			p, q := strings.TrimLeft(a[:len(a)-len(x)], "0"), strings.TrimLeft(b[:len(b)-len(y)], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), strings.Compare(p, q)); c != 0 {
				return c
			}
			a, b = x, y
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func runUniq(t *task, args []string) int {
	o, ok := t.options(args, "cduif:s:w:", "count=c repeated=d unique=u ignore-case=i skip-fields=f skip-chars=s check-chars=w")
	if !ok {
		return 1
	}
	if len(o.args) > 1 {
		f, err := t.create(o.args[1], os.O_TRUNC, 0o666)
		if err != nil {
			return t.fail(o.args[1], err)
		}
		defer f.Close()
		t.Stdout = f
	}
	defer t.buffered()()
	last, count := "", 0
	show := func() {
		if count == 0 || o.has('d') && count < 2 || o.has('u') && count > 1 {
			return
		}
		if o.has('c') {
			t.printf("%7d ", count)
		}
		t.print(last + "\n")
	}
	t.inputs(o.args[:min(1, len(o.args))], func(_ string, r io.Reader) error {
		return t.lines(r, func(line []byte, _ bool) error {
			if s := string(line); count > 0 && uniqKey(o, s) == uniqKey(o, last) {
				count++
			} else {
				show()
				last, count = s, 1
			}
			return nil
		})
	})
	show()
	return t.code()
}

// uniqKey is the part of a line that uniq compares.
func uniqKey(o opts, s string) string {
	if n, ok := o.value('f'); ok {
		for range min(number(n), int64(len(s))) {
			s = strings.TrimLeft(s, " \t")
			s = strings.TrimLeftFunc(s, func(r rune) bool { return r != ' ' && r != '\t' })
		}
	}
	if n, ok := o.value('s'); ok {
		s = s[min(int(number(n)), len(s)):]
	}
	if n, ok := o.value('w'); ok {
		s = s[:min(int(number(n)), len(s))]
	}
	if o.has('i') {
		s = strings.ToLower(s)
	}
	return s
}
