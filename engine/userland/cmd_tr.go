package userland

import (
	"fmt"
	"io"
	"slices"
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
