package quick

import (
	"strings"

	"github.com/alecthomas/chroma/v2"
)

type token struct {
	kind chroma.TokenType
	text string
}

// grammar is what tells the known languages apart; the scanner is the same for all.
type grammar struct {
	comment  string                                         // begins a comment that ends with the line
	quotes   string                                         // each of these opens and closes a string
	raw      string                                         // those of quotes that know no backslash
	inWord   string                                         // bytes besides letters and digits that belong to words
	word     func(word string, first bool) chroma.TokenType // first: nothing but space before it in its command
	variable bool                                           // $name and ${name}
	prompt   bool                                           // lines that begin with "$ " are commands, others output
}

func grammarOf(language string) (grammar, bool) {
	switch strings.ToLower(language) {
	case "sh", "bash", "shell", "zsh":
		return grammar{comment: "#", quotes: `"'`, raw: "'", inWord: "_-./:=", word: shellWord, variable: true}, true
	case "console", "shell-session", "sh-session":
		return grammar{comment: "#", quotes: `"'`, raw: "'", inWord: "_-./:=", word: shellWord, variable: true, prompt: true}, true
	case "dockerfile", "docker":
		return grammar{comment: "#", quotes: `"'`, raw: "'", inWord: "_-./:=", word: dockerWord, variable: true}, true
	case "json":
		return grammar{quotes: `"`, inWord: "-+.", word: jsonWord}, true
	case "go", "golang":
		return grammar{comment: "//", quotes: "\"'`", raw: "`", inWord: "_", word: goWord}, true
	}
	return grammar{}, false
}

// tokens cuts source into pieces whose texts, joined, are the source.
func tokens(source, language string) []token {
	g, known := grammarOf(language)
	if !known {
		return []token{{chroma.Text, source}}
	}
	s := scanner{g: g}
	for line := range strings.Lines(source) {
		s.line(line)
	}
	return s.out
}

type scanner struct {
	g    grammar
	out  []token
	open byte // the quote that a line above left open, or 0
}

func (s *scanner) add(kind chroma.TokenType, text string) {
	if text != "" {
		s.out = append(s.out, token{kind, text})
	}
}

func (s *scanner) line(rest string) {
	if s.g.prompt && s.open == 0 {
		command, ok := strings.CutPrefix(rest, "$ ")
		if !ok {
			s.add(chroma.Text, rest)
			return
		}
		s.add(chroma.GenericPrompt, "$ ")
		rest = command
	}
	if s.open != 0 {
		rest = s.quoted(rest, 0)
	}
	for first := true; rest != ""; {
		rest, first = s.next(rest, first)
	}
}

// next takes one token from the front of rest, which is not empty.
func (s *scanner) next(rest string, first bool) (after string, stillFirst bool) {
	c := rest[0]
	switch {
	case s.g.comment != "" && strings.HasPrefix(rest, s.g.comment):
		text := strings.TrimRight(rest, "\n")
		s.add(chroma.Comment, text)
		return rest[len(text):], first
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		n := span(rest, func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' })
		s.add(chroma.Text, rest[:n])
		return rest[n:], first
	case strings.IndexByte(s.g.quotes, c) >= 0:
		s.open = c
		return s.quoted(rest, 1), false
	case s.g.variable && c == '$':
		n := variable(rest)
		s.add(chroma.NameTag, rest[:n])
		return rest[n:], false
	case s.isWord(c):
		n := span(rest, s.isWord)
		s.add(s.g.word(rest[:n], first), rest[:n])
		return rest[n:], false
	case strings.IndexByte("(){}[],;", c) >= 0:
		s.add(chroma.Punctuation, rest[:1])
		return rest[1:], c != ',' && c != ']'
	}
	s.add(chroma.Operator, rest[:1])
	return rest[1:], c == '|' || c == '&'
}

func (s *scanner) isWord(c byte) bool {
	return c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || strings.IndexByte(s.g.inWord, c) >= 0
}

// quoted takes the rest of a string; the first skip bytes are its opening quote. A JSON string before a colon is a key.
func (s *scanner) quoted(rest string, skip int) string {
	escapes := strings.IndexByte(s.g.raw, s.open) < 0
	for i := skip; i < len(rest); i++ {
		if rest[i] == '\\' && escapes {
			i++
			continue
		}
		if rest[i] != s.open {
			continue
		}
		s.open = 0
		kind := chroma.LiteralString
		if s.g.comment == "" && strings.HasPrefix(strings.TrimLeft(rest[i+1:], " \t"), ":") {
			kind = chroma.NameTag
		}
		s.add(kind, rest[:i+1])
		return rest[i+1:]
	}
	s.add(chroma.LiteralString, rest)
	return ""
}

// variable is the length of $name, ${name} or $? at the front of s.
func variable(s string) int {
	if strings.HasPrefix(s, "${") {
		if end := strings.IndexByte(s, '}'); end > 0 {
			return end + 1
		}
		return len("${")
	}
	n := 1 + span(s[1:], func(c byte) bool { return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' })
	if n == 1 && len(s) > 1 && strings.IndexByte("?#@*!$", s[1]) >= 0 {
		n = 2
	}
	return n
}

// span counts the bytes at the front of s that ok accepts.
func span(s string, ok func(byte) bool) int {
	n := 0
	for n < len(s) && ok(s[n]) {
		n++
	}
	return n
}
