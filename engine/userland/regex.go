package userland

import (
	"errors"
	"regexp"
	"strings"
)

// translate compiles a POSIX pattern, extended or basic (with GNU's \+ \? \| ), by Go's engine.
// Back references inside patterns are refused: that engine has none.
func translate(pattern string, extended, fold bool) (*regexp.Regexp, error) {
	text, err := toGo(pattern, extended)
	if err != nil {
		return nil, err
	}
	flags := "(?s)"
	if fold {
		flags = "(?si)"
	}
	re, err := regexp.Compile(flags + text)
	if err != nil {
		return nil, errors.New("invalid regular expression '" + pattern + "'")
	}
	re.Longest()
	return re, nil
}

// toGo rewrites a POSIX pattern in Go's syntax.
func toGo(p string, extended bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '[':
			n, text, err := bracket(p[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			i += n - 1
		case c == '\\':
			if i++; i == len(p) {
				return "", errors.New("trailing backslash")
			}
			if err := escaped(&b, p[i], extended); err != nil {
				return "", err
			}
		case !extended && strings.IndexByte("(){}+?|", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '*' && atStart(p[:i], extended):
			b.WriteString(`\*`)
		case !extended && c == '^' && i > 0 && !atStart(p[:i], false):
			b.WriteString(`\^`)
		case !extended && c == '$' && i+1 < len(p) && !strings.HasPrefix(p[i+1:], `\)`) && !strings.HasPrefix(p[i+1:], `\|`):
			b.WriteString(`\$`)
		case extended && c == '{' && !interval(p[i:]):
			b.WriteString(`\{`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// atStart tells whether what comes after before is the first of its branch, where * is itself.
func atStart(before string, extended bool) bool {
	if extended {
		return before == "" || strings.HasSuffix(before, "(") || strings.HasSuffix(before, "|")
	}
	return before == "" || before == "^" || strings.HasSuffix(before, `\(`) || strings.HasSuffix(before, `\|`) || strings.HasSuffix(before, `\(^`)
}

// interval tells whether s begins with {n}, {n,} or {n,m}.
func interval(s string) bool {
	end := strings.IndexByte(s, '}')
	return end > 1 && s[1] != ',' && strings.Trim(s[1:end], "0123456789,") == ""
}

// escaped writes what a backslash and c mean.
func escaped(b *strings.Builder, c byte, extended bool) error {
	switch {
	case c >= '1' && c <= '9':
		return errors.New("back references in a pattern are not supported")
	case strings.IndexByte("(){}+?|", c) >= 0:
		if extended {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	case c == '<' || c == '>':
		b.WriteString(`\b`)
	case strings.IndexByte("wWsSbB", c) >= 0:
		b.WriteByte('\\')
		b.WriteByte(c)
	case c == 'n':
		b.WriteString(`\n`)
	case c == 't':
		b.WriteString(`\t`)
	case c == '`':
		b.WriteString(`\A`)
	case c == '\'':
		b.WriteString(`\z`)
	default:
		b.WriteString(regexp.QuoteMeta(string(rune(c))))
	}
	return nil
}

// bracket rewrites the bracket expression that s begins with and tells its length. In POSIX a backslash
// is an ordinary character there and ] is one when it comes first.
func bracket(s string) (int, string, error) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(s) && s[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(s); first = false {
		c := s[i]
		switch {
		case c == ']' && !first:
			b.WriteByte(']')
			return i + 1, b.String(), nil
		case c == '[' && i+1 < len(s) && strings.IndexByte(":.=", s[i+1]) >= 0:
			end := strings.Index(s[i+2:], string(s[i+1])+"]")
			if end < 0 {
				return 0, "", errors.New("unmatched [")
			}
			name := s[i+2 : i+2+end]
			if s[i+1] == ':' {
				b.WriteString("[:" + name + ":]")
			} else {
				b.WriteString(regexp.QuoteMeta(name))
			}
			i += end + 4
			continue
		case c == '\\' && i+1 < len(s) && (s[i+1] == 'n' || s[i+1] == 't'):
			b.WriteString(s[i : i+2])
			i += 2
			continue
		case c == '\\' || c == '[' || c == ']':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '-' && (first || i+1 < len(s) && s[i+1] == ']'):
			b.WriteString(`\-`)
		default:
			b.WriteByte(c)
		}
		i++
	}
	return 0, "", errors.New("unmatched [")
}
