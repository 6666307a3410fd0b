package quick

import (
	"strings"
	"testing"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/styles"
)

func kinds(source, language string) map[string]chroma.TokenType {
	out := map[string]chroma.TokenType{}
	for _, t := range tokens(source, language) {
		out[t.text] = t.kind
	}
	return out
}

func TestTokens(t *testing.T) {
	tests := []struct {
		language, source, text string
		want                   chroma.TokenType
	}{
		{"console", "$ docker run -it base\nout", "docker", chroma.NameBuiltin},
		{"console", "$ docker run -it base\nout", "-it", chroma.NameAttribute},
		{"console", "$ docker run\nout if", "out if", chroma.Text},
		{"sh", "echo a | grep b # c", "grep", chroma.NameBuiltin},
		{"sh", "echo a # c", "# c", chroma.Comment},
		{"sh", "echo $HOME", "$HOME", chroma.NameTag},
		{"dockerfile", "FROM base AS b\nRUN rm run", "RUN", chroma.Keyword},
		{"dockerfile", "FROM base\nRUN rm run", "run", chroma.Name},
		{"json", `{"a": "b"}`, `"a"`, chroma.NameTag},
		{"json", `{"a": "b"}`, `"b"`, chroma.LiteralString},
		{"json", `{"a": -1.5}`, "-1.5", chroma.LiteralNumber},
		{"go", "func f() string", "func", chroma.KeywordReserved},
		{"go", "x := `a\\`", "`a\\`", chroma.LiteralString},
		{"cobol", "DIVISION", "DIVISION", chroma.Text},
	}
	for _, test := range tests {
		got, ok := kinds(test.source, test.language)[test.text]
		if !ok || got != test.want {
			t.Errorf("%s %q: token %q is of type %d (found: %t), want %d", test.language, test.source, test.text, got, ok, test.want)
		}
	}
}

func TestHighlight(t *testing.T) {
	styles.Register(chroma.MustNewStyle("test", chroma.StyleEntries{
		chroma.Text: "#ffffff", chroma.Keyword: "#ff0000 bold", chroma.Comment: "#808080",
	}))
	tests := []struct{ language, formatter, style, in, want string }{
		{"dockerfile", "terminal256", "test", "FROM", "\x1b[1;38;5;196mFROM\x1b[0m"},
		{"sh", "terminal256", "test", "# a", "\x1b[38;5;244m# a\x1b[0m"},
		{"", "terminal256", "test", "a\nb", "\x1b[38;5;231ma\x1b[0m\n\x1b[38;5;231mb\x1b[0m"},
		{"sh", "noop", "test", "# a", "# a"},
		{"sh", "terminal256", "unknown", "# a", "# a"},
	}
	for _, test := range tests {
		var b strings.Builder
		if err := Highlight(&b, test.in, test.language, test.formatter, test.style); err != nil {
			t.Fatal(err)
		}
		if b.String() != test.want {
			t.Errorf("Highlight(%q, %s, %s, %s) = %q, want %q", test.in, test.language, test.formatter, test.style, b.String(), test.want)
		}
	}
}

// FuzzTokens keeps the promise that the text itself is never changed.
func FuzzTokens(f *testing.F) {
	for _, language := range []string{"sh", "console", "dockerfile", "json", "go", "other"} {
		f.Add("$ echo \"a\\\" $b ${c # d\n", language)
	}
	f.Fuzz(func(t *testing.T, source, language string) {
		var b strings.Builder
		for _, tok := range tokens(source, language) {
			b.WriteString(tok.text)
		}
		if b.String() != source {
			t.Errorf("tokens of %q join to %q", source, b.String())
		}
	})
}
