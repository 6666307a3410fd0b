package jsonfile

import (
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// each has b in every byte of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// zeros marks, by their highest bit, the bytes of w that are zero. A byte above one that is zero may be marked wrongly; the lowest mark is right.
func zeros(w uint64) uint64 { return (w - ones) &^ w & highs }

// below32 marks the bytes of w that are below 0x20, as zeros does.
func below32(w uint64) uint64 { return (w - 0x20*ones) &^ w & highs }

// plain is the length of the begin of p that stands for itself in a JSON string: no quote, backslash, control character, nor anything
// beyond ASCII, nor what docker escapes besides: < > &. It looks at eight bytes at a time.
func plain(p []byte) int {
	n := 0
	for ; n+8 <= len(p); n += 8 {
		w := binary.LittleEndian.Uint64(p[n:])
		// " and & differ in one bit, and so do < and >.
		odd := w&highs | below32(w) | zeros((w|0x04*ones)^0x26*ones) | zeros((w|0x02*ones)^0x3e*ones) | zeros(w^'\\'*ones)
		if odd != 0 {
			return n + bits.TrailingZeros64(odd)/8
		}
	}
	for ; n < len(p); n++ {
		if c := p[n]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			break
		}
	}
	return n
}

// appendText appends p as the inside of a JSON string, as encoding/json would write it.
func appendText(out, p []byte) []byte {
	for {
		n := plain(p)
		out = append(out, p[:n]...)
		if p = p[n:]; len(p) == 0 {
			return out
		}
		if p[0] < utf8.RuneSelf {
			out = appendEscaped(out, p[0])
			p = p[1:]
			continue
		}
		r, size := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\ufffd`...)
		case r == '\u2028' || r == '\u2029': // JavaScript takes them for line ends
			out = append(out, `\u202`...)
			out = append(out, hexDigits[r&0xf])
		default:
			out = append(out, p[:size]...)
		}
		p = p[size:]
	}
}

const hexDigits = "0123456789abcdef"

func appendEscaped(out []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(out, '\\', 'n')
	case '"', '\\':
		return append(out, '\\', c)
	case '\r':
		return append(out, '\\', 'r')
	case '\t':
		return append(out, '\\', 't')
	case '\b':
		return append(out, '\\', 'b')
	case '\f':
		return append(out, '\\', 'f')
	}
	return append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// appendAttrs appends attributes as a member of an object that has others before it; nothing if there are none.
func appendAttrs(out []byte, attrs map[string]string) []byte {
	if len(attrs) == 0 {
		return out
	}
	out = append(out, `,"attrs":{`...)
	for i, k := range slices.Sorted(maps.Keys(attrs)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(append(out, '"'), []byte(k)), `":"`...)
		out = append(appendText(out, []byte(attrs[k])), '"')
	}
	return append(out, '}')
}
