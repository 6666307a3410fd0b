package translate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, source string) File {
	t.Helper()
	f, err := Parse("lesson.de.yaml", []byte(source))
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	return f
}

var texts = []Text{{"title", "One", 2}, {"first/1", "Run {{name}}.\nIt ends.", 8}, {"first/2", "More.", 12}}

func TestSkeletonIsFilledAndKept(t *testing.T) {
	empty := mustParse(t, string(File{}.Update("The head.", texts)))
	for _, finding := range empty.Compare("lesson.md", texts) {
		if finding.State != Missing {
			t.Errorf("an empty skeleton has %+v", finding)
		}
	}
	if len(empty.Entries) != 3 {
		t.Fatalf("entries are %+v; want one for each text", empty.Entries)
	}
	for i, text := range []string{"Eins", "Starte {{ name }}.\n\n    Es endet.", "  Mehr: \"so\" #3\t"} {
		empty.Entries[i].Text = text
	}
	written := string(empty.Update("The head.", texts))
	again := mustParse(t, written)
	if findings := again.Compare("lesson.md", texts); len(findings) != 0 {
		t.Errorf("a full translation has %+v\n%s", findings, written)
	}
	for i, text := range texts {
		got, ok := again.Find(text)
		if !ok || got != empty.Entries[i].Text {
			t.Errorf("Find(%s) = %q, %t; want %q", text.ID, got, ok, empty.Entries[i].Text)
		}
	}
	if diff := cmp.Diff(written, string(again.Update("The head.", texts))); diff != "" {
		t.Errorf("a second update changes the file:\n%s", diff)
	}
	for _, want := range []string{"# The head.\n", "  # Run {{name}}.\n  # It ends.\n", "  text: |\n    Eins\n"} {
		if !strings.Contains(written, want) {
			t.Errorf("the file lacks %q:\n%s", want, written)
		}
	}
}

func TestCompare(t *testing.T) {
	f := mustParse(t, "title:\n  source: 00000000\n  text: Eins\nfirst/1:\n  source: "+Hash(texts[1].Source)+"\n  text: Starte {{nam}}.\ngone/1:\n  source: ab\n  text: Weg\n")
	want := []Finding{
		{Stale, 1, "title is stale: lesson.md:2 has changed; translate it again and write source: " + Hash("One")},
		{Broken, 4, "first/1: the translation lacks {{name}}, which the original has"},
		{Missing, 1, "first/2 is not translated; the original is lesson.md:12"},
		{Unknown, 7, "gone/1 is not in lesson.md; learn dev translate finds the text's new id, or remove the entry"},
	}
	if diff := cmp.Diff(want, f.Compare("lesson.md", texts)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, text := range texts {
		if got, ok := f.Find(text); ok {
			t.Errorf("Find(%s) = %q; want the original to be shown", text.ID, got)
		}
	}
}

// TestUpdateFollows: a paragraph that moved keeps its translation, one that changed is marked and stays hidden, and nothing written is lost.
func TestUpdateFollows(t *testing.T) {
	f := mustParse(t, "first/1:\n  source: "+Hash("One.")+"\n  text: Eins.\nfirst/2:\n  source: "+Hash("Two.")+"\n  text: Zwei.\nfirst/3:\n  source: "+Hash("Three.")+"\n  text: Drei.\n")
	now := []Text{{"first/1", "New.", 1}, {"first/2", "One.", 2}, {"first/3", "Two, changed.", 3}}
	got := mustParse(t, string(f.Update("", now)))
	shown := map[string]string{}
	for _, text := range now {
		shown[text.ID], _ = got.Find(text)
	}
	if diff := cmp.Diff(map[string]string{"first/1": "", "first/2": "Eins.", "first/3": ""}, shown); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	all := string(f.Update("", now))
	for _, want := range []string{"Zwei.", "Drei.", "STALE", "write source: " + Hash("Two, changed.")} {
		if !strings.Contains(all, want) {
			t.Errorf("the file lacks %q:\n%s", want, all)
		}
	}
}

func TestHashLeavesOutWhiteSpace(t *testing.T) {
	if Hash("a b\nc") != Hash(" a  b c\n") || Hash("a b") == Hash("ab") {
		t.Errorf("hashes are %s, %s and %s, %s", Hash("a b\nc"), Hash(" a  b c\n"), Hash("a b"), Hash("ab"))
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ source, want string }{
		{"- a\n", "x.yaml:1: expected the ids of texts"},
		{"a:\n  source: b\n  text: [c]\n", "x.yaml:3: text of a is no text"},
		{"a: b\n", "x.yaml:1: a has no fields"},
		{"a:\n  src: b\n", `x.yaml:2: unknown key "src" of a`},
		{"a b:\n  text: c\n", `x.yaml:1: "a b" is no id`},
		{"a:\n  text: c\nb:\n  text: c\na:\n  text: d\n", "x.yaml:5: a is there already, in line 1"},
		{"a:\n  text: \"\n", "x.yaml:"},
		{"a:\n  text: &x c\nb: *x\n", "x.yaml:3: b has no fields"},
		{strings.Repeat("#", maxSource+1), "x.yaml:1: the file has 1048577 bytes"},
	}
	for _, test := range tests {
		_, err := Parse("x.yaml", []byte(test.source))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%.40q): %v; want %q", test.source, err, test.want)
		}
	}
}

func TestLang(t *testing.T) {
	for name, want := range map[string]string{"a/lesson.zh-CN.yaml": "zh-CN", "lesson.md": "", "words.yaml": "", "a.b.c.yaml": "", "lesson..yaml": "", "lesson.de.yml": ""} {
		if got := Lang(name); got != want {
			t.Errorf("Lang(%q) = %q; want %q", name, got, want)
		}
	}
}

// FuzzParse: whatever the file, the parser returns, its errors name a line of it, and what it understood is still there when the file is written anew.
func FuzzParse(f *testing.F) {
	f.Add([]byte("title:\n  # One\n  source: 5d41402a\n  text: |\n    Eins\n\n    {{name}}\n"))
	f.Add([]byte("a/1:\n  text: \"\\x01\\u2028 \\r\"\n  source: \"a b\"\n"))
	f.Add([]byte("a: &x\n  text: b\nc: *x\n"))
	f.Add(File{}.Update("Head", texts))
	f.Fuzz(func(t *testing.T, source []byte) {
		got, err := Parse("x.yaml", source)
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Line < 1 || e.Line > strings.Count(string(source), "\n")+strings.Count(string(source), "\r")+2 {
				t.Errorf("error %T %v; want an *Error at a line of the file", err, err)
			}
			return
		}
		again, err := Parse("x.yaml", got.Update("head", nil))
		if err != nil {
			t.Fatalf("what was written can't be read: %v\n%s", err, got.Update("head", nil))
		}
		var want []Entry
		for _, e := range got.Entries {
			if e.Text != "" {
				want = append(want, e)
			}
		}
		for i, e := range again.Entries {
			if i >= len(want) || e.Source != want[i].Source || e.Text != want[i].Text {
				t.Fatalf("entry %d is %+v; want one of %+v", i, e, want)
			}
		}
		if len(again.Entries) != len(want) {
			t.Errorf("%d entries are left of %d", len(again.Entries), len(want))
		}
	})
}
