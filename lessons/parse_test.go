package lessons

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/lessons/expression"
)

const head = "---\nid: one\ntitle: One\n---\n"

func TestParse(t *testing.T) {
	const source = `---
id: one
title: A lesson
needs: [zero]
targets: [M-ONE]
minutes: 5
vars:
  n: rand(4, 9)
---

Before all.

## First

Some *text*.

` + "```file path=dir/Dockerfile.a mode=755\nFROM x\n\n```" + `

` + "```predict id=p kind=choice confidence\nHow many?\n\n- [ ] one\n  or so {M-ONE}\n- [ ] two\n\nkey: |\n  1\nwhy: so\nproof:\n  a: 1 + 1\n```" + `

` + "```console\n$ docker build \\\n  -t a .\n$ cat <<E\n> hello\n> E\n```" + `

Text for the answer.

` + "```evidence id=e kind=path\nWhere?\n\nkey: '\"a\"'\n```" + `

Text for what comes next.

` + "```sh\nnot ours\n```" + `

## Second

` + "```console exit=3\n$ false {{n}}\n```" + `

` + "```check id=c\nsays: it is so\nnow: 1 == 1\nonly: .kind == \"command\"\n```" + `

The end.
`
	got, err := Parse("one/lesson.md", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	want := Lesson{
		Header: Header{
			ID: "one", Title: "A lesson", File: "one/lesson.md", Needs: []string{"zero"}, Targets: []string{"M-ONE"}, Minutes: 5,
			Vars: []Var{{Name: "n", Source: "rand(4, 9)", Line: 8}},
		},
		Sections: []Section{{"First", 13, 1}, {"Second", 58, 3}},
		Steps: []Step{
			{
				Number: 1, Command: "docker build \\\n  -t a .", Line: 37,
				Before: []Block{
					{Line: 11, Prose: "Before all."},
					{Line: 13, Heading: "First"},
					{Line: 15, Prose: "Some *text*."},
					{Line: 17, File: &File{Path: "dir/Dockerfile.a", Content: "FROM x\n\n", Mode: 0o755, Lang: "dockerfile"}},
					{Line: 22, Predict: &Predict{
						ID: "p", Confidence: true, Question: "How many?", Choices: []Choice{{"one or so", "M-ONE"}, {"two", ""}},
						Key: Expr{Source: "1", Line: 29}, Why: "so", Proof: []Proof{{"a", Expr{Source: "1 + 1", Line: 33}}},
					}},
				},
			},
			{
				Number: 2, Command: "cat <<E\nhello\nE", Line: 39,
				After: []Block{
					{Line: 44, Prose: "Text for the answer."},
					{Line: 46, Evidence: &Evidence{ID: "e", Kind: "path", Question: "Where?", Key: Expr{Source: `"a"`, Line: 49}}},
				},
			},
			{
				Number: 3, Section: 1, Command: "false {{n}}", Exit: 3, Line: 61,
				Before: []Block{{Line: 52, Prose: "Text for what comes next.\n\n```sh\nnot ours\n```"}, {Line: 58, Heading: "Second"}},
				After: []Block{{Line: 64, Check: &Check{
					ID: "c", Says: "it is so", Now: Expr{Source: "1 == 1", Line: 66}, Only: Expr{Source: `.kind == "command"`, Line: 67},
				}}},
			},
		},
		Closing: []Block{{Line: 70, Prose: "The end."}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lesson (-want +got):\n%s", diff)
	}
	if err := got.Prove(); err != nil {
		t.Error(err)
	}
}

func TestParseErrors(t *testing.T) {
	const step = "```console\n$ true\n```\n"
	block := func(info, body string) string { return "```" + info + "\n" + body + "\n```\n" }
	tests := []struct{ name, source, want string }{
		{"empty", "", "l.md:1: the file has no front matter"},
		{"no front matter", "# A\n", "l.md:1: the file has no front matter"},
		{"broken front matter", "---\nid: [\n---\n" + step, "expected YAML"},
		{"unknown key", "---\nid: a\ntitle: A\nauthor: me\n---\n" + step, `l.md:4: unknown key "author"; expected id, title`},
		{"id", "---\nid: A b\ntitle: A\n---\n" + step, `l.md:1: the id is "A b"; expected lower-case`},
		{"title", "---\nid: a\n---\n" + step, "l.md:1: the lesson has no title"},
		{"target", "---\nid: a\ntitle: A\ntargets: [x]\n---\n" + step, `l.md:4: target "x" is no misconception`},
		{"no step", head + "Text.\n", "l.md:1: the lesson has no command"},
		{"output in console", head + block("console", "$ echo a\na"), `l.md:7: line "a" of a console block`},
		{"exit", head + block("console exit=x", "$ a"), "l.md:5: exit=x; expected a number"},
		{"attribute", head + block("console name=x", "$ a"), `l.md:5: unknown attribute "name" of a console block`},
		{"quote", head + block(`file path="a`, "a"), "l.md:5: the value of path= has no closing quote"},
		{"path out", head + block("file path=../a", "a") + step, `l.md:5: path="../a"; expected a clean path`},
		{"absolute path", head + block("file path=/a", "a") + step, `path="/a"; expected a clean path`},
		{"mode", head + block("file path=a mode=9", "a") + step, "mode=9; expected octal"},
		{"file without command", head + step + block("file path=a", "a"), "l.md:8: no command follows this block"},
		{"check first", head + block("check id=a", "says: x\nnow: true") + step, "l.md:5: a check before the first command"},
		{"check incomplete", head + step + block("check id=a", "says: x"), "l.md:8: the check is incomplete"},
		{"check key", head + step + block("check id=a", "says: x\nthen: y"), `l.md:10: unknown key "then" of a check`},
		{"id twice", head + step + block("check id=a", "says: x\nnow: true") + block("check id=a", "says: x\nnow: true"), "l.md:12: id=a is taken by line 8"},
		{"no id", head + step + block("check", "says: x\nnow: true"), `l.md:8: id="" of a check block`},
		{"yaml twice", head + step + block("check id=a", "says: x\nsays: y"), `l.md:10: key "says" is there twice`},
		{"one choice", head + block("predict id=a", "Q?\n- [ ] a\nkey: 1\nproof:\n  a: 1") + step, "l.md:5: prediction a has 1 choices"},
		{"no proof", head + block("predict id=a", "Q?\n- [ ] a\n- [ ] b\nkey: 1") + step, "l.md:5: prediction a is incomplete"},
		{"text after choices", head + block("predict id=a", "Q?\n- [ ] a\n- [ ] b\nhm\nkey: 1") + step, `l.md:9: line "hm" after the choices`},
		{"reveals", head + block("predict id=a", "Q?\n- [ ] a {x}\n- [ ] b\nkey: 1") + step, `reveals "x"; expected an id`},
		{"evidence kind", head + step + block("evidence id=a kind=x", "Q?\nkey: 1"), "l.md:8: kind=x of an evidence block"},
		{"evidence key", head + step + block("evidence id=a", "Q?"), "l.md:8: evidence a is incomplete"},
		{"unclosed", head + "```console\n$ true\n", `l.md:5: the block "console" does not end`},
		{"underlined heading", head + "Title\n-----\n" + step, "l.md:5: an underlined heading"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("l.md", []byte(test.source))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v; want %q", err, test.want)
			}
		})
	}
}

func TestProveErrors(t *testing.T) {
	const step = "```console\n$ true\n```\n"
	tests := []struct{ name, source, want string }{
		{"shell", head + "```console\n$ if\n```\n", "l.md:6: the command is no valid shell"},
		{"template", head + "{{name}}\n\n" + step, "l.md:5: template {{name}}: no variable of that name"},
		{"template syntax", head + "{{1 +}}\n\n" + step, "l.md:5: template {{1 +}}: unexpected token"},
		{"draw", "---\nid: a\ntitle: A\nvars:\n  x: rand(9, 4)\n---\n" + step, "l.md:5: variable x: rand(9, 4) has no value"},
		{"field", head + step + "```check id=a\nsays: x\nnow: image(\"a\").sise > 1\n```\n", `l.md:10: expression "image(\"a\").sise > 1"`},
		{"type", head + step + "```check id=a\nsays: x\nnow: 1 + 1\n```\n", "l.md:10: expression"},
		{"vars", head + step + "```check id=a\nsays: x\nnow: vars.x == 1\n```\n", "names vars.x; expected a variable"},
		{"key", head + "```predict id=a\nQ?\n- [ ] a\n- [ ] b\nkey: '\"x\"'\nproof:\n  a: 1\n```\n" + step, "l.md:9: expression"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := Parse("l.md", []byte(test.source))
			if err != nil {
				t.Fatal(err)
			}
			if err = l.Prove(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v; want %q", err, test.want)
			}
		})
	}
}

func TestFind(t *testing.T) {
	all := []Header{{ID: "layers", Title: "What is a layer?", Number: 1}, {ID: "cow", Title: "What copies", Number: 2}, {ID: "layers-more", Number: 3}}
	tests := []struct{ name, want, err string }{
		{"layers", "layers", ""}, {"1", "layers", ""}, {"2", "cow", ""}, {"what is", "layers", ""}, {"COW", "cow", ""},
		{"what", "", `find lesson "what": it may mean layers, cow`},
		{"lay", "", "it may mean layers, layers-more"},
		{"9", "", "there is none"}, {"", "", "there is none"},
	}
	for _, test := range tests {
		got, err := Find(all, test.name)
		if got.ID != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("Find(%q) = %q, %v; want %q, %q", test.name, got.ID, err, test.want, test.err)
		}
	}
}

func TestFill(t *testing.T) {
	values := map[string]any{"n": 4, "s": "x"}
	tests := []struct{ in, want string }{
		{"a {{n}} b {{ s }}{{n + 1}}", "a 4 b x5"},
		{"{{.Size}} {{json .Config}} {{end}} {{n}}", "{{.Size}} {{json .Config}} {{end}} 4"},
		{"{{n", "{{n"}, {"{}}", "{}}"},
	}
	for _, test := range tests {
		if got, err := expression.Fill(test.in, values); got != test.want || err != nil {
			t.Errorf("Fill(%q) = %q, %v; want %q", test.in, got, err, test.want)
		}
	}
}

func TestValues(t *testing.T) {
	l := Lesson{Header: Header{ID: "a", Vars: []Var{{Name: "n", Source: "rand(4, 9)", Line: 1}, {Name: "w", Source: "word()", Line: 2}, {Name: "v", Source: "word()", Line: 3}, {Name: "p", Source: `pick("x", n)`, Line: 4}, {Name: "c", Source: "7", Line: 5}, {Name: "s", Source: "plain", Line: 6}}}}
	first, err := l.Values(3)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := l.Values(3)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same seed gives other values:\n%s", diff)
	}
	if n := first["n"].(int); n < 4 || n > 9 || first["c"] != 7 || first["s"] != "plain" || first["w"] == first["v"] {
		t.Errorf("values are %v", first)
	}
	others := 0
	for seed := range uint64(20) {
		if v, _ := l.Values(seed); v["w"] != first["w"] {
			others++
		}
	}
	if others < 10 {
		t.Errorf("20 seeds gave %d other words", others)
	}
}

// FuzzParse: whatever the file, the parser returns, and its errors name the file and a line of it.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"content/05-layers/lesson.md", "content/07-copy-on-write/lesson.md"} {
		source, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Add([]byte(head + "```console\n$ a\n```"))
	f.Add([]byte("---\n---\n"))
	f.Fuzz(func(t *testing.T, source []byte) {
		l, err := Parse("l.md", source)
		if err == nil {
			for i, s := range l.Steps {
				if s.Number != i+1 || s.Command == "" && !strings.Contains(string(source), "$ ") {
					t.Errorf("step %d is %+v", i+1, s)
				}
			}
			return
		}
		e, ok := err.(*Error)
		if !ok || e.Line < 1 || e.Line > strings.Count(string(source), "\n")+2 {
			t.Errorf("error %T %v; want an *Error at a line of the file", err, err)
		}
	})
}
