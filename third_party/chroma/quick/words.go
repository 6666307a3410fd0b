package quick

import (
	"strings"

	"github.com/alecthomas/chroma/v2"
)

func shellWord(word string, first bool) chroma.TokenType {
	switch word {
	case "if", "then", "else", "elif", "fi", "for", "in", "do", "done", "while", "until", "case", "esac", "function":
		return chroma.KeywordReserved
	}
	switch {
	case strings.HasPrefix(word, "-"):
		return chroma.NameAttribute
	case first && strings.Contains(word, "="):
		return chroma.NameTag
	case first:
		return chroma.NameBuiltin
	case number(word):
		return chroma.LiteralNumber
	}
	return chroma.Name
}

func dockerWord(word string, first bool) chroma.TokenType {
	switch strings.ToUpper(word) {
	case "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
		"ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR":
		if first {
			return chroma.Keyword
		}
	case "AS":
		return chroma.Keyword
	}
	if number(word) {
		return chroma.LiteralNumber
	}
	if strings.HasPrefix(word, "-") {
		return chroma.NameAttribute
	}
	return chroma.Name
}

func jsonWord(word string, _ bool) chroma.TokenType {
	if word == "true" || word == "false" || word == "null" {
		return chroma.KeywordReserved
	}
	if number(strings.TrimLeft(word, "-")) {
		return chroma.LiteralNumber
	}
	return chroma.Error
}

func goWord(word string, _ bool) chroma.TokenType {
	switch word {
	case "package", "import":
		return chroma.KeywordNamespace
	case "bool", "byte", "error", "float32", "float64", "int", "int8", "int16", "int32", "int64", "rune", "string",
		"uint", "uint8", "uint16", "uint32", "uint64", "uintptr", "any":
		return chroma.KeywordType
	case "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go",
		"goto", "if", "interface", "map", "range", "return", "select", "struct", "switch", "type", "var":
		return chroma.KeywordReserved
	case "nil", "true", "false", "iota":
		return chroma.NameConstant
	case "append", "cap", "clear", "close", "copy", "delete", "len", "make", "max", "min", "new", "panic", "print",
		"println", "recover":
		return chroma.NameBuiltin
	}
	if number(word) {
		return chroma.LiteralNumber
	}
	return chroma.Name
}

func number(word string) bool { return word != "" && '0' <= word[0] && word[0] <= '9' }
