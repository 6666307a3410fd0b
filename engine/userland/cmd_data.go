package userland

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
)

func dataTable() []entry {
	return []entry{
		{name: "dd", run: runDd}, {name: "tar", run: runTar}, {name: "gzip", run: runGzip}, {name: "gunzip", run: runGzip}, {name: "zcat", run: runGzip},
		{name: "sha256sum", run: runSum}, {name: "sha1sum", run: runSum}, {name: "sha512sum", run: runSum}, {name: "md5sum", run: runSum},
		{name: "base64", run: runBase64},
	}
}

func runSum(t *task, args []string) int {
	o, ok := t.options(args, "cbtsw", "check=c binary=b text=t status=s quiet=q")
	if !ok {
		return 1
	}
	if o.has('c') {
		t.inputs(o.args, func(_ string, r io.Reader) error { return t.sumCheck(o, r) })
		return t.code()
	}
	t.inputs(o.args, func(name string, r io.Reader) error {
		sum, err := t.sum(r)
		if err == nil {
			t.printf("%s  %s\n", sum, name)
		}
		return err
	})
	return t.code()
}

func (t *task) sum(r io.Reader) (string, error) {
	var h hash.Hash
	switch t.name {
	case "md5sum":
		h = md5.New()
	case "sha1sum":
		h = sha1.New()
	case "sha512sum":
		h = sha512.New()
	default:
		h = sha256.New()
	}
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

func (t *task) sumCheck(o opts, list io.Reader) error {
	bad := 0
	err := t.lines(list, func(line []byte, _ bool) error {
		want, name, ok := strings.Cut(string(line), " ")
		if !ok {
			return nil
		}
		name = strings.TrimLeft(name, " *")
		verdict := "FAILED open or read"
		if f, err := t.open(name); err != nil {
			t.fail(name, err)
		} else {
			got, err := t.sum(f)
			f.Close()
			if verdict = "OK"; err != nil || !strings.EqualFold(got, want) {
				verdict = "FAILED"
			}
		}
		if verdict != "OK" {
			bad++
		}
		if !o.has('s') && (verdict != "OK" || !o.has('q')) {
			t.printf("%s: %s\n", name, verdict)
		}
		return nil
	})
	if bad > 0 {
		t.errorf("WARNING: %d computed checksum did NOT match", bad)
	}
	return err
}

func runBase64(t *task, args []string) int {
	o, ok := t.options(args, "dDw:i", "decode=d wrap=w ignore-garbage=i")
	if !ok {
		return 1
	}
	width := int64(76)
	if v, ok := o.value('w'); ok {
		width = number(v)
	}
	t.inputs(o.args, func(_ string, r io.Reader) error {
		data, err := t.readAll(r)
		if err != nil {
			return err
		}
		if o.has('d') || o.has('D') {
			out, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(data)), ""))
			t.Stdout.Write(out)
			if err != nil {
				t.errorf("invalid input")
			}
			return nil
		}
		text := base64.StdEncoding.EncodeToString(data)
		for width > 0 && int64(len(text)) > width {
			t.print(text[:width] + "\n")
			text = text[width:]
		}
		if text != "" {
			t.print(text)
			if width > 0 {
				t.print("\n")
			}
		}
		return nil
	})
	return t.code()
}

func runStrings(t *task, args []string) int {
	o, ok := t.options(args, "an:", "bytes=n all=a")
	if !ok {
		return 1
	}
	least := 4
	if v, ok := o.value('n'); ok {
		least = int(number(v))
	}
	defer t.buffered()()
	t.inputs(o.args, func(_ string, r io.Reader) error {
		b := bufio.NewReader(r)
		var run []byte
		for {
			c, err := b.ReadByte()
			if err == nil && (c >= ' ' && c < 127 || c == '\t') && len(run) < 1<<20 {
				run = append(run, c)
				continue
			}
			if len(run) >= least {
				t.print(string(run) + "\n")
			}
			run = run[:0]
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	return t.code()
}

func runCmp(t *task, args []string) int {
	o, ok := t.options(args, "sl", "silent=s quiet=s verbose=l")
	if !ok || len(o.args) < 1 || len(o.args) > 2 {
		t.usage("[-s] FILE1 [FILE2]")
		return 2
	}
	names := append(o.args, "-")[:2]
	a, err := t.open(names[0])
	if err != nil {
		t.fail(names[0], err)
		return 2
	}
	defer a.Close()
	b, err := t.open(names[1])
	if err != nil {
		t.fail(names[1], err)
		return 2
	}
	defer b.Close()
	x, y := bufio.NewReader(a), bufio.NewReader(b)
	for at, line := 1, 1; ; at++ {
		p, perr := x.ReadByte()
		q, qerr := y.ReadByte()
		switch {
		case perr != nil && qerr != nil:
			return 0
		case perr != nil || qerr != nil:
			short := names[0]
			if perr == nil {
				short = names[1]
			}
			if !o.has('s') {
				t.errorf("EOF on %s after byte %d, line %d", short, at-1, line)
			}
			return 1
		case p != q:
			if !o.has('s') {
				t.printf("%s %s differ: byte %d, line %d\n", names[0], names[1], at, line)
			}
			return 1
		case p == '\n':
			line++
		}
	}
}

func runHexdump(t *task, args []string) int {
	o, ok := t.options(args, "Cn:s:v", "canonical=C length=n skip=s")
	if !ok {
		return 1
	}
	form := []string{"-A", "x", "-t", "x2"}
	if o.has('C') {
		form = []string{"-C"}
	}
	for letter, flag := range map[byte]string{'n': "-N", 's': "-j"} {
		if v, ok := o.value(letter); ok {
			form = append(form, flag, v)
		}
	}
	return runOd(t, append(append(form, "--"), o.args...))
}

func runOd(t *task, args []string) int {
	o, ok := t.options(args, "A:t:N:j:cxbvC", "address-radix=A format=t read-bytes=N skip-bytes=j")
	if !ok {
		return 1
	}
	var all bytes.Buffer
	t.inputs(o.args, func(_ string, r io.Reader) error { _, err := io.Copy(&counter{t: t, w: &all}, r); return err })
	data, start := all.Bytes(), int64(0)
	if v, ok := o.value('j'); ok {
		start, _ = size(v)
		data = data[min(int(start), len(data)):]
	}
	if v, ok := o.value('N'); ok {
		n, _ := size(v)
		data = data[:min(int(n), len(data))]
	}
	defer t.buffered()()
	last, starred := "", false
	for at := 0; at < len(data); at += 16 {
		row := data[at:min(at+16, len(data))]
		text := odRow(o, row)
		if string(row) == last && len(row) == 16 && !o.has('v') {
			if !starred {
				t.print("*\n")
			}
			starred = true
			continue
		}
		last, starred = string(row), false
		t.print(odAddress(o, start+int64(at)) + text + "\n")
	}
	if end := odAddress(o, start+int64(len(data))); end != "" && (len(data) > 0 || !o.has('C')) {
		t.print(end + "\n")
	}
	return t.code()
}

func odAddress(o opts, at int64) string {
	radix, _ := o.value('A')
	switch {
	case o.has('C'):
		return fmt.Sprintf("%08x", at)
	case radix == "x":
		return fmt.Sprintf("%07x", at)
	case radix == "d":
		return fmt.Sprintf("%07d", at)
	case radix == "n":
		return ""
	}
	return fmt.Sprintf("%07o", at)
}

func odRow(o opts, row []byte) string {
	kind, _ := o.value('t')
	if flag := o.last("cxb"); kind == "" && flag != 0 {
		kind = map[byte]string{'c': "c", 'x': "x2", 'b': "o1"}[flag]
	}
	var b strings.Builder
	switch {
	case o.has('C'):
		for i := range 16 {
			if i%8 == 0 {
				b.WriteByte(' ')
			}
			if i < len(row) {
				fmt.Fprintf(&b, " %02x", row[i])
			} else {
				b.WriteString("   ")
			}
		}
		fmt.Fprintf(&b, "  |%s|", latin(row))
	case strings.HasPrefix(kind, "c"):
		for _, c := range row {
			fmt.Fprintf(&b, " %3s", odChar(c))
		}
	case kind == "x1" || kind == "o1" || kind == "u1" || kind == "d1":
		form := map[byte]string{'x': " %02x", 'o': " %03o", 'u': " %3d", 'd': " %3d"}[kind[0]]
		for _, c := range row {
			fmt.Fprintf(&b, form, c)
		}
	default:
		form := " %06o"
		if strings.HasPrefix(kind, "x") {
			form = " %04x"
		}
		for i := 0; i < len(row); i += 2 {
			word := uint16(row[i])
			if i+1 < len(row) {
				word |= uint16(row[i+1]) << 8
			}
			fmt.Fprintf(&b, form, word)
		}
	}
	return b.String()
}

// latin is bytes as one rune each, those beyond ASCII as dots.
func latin(row []byte) string {
	out := make([]byte, len(row))
	for i, c := range row {
		if out[i] = c; c > 126 || c < ' ' {
			out[i] = '.'
		}
	}
	return string(out)
}

func odChar(c byte) string {
	if at := strings.IndexByte("\x00\a\b\t\n\v\f\r", c); at >= 0 {
		return []string{`\0`, `\a`, `\b`, `\t`, `\n`, `\v`, `\f`, `\r`}[at]
	}
	if c < ' ' || c > 126 {
		return fmt.Sprintf("%03o", c)
	}
	return string(rune(c))
}
