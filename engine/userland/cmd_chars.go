package userland

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

func runTr(t *task, args []string) int {
	o, ok := t.options(args, "+dscCt", "delete=d squeeze-repeats=s complement=c truncate-set1=t")
	if !ok {
		return 1
	}
	if len(o.args) == 0 || len(o.args) == 1 && !o.has('d') && !o.has('s') {
		return t.errorf("missing operand")
	}
	from, err := charSet(o.args[0])
	if err != nil {
		return t.errorf("%s", err)
	}
	if o.has('c') || o.has('C') {
		from = complement(from)
	}
	var to []byte
	if len(o.args) > 1 {
		if to, err = charSet(o.args[1]); err != nil {
			return t.errorf("%s", err)
		}
	}
	table, drop, squeeze := trTables(o, from, to)
	defer t.buffered()()
	buf, out, last := make([]byte, 32<<10), make([]byte, 0, 32<<10), -1
	for {
		n, err := t.Stdin.Read(buf)
		out = out[:0]
		for _, c := range buf[:n] {
			if drop[c] {
				continue
			}
			c = table[c]
			if squeeze[c] && last == int(c) {
				continue
			}
			out, last = append(out, c), int(c)
		}
		if _, werr := t.Stdout.Write(out); werr != nil {
			return 1
		}
		if err == io.EOF {
			return 0
		}
		if err != nil {
			return t.errorf("read error: %s", reason(err))
		}
	}
}

// trTables are what to make of each byte, which to drop and of which to keep one in a row.
func trTables(o opts, from, to []byte) (table [256]byte, drop, squeeze [256]bool) {
	for i := range table {
		table[i] = byte(i)
	}
	last := from
	switch {
	case o.has('d'):
		for _, c := range from {
			drop[c] = true
		}
		last = to
	case len(to) > 0:
		for i, c := range from {
			if i >= len(to) && o.has('t') {
				break
			}
			table[c] = to[min(i, len(to)-1)]
		}
		last = to
	}
	if o.has('s') {
		for _, c := range last {
			squeeze[c] = true
		}
	}
	return table, drop, squeeze
}

func complement(set []byte) []byte {
	var out []byte
	for i := range 256 {
		if !slices.Contains(set, byte(i)) {
			out = append(out, byte(i))
		}
	}
	return out
}

// charSet expands a-z, [:class:], [c*n] and escapes.
func charSet(s string) ([]byte, error) {
	var out []byte
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], "[:") {
			if end := strings.Index(s[i:], ":]"); end > 0 {
				class := charClass(s[i+2 : i+end])
				if class == nil {
					return nil, fmt.Errorf("invalid character class '%s'", s[i+2:i+end])
				}
				out = append(out, class...)
				i += end + 2
				continue
			}
		}
		c, n := charAt(s[i:])
		i += n
		if i+1 < len(s) && s[i] == '-' {
			end, n := charAt(s[i+1:])
			if end < c {
				return nil, fmt.Errorf("range-endpoints of '%s' are in reverse collating sequence order", s)
			}
			for x := int(c); x <= int(end); x++ {
				out = append(out, byte(x))
			}
			i += 1 + n
			continue
		}
		out = append(out, c)
	}
	return out, nil
}

// charAt is the first character, escapes resolved, and how much of s it takes.
func charAt(s string) (byte, int) {
	if s[0] != '\\' || len(s) == 1 {
		return s[0], 1
	}
	if s[1] >= '0' && s[1] <= '7' {
		v, n := digits(s[1:], 8, 3)
		return byte(v), 1 + n
	}
	if at := strings.IndexByte("abfnrtv", s[1]); at >= 0 {
		return "\a\b\f\n\r\t\v"[at], 2
	}
	return s[1], 2
}

func charClass(name string) []byte {
	in := func(c byte) bool {
		lower, upper, digit := c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
		switch name {
		case "alpha":
			return lower || upper
		case "lower":
			return lower
		case "upper":
			return upper
		case "digit":
			return digit
		case "alnum":
			return lower || upper || digit
		case "space":
			return c == ' ' || c >= '\t' && c <= '\r'
		case "blank":
			return c == ' ' || c == '\t'
		case "punct":
			return c > ' ' && c < 127 && !lower && !upper && !digit
		case "cntrl":
			return c < ' ' || c == 127
		case "print":
			return c >= ' ' && c < 127
		case "graph":
			return c > ' ' && c < 127
		case "xdigit":
			return digit || c|0x20 >= 'a' && c|0x20 <= 'f'
		}
		return false
	}
	var out []byte
	for i := range 256 {
		if in(byte(i)) {
			out = append(out, byte(i))
		}
	}
	return out
}

func runCut(t *task, args []string) int {
	o, ok := t.options(args, "d:f:c:b:sn", "delimiter=d fields=f characters=c bytes=b only-delimited=s output-delimiter=O complement=C")
	if !ok {
		return 1
	}
	list, fields := o.value('f')
	for _, letter := range []byte("cb") {
		if v, ok := o.value(letter); ok {
			list = v
		}
	}
	if list == "" {
		return t.errorf("you must specify a list of bytes, characters, or fields")
	}
	chosen, err := ranges(list)
	if err != nil {
		return t.errorf("%s", err)
	}
	if o.has('C') {
		inner := chosen
		chosen = func(n int) bool { return !inner(n) }
	}
	delim, ok := o.value('d')
	if !ok {
		delim = "\t"
	}
	join, ok := o.value('O')
	if !ok {
		join = delim
	}
	cut := func(line string) (string, bool) { return cutBytes(line, chosen), true }
	if fields {
		cut = func(line string) (string, bool) { return cutFields(line, delim, join, chosen, o.has('s')) }
	}
	defer t.buffered()()
	t.inputs(o.args, func(_ string, r io.Reader) error {
		return lines(r, func(line []byte, _ bool) error {
			if part, ok := cut(string(line)); ok {
				t.print(part + "\n")
			}
			return nil
		})
	})
	return t.code()
}

func cutBytes(line string, chosen func(int) bool) string {
	var out []byte
	for i := range len(line) {
		if chosen(i + 1) {
			out = append(out, line[i])
		}
	}
	return string(out)
}

// cutFields takes fields of a line; a line without the delimiter is whole, or nothing when only says so.
func cutFields(line, delim, join string, chosen func(int) bool, only bool) (string, bool) {
	parts := strings.Split(line, delim)
	if len(parts) == 1 {
		return line, !only
	}
	var out []string
	for i, part := range parts {
		if chosen(i + 1) {
			out = append(out, part)
		}
	}
	return strings.Join(out, join), true
}

// ranges reads a list such as 1,3-5,7-.
func ranges(list string) (func(int) bool, error) {
	type span struct{ from, to int }
	var spans []span
	for item := range strings.SplitSeq(list, ",") {
		a, b, ranged := strings.Cut(item, "-")
		s := span{1, math.MaxInt}
		var err error
		if a != "" {
			s.from, err = strconv.Atoi(a)
		}
		if err == nil && b != "" {
			s.to, err = strconv.Atoi(b)
		}
		if !ranged {
			s.to = s.from
		}
		if err != nil || s.from < 1 || s.to < s.from || item == "-" || item == "" {
			return nil, fmt.Errorf("invalid field range '%s'", item)
		}
		spans = append(spans, s)
	}
	return func(n int) bool {
		return slices.ContainsFunc(spans, func(s span) bool { return n >= s.from && n <= s.to })
	}, nil
}

func runTee(t *task, args []string) int {
	o, ok := t.options(args, "aip", "append=a")
	if !ok {
		return 1
	}
	flag := os.O_TRUNC
	if o.has('a') {
		flag = os.O_APPEND
	}
	outs := []io.Writer{t.Stdout}
	for _, name := range o.args {
		f, err := t.create(name, flag, 0o666)
		if err != nil {
			t.fail(name, err)
			continue
		}
		defer f.Close()
		outs = append(outs, f)
	}
	if _, err := io.Copy(io.MultiWriter(outs...), t.Stdin); err != nil {
		return t.errorf("write error: %s", reason(err))
	}
	return t.code()
}

func runSeq(t *task, args []string) int {
	sep, width, format := "\n", false, ""
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:2], "0123456789.") != "" {
		switch {
		case args[0] == "-w":
			width, args = true, args[1:]
		case (args[0] == "-s" || args[0] == "-f") && len(args) > 1:
			if args[0] == "-s" {
				sep = args[1]
			} else {
				format = args[1]
			}
			args = args[2:]
		case strings.HasPrefix(args[0], "-s"):
			sep, args = args[0][2:], args[1:]
		default:
			return t.errorf("invalid option -- '%s'", args[0][1:])
		}
	}
	if len(args) == 0 || len(args) > 3 {
		return t.usage("[-w] [-s SEP] [-f FORMAT] [FIRST [STEP]] LAST")
	}
	numbers, places := []float64{}, 0
	for _, a := range args {
		v, err := strconv.ParseFloat(a, 64)
		if err != nil {
			return t.errorf("invalid floating point argument: '%s'", a)
		}
		if _, fraction, ok := strings.Cut(a, "."); ok {
			places = max(places, len(fraction))
		}
		numbers = append(numbers, v)
	}
	first, step, last := 1.0, 1.0, numbers[len(numbers)-1]
	if len(numbers) > 1 {
		first = numbers[0]
	}
	if len(numbers) > 2 {
		step = numbers[1]
	}
	if step == 0 {
		return t.errorf("invalid Zero increment value: '%s'", args[1])
	}
	form := func(v float64) string {
		if format != "" {
			return fmt.Sprintf(format, v)
		}
		return strconv.FormatFloat(v, 'f', places, 64)
	}
	pads := 0
	if width {
		pads = max(len(form(first)), len(form(last)))
	}
	return t.sequence(first, step, last, func(v float64) string { return pad(form(v), "0"+strconv.Itoa(pads)) }, sep)
}

// sequence prints numbers with sep between them and a newline after the last.
func (t *task) sequence(first, step, last float64, form func(float64) string, sep string) int {
	defer t.buffered()()
	for i := 0.0; ; i++ {
		v := first + i*step
		if step > 0 && v > last+step*1e-9 || step < 0 && v < last+step*1e-9 {
			if i > 0 {
				t.print("\n")
			}
			return 0
		}
		text := form(v)
		if i > 0 {
			text = sep + text
		}
		if _, err := io.WriteString(t.Stdout, text); err != nil {
			return 1
		}
	}
}

func runRev(t *task, args []string) int {
	defer t.buffered()()
	t.inputs(args, func(_ string, r io.Reader) error {
		return lines(r, func(line []byte, _ bool) error {
			runes := []rune(string(line))
			slices.Reverse(runes)
			t.print(string(runes) + "\n")
			return nil
		})
	})
	return t.code()
}

func runTac(t *task, args []string) int {
	defer t.buffered()()
	t.inputs(args, func(_ string, r io.Reader) error {
		data, err := io.ReadAll(r)
		all := bytes.SplitAfter(data, []byte("\n"))
		for _, line := range slices.Backward(all) {
			t.Stdout.Write(line)
		}
		return err
	})
	return t.code()
}

func runNl(t *task, args []string) int {
	o, ok := t.options(args, "b:w:s:n:v:", "body-numbering=b")
	if !ok {
		return 1
	}
	style, _ := o.value('b')
	n := 0
	defer t.buffered()()
	t.inputs(o.args, func(_ string, r io.Reader) error {
		return lines(r, func(line []byte, _ bool) error {
			if len(line) == 0 && style != "a" {
				t.print("       \n")
				return nil
			}
			n++
			t.printf("%6d\t%s\n", n, line)
			return nil
		})
	})
	return t.code()
}

func runPaste(t *task, args []string) int {
	o, ok := t.options(args, "d:s", "delimiters=d serial=s")
	if !ok {
		return 1
	}
	delims, ok := o.value('d')
	if delims = unescape(delims); !ok || delims == "" {
		delims = "\t"
	}
	var columns [][]string
	t.inputs(o.args, func(_ string, r io.Reader) error {
		var column []string
		err := lines(r, func(line []byte, _ bool) error { column = append(column, string(line)); return nil })
		columns = append(columns, column)
		return err
	})
	join := func(parts []string) {
		for i, p := range parts {
			if i > 0 {
				t.print(string(delims[(i-1)%len(delims)]))
			}
			t.print(p)
		}
		t.print("\n")
	}
	defer t.buffered()()
	if o.has('s') {
		for _, c := range columns {
			join(c)
		}
		return t.code()
	}
	for y := 0; ; y++ {
		row, any := make([]string, len(columns)), false
		for i, c := range columns {
			if y < len(c) {
				row[i], any = c[y], true
			}
		}
		if !any {
			return t.code()
		}
		join(row)
	}
}

func runYes(t *task, args []string) int {
	word := "y"
	if len(args) > 0 {
		word = strings.Join(args, " ")
	}
	block := []byte(strings.Repeat(word+"\n", max(1, 8192/(len(word)+1))))
	for t.ctx.Err() == nil {
		if _, err := t.Stdout.Write(block); err != nil {
			return 1
		}
	}
	return 1
}
