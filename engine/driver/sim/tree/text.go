package tree

import (
	"errors"
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// encodeText makes any string of bytes one that JSON can hold and a person can read: a percent sign, control characters and bytes that
// are no UTF-8 become %XX.
func encodeText(s string) string {
	return percent(s, func(r rune) bool { return r == '%' || r < 0x20 || r == 0x7f })
}

// percent writes the runes that odd picks, and bytes that are no UTF-8, as %XX.
func percent(s string, odd func(rune) bool) string {
	plain := true
	for _, r := range s {
		if r == utf8.RuneError || odd(r) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || odd(r) {
			for _, c := range []byte(s[i : i+n]) {
				b.WriteByte('%')
				b.WriteByte(hexDigits[c>>4])
				b.WriteByte(hexDigits[c&15])
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// decodeText is the inverse of encodeText.
func decodeText(s string) (string, error) {
	if strings.IndexByte(s, '%') < 0 {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", errors.New("a percent sign is not followed by two hexadecimal digits")
		}
		hi, lo := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if hi < 0 || lo < 0 {
			return "", errors.New("a percent sign is not followed by two hexadecimal digits")
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), nil
}
