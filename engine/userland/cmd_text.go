package userland

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

func textTable() []entry {
	return []entry{
		{name: "cat", run: runCat}, {name: "echo", run: runEcho}, {name: "printf", run: runPrintf}, {name: "head", run: runHead},
		{name: "tail", run: runTail}, {name: "wc", run: runWc}, {name: "grep", run: runGrep}, {name: "egrep", run: runGrep},
		{name: "fgrep", run: runGrep}, {name: "sed", run: runSed}, {name: "sort", run: runSort}, {name: "uniq", run: runUniq},
		{name: "tr", run: runTr}, {name: "cut", run: runCut}, {name: "tee", run: runTee}, {name: "seq", run: runSeq},
		{name: "more", run: runCat}, {name: "less", run: runCat}, {name: "rev", run: runRev}, {name: "tac", run: runTac},
		{name: "nl", run: runNl}, {name: "paste", run: runPaste}, {name: "diff", run: runDiff}, {name: "cmp", run: runCmp},
		{name: "yes", run: runYes, process: true}, {name: "xargs", run: runXargs}, {name: "od", run: runOd}, {name: "hexdump", run: runHexdump},
		{name: "expr", run: runExpr}, {name: "test", run: runTest}, {name: "[", run: runTest}, {name: "true", run: runTrue},
		{name: "false", run: runFalse}, {name: "strings", run: runStrings},
	}
}

func runTrue(*task, []string) int  { return 0 }
func runFalse(*task, []string) int { return 1 }

func runCat(t *task, args []string) int {
	o, ok := t.options(args, "nbsuvAetETNFRSX", "number=n number-nonblank=b squeeze-blank=s show-all=A")
	if !ok {
		return 1
	}
	if len(o.set) == 0 || t.name != "cat" {
		t.inputs(o.args, func(_ string, r io.Reader) error {
			_, err := io.Copy(t.Stdout, r)
			return err
		})
		return t.code()
	}
	defer t.buffered()()
	number, blank := 0, false
	t.inputs(o.args, func(_ string, r io.Reader) error {
		return t.lines(r, func(line []byte, ended bool) error {
			if o.has('s') && len(line) == 0 && blank {
				return nil
			}
			blank = len(line) == 0
			if o.has('b') && len(line) > 0 || o.has('n') && !o.has('b') {
				number++
				t.printf("%6d\t", number)
			}
			if o.has('v') || o.has('A') || o.has('e') || o.has('t') {
				line = visible(line)
			}
			if o.has('T') || o.has('A') || o.has('t') {
				line = bytes.ReplaceAll(line, []byte("\t"), []byte("^I"))
			}
			t.Stdout.Write(line)
			if o.has('E') || o.has('A') || o.has('e') {
				t.print("$")
			}
			if ended {
				t.print("\n")
			}
			return nil
		})
	})
	return t.code()
}

// visible writes control characters as cat -v does.
func visible(line []byte) []byte {
	var out []byte
	for _, c := range line {
		if c >= 128 {
			out = append(out, "M-"...)
			c -= 128
		}
		switch {
		case c < 32 && c != '\t':
			out = append(out, '^', c+64)
		case c == 127:
			out = append(out, "^?"...)
		default:
			out = append(out, c)
		}
	}
	return out
}

func runEcho(t *task, args []string) int {
	newline, escapes := true, false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:], "neE") == "" {
		for _, c := range args[0][1:] {
			switch c {
			case 'n':
				newline = false
			default:
				escapes = c == 'e'
			}
		}
		args = args[1:]
	}
	s := strings.Join(args, " ")
	if escapes {
		var stop bool
		if s, stop = escape(s, true); stop {
			newline = false
		}
	}
	if newline {
		s += "\n"
	}
	return t.put(s)
}

// unescape replaces backslash escapes.
func unescape(s string) string {
	s, _ = escape(s, false)
	return s
}

// escape replaces backslash escapes; \c ends the text. Octal needs a leading 0 in echo -e and %b.
func escape(s string, zero bool) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, false
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if at := strings.IndexByte("abefnrtv\\", s[i]); at >= 0 {
			b.WriteByte("\a\b\x1b\f\n\r\t\v\\"[at])
			continue
		}
		switch c := s[i]; {
		case c == 'c':
			return b.String(), true
		case c == 'x':
			n, used := digits(s[i+1:], 16, 2)
			if used == 0 {
				b.WriteString(`\x`)
				continue
			}
			b.WriteByte(byte(n))
			i += used
		case c == 'u' || c == 'U':
			n, used := digits(s[i+1:], 16, map[byte]int{'u': 4, 'U': 8}[c])
			b.WriteRune(rune(n))
			i += used
		case c == '0' && zero:
			n, used := digits(s[i+1:], 8, 3)
			b.WriteByte(byte(n))
			i += used
		case c >= '0' && c <= '7' && !zero:
			n, used := digits(s[i:], 8, 3)
			b.WriteByte(byte(n))
			i += used - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// digits reads at most n digits and tells how many it read.
func digits(s string, base, n int) (int64, int) {
	i := 0
	for i < len(s) && i < n {
		if _, err := strconv.ParseInt(s[i:i+1], base, 8); err != nil {
			break
		}
		i++
	}
	v, _ := strconv.ParseInt(s[:i], base, 64)
	return v, i
}

func runWc(t *task, args []string) int {
	o, ok := t.options(args, "lwcmL", "lines=l words=w bytes=c chars=m max-line-length=L")
	if !ok {
		return 1
	}
	if len(o.set) == 0 {
		o.set = []opt{{letter: 'l'}, {letter: 'w'}, {letter: 'c'}}
	}
	var rows [][5]int64
	var names []string
	var total [5]int64
	t.inputs(o.args, func(name string, r io.Reader) error {
		n, err := count(r)
		for i := range n {
			total[i] += n[i]
		}
		if name == "-" && len(o.args) == 0 {
			name = ""
		}
		rows, names = append(rows, n), append(names, name)
		return err
	})
	if len(o.args) > 1 {
		rows, names = append(rows, total), append(names, "total")
	}
	width := 1
	if chosen := len(o.set); chosen > 1 || len(rows) > 1 {
		width = len(strconv.FormatInt(max(total[2], total[0]), 10))
		if len(o.args) == 0 {
			width = 7
		}
	}
	for i, row := range rows {
		line := ""
		for at, letter := range []byte("lwcmL") {
			if o.has(letter) {
				line += fmt.Sprintf(" %*d", width, row[at])
			}
		}
		if names[i] != "" {
			line += " " + names[i]
		}
		t.print(strings.TrimPrefix(line, " ") + "\n")
	}
	return t.code()
}

// count counts lines, words, bytes, characters and the longest line.
func count(r io.Reader) ([5]int64, error) {
	var n [5]int64
	buf := make([]byte, 64<<10)
	inWord, width := false, int64(0)
	for {
		m, err := r.Read(buf)
		n[2] += int64(m)
		for _, c := range buf[:m] {
			if utf8.RuneStart(c) {
				n[3]++
			}
			switch {
			case c == '\n':
				n[0]++
				n[4] = max(n[4], width)
				width, inWord = 0, false
				continue
			case c == ' ' || c >= '\t' && c <= '\r':
				inWord = false
			case !inWord:
				inWord = true
				n[1]++
			}
			width++
		}
		if err != nil {
			n[4] = max(n[4], width)
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
	}
}
