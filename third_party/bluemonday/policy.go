// Package bluemonday takes all HTML out of a text. It is not the bluemonday library: there is one policy, the strictest, no
// allow-lists, no CSS, and nothing runs when a process starts. README.md says why it exists.
//
// Invariant: what Sanitize returns holds no "<" and no ">".
package bluemonday

import (
	"html"
	"strings"
)

// Policy says which HTML may stay: none. It keeps nothing between calls and may be shared.
type Policy struct{}

// StrictPolicy returns the policy that lets text through and no element.
func StrictPolicy() *Policy { return &Policy{} }

// Sanitize returns the text of s without elements, comments, declarations, and what browsers do not show (scripts, styles,
// frames). Text is escaped as HTML wants it. An element that is cut off at the end of s goes with all that follows.
func (*Policy) Sanitize(s string) string {
	var out strings.Builder
	for s != "" {
		text, rest, found := cutTag(s)
		out.WriteString(html.EscapeString(html.UnescapeString(text)))
		if !found {
			break
		}
		s = skip(rest)
	}
	return out.String()
}

// cutTag cuts s before the first "<" that begins markup; a "<" before anything else is text (HTML, 13.2.5.6 tag open state).
func cutTag(s string) (text, rest string, found bool) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '<' && (letter(s[i+1]) || strings.IndexByte("!/?", s[i+1]) >= 0) {
			return s[:i], s[i:], true
		}
	}
	return s, "", false
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// skip returns what follows the markup that s begins with.
func skip(s string) string {
	if strings.HasPrefix(s, "<!--") {
		return after(s[len("<!--"):], "-->")
	}
	rest := afterTag(s)
	name := tagName(s[1:])
	if !hidden(name) || strings.HasSuffix(s[:len(s)-len(rest)], "/>") {
		return rest
	}
	for rest != "" {
		_, tag, found := cutTag(rest)
		if !found {
			return ""
		}
		rest = afterTag(tag)
		if strings.HasPrefix(tag, "</") && tagName(tag[2:]) == name {
			return rest
		}
	}
	return ""
}

func after(s, end string) string {
	_, rest, _ := strings.Cut(s, end)
	return rest
}

// afterTag returns what follows the ">" of the tag that s begins with; one inside quotes does not count.
func afterTag(s string) string {
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '>':
			return s[i+1:]
		case (c == '"' || c == '\'') && strings.HasSuffix(strings.TrimRight(s[:i], " \t\r\n"), "="):
			quote = c
		}
	}
	return ""
}

func tagName(s string) string {
	if i := strings.IndexAny(s, " \t\r\n/>"); i >= 0 {
		s = s[:i]
	}
	return strings.ToLower(s)
}

// hidden tells the elements whose content no reader is meant to see.
func hidden(name string) bool {
	switch name {
	case "frame", "frameset", "iframe", "noembed", "noframes", "noscript", "nostyle", "object", "script", "style", "title":
		return true
	}
	return false
}
