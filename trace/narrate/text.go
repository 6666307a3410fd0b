package narrate

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes a string from outside harmless to print: control characters, escape sequences, characters that
// turn the writing direction and bytes that are not UTF-8 are shown as escapes.
func Clean(s string) string {
	if printable(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[size:]
	}
	return b.String()
}

func printable(s string) bool {
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// Words writes a command line so that a shell would read the same words, made harmless to print.
func Words(argv []string) string {
	quoted := make([]string, len(argv))
	for i, w := range argv {
		quoted[i] = word(w)
	}
	return strings.Join(quoted, " ")
}

func word(w string) string {
	clean := Clean(w)
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("%+,-./:=@_", r)
	}
	if w == "" || strings.ContainsFunc(clean, func(r rune) bool { return !plain(r) }) {
		return "'" + strings.ReplaceAll(clean, "'", `'\''`) + "'"
	}
	return clean
}

// Bytes writes a number of bytes for people: exactly below 10,000, then to three digits in steps of 1000 as docker
// does: 4,096 bytes, 12.3 MB.
func Bytes(n int64) string {
	if n < 10_000 {
		return Count(n, "byte")
	}
	units := [...]string{"kB", "MB", "GB", "TB", "PB", "EB"}
	v, i := float64(n)/1000, 0
	for v >= 999.5 && i < len(units)-1 {
		v /= 1000
		i++
	}
	digits := 0
	switch {
	case v < 9.995:
		digits = 2
	case v < 99.95:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + units[i]
}

// Count writes a number of things: 1 file, 2,000 files. Without a plural the thing's adds s, or ies for a final y.
func Count(n int64, thing ...string) string {
	if n == 1 {
		return "1 " + thing[0]
	}
	if len(thing) > 1 {
		return Number(n) + " " + thing[1]
	}
	if stem, ok := strings.CutSuffix(thing[0], "y"); ok {
		return Number(n) + " " + stem + "ies"
	}
	return Number(n) + " " + thing[0] + "s"
}

// Number writes a number with a comma between thousands.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(s, "-")
	sign := s[:len(s)-len(digits)]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// ShortDigest cuts a digest to what people compare: sha256:1f3c9a0b77d2….
func ShortDigest(d string) string {
	algorithm, hex, ok := strings.Cut(Clean(d), ":")
	if !ok || len(hex) <= 12 {
		return Clean(d)
	}
	return algorithm + ":" + hex[:12] + "…"
}

// ShortID cuts an id, with or without the name of its digest's algorithm, to the 12 characters that docker shows.
func ShortID(id string) string {
	id = Clean(strings.TrimPrefix(id, "sha256:"))
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

// shorten cuts s to at most n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// familiar is the name of an image as docker shows it.
func familiar(full string) string {
	rest := strings.TrimPrefix(full, "docker.io/")
	return strings.TrimPrefix(rest, "library/")
}
