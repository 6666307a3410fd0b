package lessons

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const lesson = `---
id: one
title: A lesson
vars:
  size: rand(200, 300)
---

## First

Intent.

` + "```file path=sub/a.txt\nsize {{size}}\n```" + `

` + "```predict id=p kind=choice confidence\nHow large?\n\n- [ ] as large as base {M-LAYER-COPY}\n- [ ] larger\n\nkey: |\n  after.image(\"new\").size > before.image(\"base\").size ? 2 : 1\nproof:\n  size of new: image(\"new\").size == vars.size\n  the event: find(trace, .kind == \"image.create\")\nwhy: That is why.\n```" + `

` + "```console\n$ docker image new {{size}}\n```" + `

Afterwards.

` + "```evidence id=e kind=event\nWhich event?\n\nkey: filter(trace, .kind == \"image.create\")[0].seq\nreveals: M-TAG-COPY\n```" + `

` + "```check id=c\nsays: both are there\nnow: exists(\"new\") && len(images) == 2\n```" + `

## Second

` + "```console\n$ docker start box\n$ docker write box /a\n```" + `

` + "```evidence id=f kind=path\nWhich file?\n\nkey: '\"images/blobs/\" + replace(image(\"new\").manifest, \":\", \"/\")'\n```" + `

` + "```check id=d\nsays: a copy was made\nnow: change(\"box\", \"/a\").copied_bytes == 4 * KiB\never: len(containers) == 0\nonly: .kind in [\"command\", \"cow.copyup\"]\n```" + `

Closing words.
`

func TestAuto(t *testing.T) {
	p := play(t, lesson, "auto")
	p.wants(t, "# A lesson", "## First", "Intent.", "File `sub/a.txt`", "size 2", "Predict: How large?", "1. as large", "2. larger",
		"Step 1 of 3:", "$ docker image new 2", "made new", "[4]", "What happened: 2. larger", "The evidence:", "size of new: true",
		"the event: event 4, image.create:", "That is why.", "Afterwards.", "Find the evidence: Which event?", "event 4, image.create",
		"Checked: both are there.", "## Second", "$ docker start box", "$LEARN_HOME/images/blobs/sha256/000", "Checked: a copy was made.",
		"Closing words.", "The lesson is done.")
	want := Result{Steps: 3, Done: 3, Finished: true}
	if diff := cmp.Diff(want, p.result); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestRightAnswers(t *testing.T) {
	p := play(t, lesson, "2\n1\nn\n4\n\n\nsha256:"+digestOf("mnew")[7:]+"\n\n")
	p.wants(t, "Keys, each followed by Enter", "Your prediction, 1 to 2 >", "How sure are you?", "Enter runs it >", "made new",
		"Right: 2. larger", "That is why.", "Right:", "event 4", "Right:", "You answered 3 of 3 questions right.")
	p.lacks(t, "A common belief", "The evidence:")
	if !p.result.Finished || p.result.Right != 3 || p.result.Wrong != 0 || p.result.Answers[0].Confidence != 1 {
		t.Errorf("result is %+v", p.result)
	}
}

func TestWrongAnswers(t *testing.T) {
	p := play(t, lesson, "0\nx\n1\n3\n\n3\n\n\nimages/none\n\n")
	p.wants(t, `"0" is no choice; expected a number from 1 to 2.`, `"x" is no choice`, "You said 1. What happened: 2. larger",
		"You were certain", "The evidence:", "size of new: true", "the event: event 4, image.create:", "A common belief:", "But:",
		"See for yourself:", "That is why.", `"3" is not it. The evidence:`, "event 4", "A common belief:", `"images/none" is not it`, "You answered 0 of 3")
	if diff := cmp.Diff([]string{"M-LAYER-COPY", "M-TAG-COPY"}, p.result.Missed); diff != "" {
		t.Errorf("missed (-want +got):\n%s", diff)
	}
	want := Answer{ID: "p", Given: "1", Key: "2", Confidence: 3, Reveals: "M-LAYER-COPY"}
	if diff := cmp.Diff(want, p.result.Answers[0]); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestKeys(t *testing.T) {
	p := play(t, lesson, "e\nw\n?\n2\n1\nzz\ng 99\nn\ne\nw\n4\nq\n")
	p.wants(t, "No step has run yet.", "No step has run yet.", "back: everything becomes", `"zz" is no key here`, "g takes the number of a step, 1 to 3",
		"event 4, image.create", "File: images/blobs/sha256/", "event 5, image.tag", "File: images/index.json", "Step 1 in full:", "Right:")
	if p.result.Finished || p.result.Done != 1 {
		t.Errorf("result is %+v", p.result)
	}
}

// TestFoldedLines: whoever wonders at torn tables is told once why; a log, which folds nothing, is not told.
func TestFoldedLines(t *testing.T) {
	wide, fits := strings.Repeat("w", 81), strings.Repeat("x", 40)+"\\n"+strings.Repeat("x", 40)
	source := head + "```console\n$ printf '" + fits + "'\n$ printf '" + wide + "'\n$ echo " + wide + "\n```\n"
	p := play(t, source, "\n\n\n\n")
	p.wants(t, "Step 2 of 3:", wide, "more than 80 columns", "Step 3 of 3:")
	if told := strings.Count(p.out.String(), "more than 80 columns"); told != 1 {
		t.Errorf("told %d times:\n%s", told, &p.out)
	}
	play(t, source, "auto").lacks(t, "more than 80 columns")
}

func TestEndOfInputQuits(t *testing.T) {
	p := play(t, lesson, "2\n1\n")
	p.wants(t, "Enter runs it")
	if p.result.Finished || p.result.Done != 0 {
		t.Errorf("result is %+v", p.result)
	}
}

func TestBackAndGoto(t *testing.T) {
	const steps = head + "```console\n$ docker image one 1\n$ docker image two 2; echo $((n+=1)) > n.txt\n$ docker image three 3\n$ docker image four 4; cat n.txt\n```\n\n" +
		"```check id=four\nsays: five images\nnow: len(images) == 5\n```\n"
	tests := []struct {
		name, input string
		resets      int
		argvs       string // the images made, in order
	}{
		{"straight", "\n\n\n\n\n", 1, "one two three four"},
		{"back once", "\n\n\nb\n\n\n\n", 2, "one two three one two three four"},
		{"back twice", "\n\n\nb\nb\n\n\n\n\n", 3, "one two three one two one two three four"},
		{"back at the start", "b\n\n\n\n\n\n", 1, "one two three four"},
		{"goto forward", "g 4\n\n\n", 1, "one two three four"},
		{"goto back", "\n\n\ng 1\n\n\n\n\n\n", 2, "one two three one two three four"},
		{"goto here", "\n\ng 3\n\n\n\n", 1, "one two three four"},
		{"back from the end", "\n\n\n\nb\n\n\n", 2, "one two three four one two three four"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := play(t, steps, test.input)
			p.wants(t, "Checked: five images.", "The lesson is done.")
			var made []string
			for _, a := range p.engine.argvs {
				made = append(made, strings.Fields(a)[2])
			}
			if got := strings.Join(made, " "); got != test.argvs || p.engine.resets != test.resets {
				t.Errorf("%d resets, %s; want %d, %s", p.engine.resets, got, test.resets, test.argvs)
			}
			if !strings.Contains(p.out.String(), "\n1\n") {
				t.Errorf("the workspace was not emptied: n.txt was counted up")
			}
		})
	}
}

func TestBackKeepsFirstAnswer(t *testing.T) {
	p := play(t, lesson, "1\n3\n\nb\n2\n1\n\n4\n\n\nx\n\n")
	p.wants(t, "You said 1.", "Everything is as it was before step 1.", "## First", "Right: 2.", "The lesson is done.")
	if p.result.Right != 1 || p.result.Wrong != 2 {
		t.Errorf("result is %+v; want the first answer to p, and one to each of e and f", p.result)
	}
}

func TestFaults(t *testing.T) {
	console := func(info, line string) string { return head + "```console" + info + "\n$ " + line + "\n```\n" }
	check := func(body string) string { return "\n```check id=c\nsays: it is so\n" + body + "\n```\n" }
	tests := []struct{ name, source, want string }{
		{"exit code", console("", "docker fail 3"), "step 1: the command returned 3; expected 0"},
		{"no exit code", console(" exit=3", "docker fail 0"), "step 1: the command returned 0; expected 3"},
		{"undeclared", console("", "docker strange"), "event 4, strange.event: the kind is not in the vocabulary"},
		{"now", console("", "docker image a 5") + check(`now: exists("a") && image("a").size > 7`), `check c: expected that it is so; image("a").size > 7 is not true; image("a").size is 5`},
		{"ever", console("", "docker image a 5") + check(`ever: exists("b")`), `exists("b") is not true`},
		{"only", console("", "docker image a 5") + check(`only: .kind != "image.tag"`), `not every event is such that .kind != "image.tag"; event 5, image.tag`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			play(t, test.source, "auto").fails(t, test.want)
			told := play(t, test.source, strings.Repeat("\n", 5))
			if told.err != nil || !told.result.Finished {
				t.Errorf("a learner is stopped: %v", told.err)
			}
		})
	}
	if p := play(t, console(" exit=3", "docker fail 3"), "auto"); p.err != nil {
		t.Errorf("an expected exit code fails: %v", p.err)
	}
}

func TestBrokenExpressions(t *testing.T) {
	const step = "```console\n$ docker image a 5\n```\n"
	tests := []struct{ name, source, want string }{
		{"key", head + "```predict id=p\nQ?\n- [ ] a\n- [ ] b\nkey: 3\nproof:\n  a: 1\n```\n" + step, "l.md:9: the key is 3; expected the number of a choice, 1 to 2"},
		{"no event", head + step + "```evidence id=p\nQ?\nkey: find(trace, .kind == \"x\")\n```\n", "l.md:10: the key is nothing; expected an event's number"},
		{"empty", head + step + "```evidence id=p\nQ?\nkey: map(filter(trace, .kind == \"x\"), .seq)\n```\n", "the key is an empty list"},
		{"check", head + step + "```check id=p\nsays: x\nnow: image(\"a\").layers[7].size > 1\n```\n", "l.md:10: evaluate"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := play(t, test.source, "auto")
			if _, ok := p.err.(*Error); !ok || !strings.Contains(p.err.Error(), test.want) {
				t.Errorf("error is %v; want an *Error with %q", p.err, test.want)
			}
		})
	}
}

func TestShell(t *testing.T) {
	const source = head + "```file path=d/in.txt mode=600\nb\na\n```\n\n```console\n$ x=5; mkdir -p e && cd e\n$ echo $x > f; cat ../d/in.txt f | { read v; echo first $v; }\n" +
		"$ echo home $LEARN_HOME; where $x | cat\n$ for i in 1 2; do docker image i$i $i; done | grep -c made || true\n$ exit 0\n$ pwd\n```\n\n```console exit=2\n$ where\n```\n"
	var work string
	p := play(t, source, "auto", func(o *Options) { work = o.Workspace })
	p.wants(t, "first b", "home "+p.engine.home, "at ", "/e [5]", "2", work, "at")
	if got, err := os.ReadFile(filepath.Join(work, "e", "f")); string(got) != "5\n" || err != nil {
		t.Errorf("e/f holds %q, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(work, "d", "in.txt"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("d/in.txt: %v, %v", info, err)
	}
}

func TestWorkspaceIsEmptied(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "old", "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := play(t, head+"```console\n$ echo there are *\n```\n", "auto", func(o *Options) { o.Workspace = dir })
	p.wants(t, "there are *")
}

func TestNarrationLevels(t *testing.T) {
	for _, level := range []string{"", "none", "short", "full", "kernel"} {
		p := play(t, lesson, "auto", func(o *Options) { o.Level = level })
		if got := strings.Contains(p.out.String(), "  [4] "); got != (level != "none") || p.err != nil {
			t.Errorf("level %q: narrated %t, %v", level, got, p.err)
		}
	}
	if p := play(t, lesson, "auto", func(o *Options) { o.Level = "loud" }); p.err == nil {
		t.Error("level loud is accepted")
	}
}

func TestWidthAndColor(t *testing.T) {
	p := play(t, strings.ReplaceAll(lesson, "Intent.", strings.Repeat("some words ", 40)), "auto", func(o *Options) { o.Width = 50 })
	for _, line := range strings.Split(p.out.String(), "\n") {
		if len(line) > 50 && strings.Contains(line, " word") {
			t.Errorf("line has %d columns: %q", len(line), line)
		}
	}
	if strings.Contains(p.out.String(), "\x1b") {
		t.Error("plain output has an escape sequence")
	}
	colored := play(t, strings.ReplaceAll(lesson, "Intent.", strings.Repeat("some **bold**\nwords ", 40)), "auto", func(o *Options) { o.Color, o.Width = true, 50 })
	if got := colored.text(); !strings.Contains(got, "bold\x1b[0m words some \x1b[1mbold") {
		t.Errorf("output lacks a bold word in its line:\n%s", got)
	}
	for _, line := range strings.Split(colored.out.String(), "\n") {
		if strings.Contains(line, "bold") && (columns(line) > 50 || columns(line) < 10) {
			t.Errorf("line has %d columns: %q", columns(line), line)
		}
	}
	if colored.err != nil || !strings.Contains(colored.out.String(), "\x1b[") {
		t.Errorf("coloured output has no escape sequence, %v", colored.err)
	}
}

func TestLayout(t *testing.T) {
	const in = "# Title\nOne two three four\nfive.\n\n- item one two three\n  four\n- x\n\n1. first second third\n\n```sh\n$ a b c d e f g h i j k l m n o p\n```\n"
	const want = "# Title\nOne two three four\nfive.\n\n- item one two three\n  four\n- x\n\n1. first second\n   third\n\n    $ a b c d e f g h i j k l m n o p\n"
	if diff := cmp.Diff(want, layout(in, 20)); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
}
