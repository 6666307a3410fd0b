package trace

import (
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends e to dst as one JSON object without a line end:
//
//	{"seq":1,"at_ns":0,"span":1,"parent":0,"kind":"build","phase":"begin","attrs":{"context":"."}}
//
// Keys come in this order, attributes in their own. "err" follows when it is not empty. Bytes that are not
// UTF-8 become U+FFFD, as JSON can't hold them.
func AppendJSON(dst []byte, e Event) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, e.Seq, 10)
	dst = append(dst, `,"at_ns":`...)
	dst = strconv.AppendInt(dst, int64(e.At), 10)
	dst = append(dst, `,"span":`...)
	dst = strconv.AppendUint(dst, e.Span, 10)
	dst = append(dst, `,"parent":`...)
	dst = strconv.AppendUint(dst, e.Parent, 10)
	dst = append(dst, `,"kind":`...)
	dst = appendString(dst, e.Kind)
	dst = append(dst, `,"phase":`...)
	dst = appendString(dst, string(e.Phase))
	dst = append(dst, `,"attrs":{`...)
	for i, a := range e.Attrs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, a.Key)
		dst = append(dst, ':')
		dst = appendValue(dst, a.Value)
	}
	dst = append(dst, '}')
	if e.Err != "" {
		dst = append(dst, `,"err":`...)
		dst = appendString(dst, e.Err)
	}
	return append(dst, '}')
}

func appendValue(dst []byte, v Value) []byte {
	switch v.kind {
	case kindString:
		return appendString(dst, v.str)
	case kindInt:
		return strconv.AppendInt(dst, v.num, 10)
	case kindBool:
		return strconv.AppendBool(dst, v.num == 1)
	case kindList:
		dst = append(dst, '[')
		for i, s := range v.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, s)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string. It is here, and not encoding/json, because it runs for every
// event of a traced command and needs no reflection.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' && c != 0x7f {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = appendEscape(append(dst, s[start:i]...), c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
