package jsonfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"time"
	"unicode/utf8"
)

// Entry is one object of a log.
type Entry struct {
	Log    []byte // the text, with its newline
	Stream string
	Time   time.Time
	Attrs  map[string]string
}

// Decoder reads entries. What it gives is good until the next call.
type Decoder struct {
	text  []byte
	stamp []byte    // the last time as it was written: neighbours mostly have the same
	time  time.Time // and as it was read
	attrs []byte
	pairs map[string]string
}

// The parts of an object as Log and docker write them.
const (
	beforeText   = `{"log":"`
	beforeStream = `","stream":"`
	beforeAttrs  = `,"attrs":`
	beforeTime   = `,"time":"`
)

// Decode reads the object in line, which may end with a newline. It reports whether line is one: what was torn by a crash is none.
func (d *Decoder) Decode(line []byte, e *Entry) bool {
	return d.scan(line, e) || d.decode(line, e)
}

// scan reads an object that is written as Log writes it. false says nothing: it may be one that is written in another way.
func (d *Decoder) scan(line []byte, e *Entry) bool {
	rest, ok := bytes.CutPrefix(line, []byte(beforeText))
	if !ok {
		return false
	}
	d.text, rest, ok = appendString(d.text[:0], rest)
	if !ok {
		return false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(beforeStream)); !ok {
		return false
	}
	if e.Stream, rest, ok = cutStream(rest); !ok {
		return false
	}
	e.Attrs = nil
	if bytes.HasPrefix(rest, []byte(beforeAttrs)) {
		if e.Attrs, rest, ok = d.scanAttrs(rest[len(beforeAttrs):]); !ok {
			return false
		}
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(beforeTime)); !ok {
		return false
	}
	e.Log = d.text
	e.Time, ok = d.scanTime(rest)
	return ok
}

// cutStream reads the name of a stream and the quote behind it, without making a string of it.
func cutStream(p []byte) (string, []byte, bool) {
	for _, name := range [...]string{"stdout", "stderr"} {
		if n := len(name); len(p) > n && string(p[:n]) == name && p[n] == '"' {
			return name, p[n+1:], true
		}
	}
	return "", nil, false
}

// scanAttrs reads the object that p begins with. Neighbours mostly have the same.
func (d *Decoder) scanAttrs(p []byte) (map[string]string, []byte, bool) {
	if n := len(d.attrs); n > 0 && len(p) > n && bytes.Equal(p[:n], d.attrs) {
		return d.pairs, p[n:], true
	}
	j := json.NewDecoder(bytes.NewReader(p))
	var pairs map[string]string
	if len(p) == 0 || p[0] != '{' || j.Decode(&pairs) != nil {
		return nil, nil, false
	}
	n := j.InputOffset()
	d.attrs, d.pairs = bytes.Clone(p[:n]), pairs
	return pairs, p[n:], true
}

// scanTime reads the time that p begins with and the end of the object.
func (d *Decoder) scanTime(p []byte) (time.Time, bool) {
	p = bytes.TrimSuffix(p, []byte("\n"))
	p, ok := bytes.CutSuffix(p, []byte(`"}`))
	if !ok {
		return time.Time{}, false
	}
	if len(d.stamp) > 0 && bytes.Equal(p, d.stamp) {
		return d.time, true
	}
	var t time.Time
	if t.UnmarshalText(p) != nil {
		return t, false
	}
	d.stamp, d.time = append(d.stamp[:0], p...), t
	return t, true
}

// decode reads an object however it is written.
func (d *Decoder) decode(line []byte, e *Entry) bool {
	var o struct {
		Log    string            `json:"log"`
		Stream string            `json:"stream"`
		Attrs  map[string]string `json:"attrs"`
		Time   time.Time         `json:"time"`
	}
	if json.Unmarshal(line, &o) != nil {
		return false
	}
	*e = Entry{[]byte(o.Log), o.Stream, o.Time, o.Attrs}
	return true
}

// appendString appends the text of the JSON string whose inside p begins with. rest begins with the quote that ends it. It is not ok when
// there is none, or when the string is written in a way that Log does not.
func appendString(out, p []byte) (text, rest []byte, ok bool) {
	for {
		n := unescaped(p)
		out = append(out, p[:n]...)
		if p = p[n:]; len(p) == 0 {
			return nil, nil, false
		}
		size := 1
		switch c := p[0]; {
		case c == '"':
			return out, p, true
		case c == '\\':
			if out, size = appendUnescaped(out, p); size == 0 {
				return nil, nil, false
			}
		case c < 0x20:
			return nil, nil, false
		default:
			r, n := utf8.DecodeRune(p)
			out, size = utf8.AppendRune(out, r), n
		}
		p = p[size:]
	}
}

// unescaped is the length of the begin of p that stands for itself: ASCII without quotes, backslashes and control characters.
func unescaped(p []byte) int {
	n := 0
	for ; n+8 <= len(p); n += 8 {
		w := binary.LittleEndian.Uint64(p[n:])
		if odd := w&highs | below32(w) | zeros(w^'"'*ones) | zeros(w^'\\'*ones); odd != 0 {
			return n + bits.TrailingZeros64(odd)/8
		}
	}
	for ; n < len(p); n++ {
		if c := p[n]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
	}
	return n
}

// appendUnescaped appends what the escape sequence at the begin of p stands for, and tells its length; 0 if it is none that Log writes.
func appendUnescaped(out, p []byte) ([]byte, int) {
	if len(p) < 2 {
		return out, 0
	}
	switch p[1] {
	case 'n':
		return append(out, '\n'), 2
	case '"', '\\', '/':
		return append(out, p[1]), 2
	case 'r':
		return append(out, '\r'), 2
	case 't':
		return append(out, '\t'), 2
	case 'b':
		return append(out, '\b'), 2
	case 'f':
		return append(out, '\f'), 2
	case 'u':
		if r, ok := hexRune(p[2:]); ok {
			return utf8.AppendRune(out, r), 6
		}
	}
	return out, 0
}

// hexRune reads four digits. Halves of a pair (RFC 8259, section 7) are not read here.
func hexRune(p []byte) (rune, bool) {
	if len(p) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range p[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, r < 0xd800 || r > 0xdfff
}
