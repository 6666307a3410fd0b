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
		return t.lines(r, func(line []byte, _ bool) error {
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

func runRev(t *task, args []string) int {
	defer t.buffered()()
	t.inputs(args, func(_ string, r io.Reader) error {
		return t.lines(r, func(line []byte, _ bool) error {
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
		data, err := t.readAll(r)
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
		return t.lines(r, func(line []byte, _ bool) error {
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
		err := t.lines(r, func(line []byte, _ bool) error { column = append(column, string(line)); return nil })
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
