package exercises

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/expression"
)

const (
	sampleHead  = "---\nid: one\ntitle: One\nafter: zero\nvars:\n  n: rand(4, 9)\n---\n"
	sampleCheck = "```check id=c\nsays: it is so\nnow: 1 == 1\n```\n"
	sampleHints = "```hints\n- look\n- think\n- computed\n- solution\n```\n"
	sample      = sampleHead + "Do it {{n}} times.\n\n" + sampleCheck + "\n" + sampleHints
)

// folder is an exercise with that exercise.md and what else it needs; more files come in pairs of name and content.
func folder(source string, more ...string) fstest.MapFS {
	fsys := fstest.MapFS{
		"exercise.md":          {Data: []byte(source)},
		"solution/commands.sh": {Data: []byte("docker solve\n")},
		"wrong/M-A/answer.txt": {Data: []byte("a\n")},
		"wrong/M-B/answer.txt": {Data: []byte("b {{n}}\n")},
	}
	for i := 0; i+1 < len(more); i += 2 {
		fsys[more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
	}
	return fsys
}

func TestParse(t *testing.T) {
	const source = `---
id: one
title: One thing
after: zero
points: 3
minutes: 9
limits: true
vars:
  n: rand(4, 9)
---

The task.

## A part

` + "```sh\nnot ours\n```" + `

` + "```check id=first" + `
says: it is so
run: |
  docker look
now: code == 0
ever: seq > 1
only: .kind != "image.remove"
proof:
  what: output
  why: code
event: find(history, .kind == "command")
file: '"./answer.txt"'
diagnose:
  - when: code == 1
    tag: M-A
    says: It is ((code)).
    event: find(done, true)
    file: '"x"'
` + "```" + `

` + sampleHints
	got, err := Parse(folder(source, "setup/a/b.txt", "text\n", "setup/run", "#!/bin/sh\n", "setup/commands.sh", "docker begin\n"), "07-one")
	if err != nil {
		t.Fatal(err)
	}
	want := Exercise{
		Header: Header{
			ID: "one", Title: "One thing", Number: 7, Path: "07-one/exercise.md", After: "zero", Points: 3, Minutes: 9, Limits: true,
			Vars: []expression.Var{{Name: "n", Source: "rand(4, 9)", Line: 9}},
		},
		Text: []Text{{12, "The task."}, {14, "## A part"}, {16, "```sh\nnot ours\n```"}},
		Checks: []Check{{
			ID: "first", Says: "it is so", Line: 20, Run: "docker look\n",
			Now: expression.Expr{Source: "code == 0", Line: 24}, Ever: expression.Expr{Source: "seq > 1", Line: 25},
			Only:  expression.Expr{Source: `.kind != "image.remove"`, Line: 26},
			Proof: []Proof{{"what", expression.Expr{Source: "output", Line: 28}}, {"why", expression.Expr{Source: "code", Line: 29}}},
			Event: expression.Expr{Source: `find(history, .kind == "command")`, Line: 30},
			File:  expression.Expr{Source: `"./answer.txt"`, Line: 31},
			Diagnose: []Diagnosis{{
				When: expression.Expr{Source: "code == 1", Line: 33}, Tag: "M-A", Says: "It is ((code)).",
				Event: expression.Expr{Source: "find(done, true)", Line: 36}, File: expression.Expr{Source: `"x"`, Line: 37},
			}},
		}},
		Hints:    []Hint{{Text: "look"}, {Text: "think"}, {Computed: true}, {Solution: true}},
		Setup:    Attempt{Name: "setup", Files: []File{{"a/b.txt", "text\n", 0o644}, {"run", "#!/bin/sh\n", 0o755}}, Do: "docker begin\n"},
		Solution: Attempt{Name: "solution", Do: "docker solve\n"},
		Wrong: []Attempt{
			{Name: "M-A", Files: []File{{"answer.txt", "a\n", 0o644}}},
			{Name: "M-B", Files: []File{{"answer.txt", "b {{n}}\n", 0o644}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("parsed (-want +got):\n%s", d)
	}
}

func TestParseErrors(t *testing.T) {
	check := func(body string) string {
		return sampleHead + "Text.\n\n```check id=c\n" + body + "```\n" + sampleHints
	}
	cases := map[string]struct {
		source string
		want   []string // parts of the message
	}{
		"no id":              {strings.Replace(sample, "id: one\n", "", 1), []string{"the id is \"\"", "lower-case"}},
		"id in capitals":     {strings.Replace(sample, "id: one", "id: One", 1), []string{`the id is "One"`}},
		"no title":           {strings.Replace(sample, "title: One\n", "", 1), []string{"no title"}},
		"no lesson":          {strings.Replace(sample, "after: zero\n", "", 1), []string{"names no lesson", "after:"}},
		"no points":          {strings.Replace(sample, "after: zero", "after: zero\npoints: 0", 1), []string{"points: 0"}},
		"unknown header":     {strings.Replace(sample, "after: zero", "after: zero\ncolour: red", 1), []string{"5", `unknown key "colour"`, "points"}},
		"variable is a list": {strings.Replace(sample, "rand(4, 9)", "[4, 9]", 1), []string{"6", `variable "n" is no plain value`}},
		"no text":            {sampleHead + sampleCheck + sampleHints, []string{"no text"}},
		"no check":           {sampleHead + "Text.\n\n" + sampleHints, []string{"no check"}},
		"no hints":           {sampleHead + "Text.\n\n" + sampleCheck, []string{"no hints"}},
		"two of one id":      {sample + sampleCheck, []string{"id=c is taken by line 10", "its own"}},
		"check without id":   {strings.Replace(sample, " id=c", "", 1), []string{`id=""`}},
		"unknown attribute":  {strings.Replace(sample, "id=c", "id=c size=3", 1), []string{"size"}},
		"nothing to hold":    {check("says: so\n"), []string{"incomplete", "now:"}},
		"says nothing":       {check("now: true\n"), []string{"incomplete", "says:"}},
		"unknown key":        {check("says: so\nnow: true\nthen: true\n"), []string{":13:", `unknown key "then"`, "diagnose"}},
		"diagnose no list":   {check("says: so\nnow: true\ndiagnose:\n  when: true\n"), []string{"no list", "- when:"}},
		"diagnosis half":     {check("says: so\nnow: true\ndiagnose:\n  - when: true\n    says: so\n"), []string{"incomplete", "M-LAYER-COPY"}},
		"diagnosis unknown":  {check("says: so\nnow: true\ndiagnose:\n  - if: true\n"), []string{`unknown key "if"`}},
		"bad yaml":           {check("says: [so\n"), []string{"exercise.md"}},
		"three rungs":        {strings.Replace(sample, "- think\n", "", 1), []string{"four rungs"}},
		"rungs out of order": {strings.Replace(sample, "- computed\n- solution", "- solution\n- computed", 1), []string{"four rungs"}},
		"two ladders":        {sample + sampleHints, []string{"second hints block"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(folder(c.source), "01-one")
			var at *Error
			if !errors.As(err, &at) {
				t.Fatalf("error is %v; expected one with a line", err)
			}
			for _, part := range append(c.want, "01-one/exercise.md") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error is %q; expected it to have %q", err, part)
				}
			}
		})
	}
}

func TestParseErrorsOfAttempts(t *testing.T) {
	cases := map[string]struct {
		change func(fstest.MapFS)
		want   string
	}{
		"no exercise.md": {func(f fstest.MapFS) { delete(f, "exercise.md") }, "read exercise 01-one"},
		"no solution":    {func(f fstest.MapFS) { delete(f, "solution/commands.sh") }, "has no solution"},
		"nothing wrong":  {func(f fstest.MapFS) { delete(f, "wrong/M-A/answer.txt"); delete(f, "wrong/M-B/answer.txt") }, "no folder wrong"},
		"wrong name":     {func(f fstest.MapFS) { f["wrong/cow/x"] = &fstest.MapFile{} }, "wrong/cow is no misconception"},
		"a large file":   {func(f fstest.MapFS) { f["setup/x"] = &fstest.MapFile{Data: make([]byte, maxFile+1)} }, "setup/x is no regular file of at most"},
	}
	for name, c := range cases {
		f := folder(sample)
		c.change(f)
		if _, err := Parse(f, "01-one"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v; expected %q", name, err, c.want)
		}
	}
}

// FuzzParse asks that no file can upset the parser, and that what it takes can be filled and proven without an engine.
func FuzzParse(f *testing.F) {
	f.Add(sample, "docker {{n}}\n")
	f.Add(strings.Replace(sample, "now: 1 == 1", "now: ((\ndiagnose:\n  - when: x\n    tag: M-A\n    says: ((y))", 1), "#!/bin/sh\n")
	f.Add("---\n", "{{")
	f.Add(sampleHead+"```check id=c\n```", "")
	f.Fuzz(func(t *testing.T, source, file string) {
		x, err := Parse(folder(source, "setup/file", file), "03-x")
		if err != nil {
			return
		}
		if x.ID == "" || x.After == "" || len(x.Checks) == 0 || len(x.Hints) < 4 || len(x.Wrong) == 0 {
			t.Errorf("parsed without an error: %+v; expected all that an exercise must have", x)
		}
		if _, err := x.Task(1); err != nil {
			return
		}
		_ = x.Prove(nil, nil)
	})
}

func TestProveFindsFaults(t *testing.T) {
	course := []lessons.Header{{ID: "zero", Title: "Zero"}}
	catalogue := map[string]lessons.Misconception{"M-A": {ID: "M-A"}, "M-B": {ID: "M-B"}}
	told := strings.Replace(sample, "now: 1 == 1\n", `now: vars.n > 1
diagnose:
  - when: code == 1
    tag: M-A
    says: It is ((code)).
  - when: code == 2
    tag: M-B
    says: It is so.
`, 1)
	if x, err := Parse(folder(told), "01-one"); err != nil || x.Prove(course, catalogue) != nil {
		t.Fatalf("errors are %v and %v; expected a sound exercise", err, x.Prove(course, catalogue))
	}
	cases := map[string][3]string{ // what is replaced by what, and what is said
		"no such lesson":      {"after: zero", "after: nowhere", "after: nowhere names no lesson"},
		"no such belief":      {"tag: M-A", "tag: M-C", "M-C is not in the catalogue"},
		"never diagnosed":     {"tag: M-A", "tag: M-B", "wrong/M-A has no diagnosis"},
		"no expression":       {"code == 1", "code ==", `expression "code =="`},
		"no truth":            {"code == 1", "code", `expression "code"`},
		"no such variable":    {"vars.n", "vars.m", "names vars.m"},
		"faulty computation":  {"((code))", "((cod))", `expression "cod"`},
		"faulty template":     {"{{n}}", "{{m}}", "{{m}}"},
		"a range upside down": {"rand(4, 9)", "rand(9, 4)", "variable n"},
		"faulty script":       {"now: vars.n", "run: if\nnow: vars.n", "run: of check c is no valid shell"},
	}
	for name, c := range cases {
		x, err := Parse(folder(strings.Replace(told, c[0], c[1], 1)), "01-one")
		if err != nil {
			t.Fatal(name, err)
		}
		if err := x.Prove(course, catalogue); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: error is %v; expected %q", name, err, c[2])
		}
	}
}

func TestTaskFillsEverythingByItsSeed(t *testing.T) {
	source := strings.NewReplacer("says: it is so", "says: it is {{n}}", "now: 1 == 1", "run: docker {{n}}\nnow: true\nproof:\n  of {{n}}: code", "- look", "- look at {{n}} and {{.Id}}").Replace(sample)
	x, err := Parse(folder(source, "setup/{{n}}.txt", "{{n * 2}} {{json .Config}}\n"), "01-one")
	if err != nil {
		t.Fatal(err)
	}
	a, err := x.Task(1)
	if err != nil {
		t.Fatal(err)
	}
	n := a.Values["n"].(int)
	got := []string{a.Markdown(), a.Checks[0].Says, a.Checks[0].Run, a.Checks[0].Proof[0].Label, a.Hints[0].Text, a.Setup.Files[0].Path, a.Setup.Files[0].Content, a.Wrong[1].Files[0].Content}
	want := expandAll(n, "# One\n\nDo it N times.\n", "it is N", "docker N", "of N", "look at N and {{.Id}}", "N.txt", "NN {{json .Config}}\n", "b N\n")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("filled (-want +got):\n%s", d)
	}
	if again, err := x.Task(1); err != nil || !cmp.Equal(a, again) {
		t.Errorf("the same seed gives another task (error %v):\n%s", err, cmp.Diff(a, again))
	}
}

// expandAll puts n for N and twice n for NN.
func expandAll(n int, texts ...string) []string {
	r := strings.NewReplacer("NN", expression.Show(2*n), "N", expression.Show(n))
	for i := range texts {
		texts[i] = r.Replace(texts[i])
	}
	return texts
}

func TestLoadAndFind(t *testing.T) {
	fsys := fstest.MapFS{}
	add := func(dir, id, title string) {
		for name, file := range folder(strings.NewReplacer("id: one", "id: "+id, "title: One", "title: "+title).Replace(sample)) {
			fsys[dir+"/"+name] = file
		}
	}
	add("20-late", "late", "Late bread")
	add("05-early", "early", "Early bread")
	add("07-eaten", "eaten", "Bread")
	add("100-last", "last", "The last bread")
	all, err := Headers(fsys)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"late": "late", "100": "last", "20": "late", "5": "early", "LATE B": "late", "ea": "", "x": "", "": ""} {
		x, err := Find(all, name)
		if x.ID != want || (err == nil) != (want != "") {
			t.Errorf("Find(%q) is %q, %v; expected %q", name, x.ID, err, want)
		}
	}
	if _, err := Find(all, "ea"); err == nil || !strings.Contains(err.Error(), "[early eaten]") {
		t.Errorf("error is %v; expected the names that it may mean", err)
	}
	var order []string
	for _, x := range all {
		order = append(order, x.ID)
	}
	if want := []string{"early", "eaten", "late", "last"}; !cmp.Equal(order, want) {
		t.Errorf("order is %q; expected that of the numbers, %q", order, want)
	}
	add("30-again", "late", "Later")
	if _, err := Load(fsys); err == nil || !strings.Contains(err.Error(), `id "late" is taken by 20-late/exercise.md`) {
		t.Errorf("error is %v; expected both files", err)
	}
}
