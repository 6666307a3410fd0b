package author

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// check checks one lesson as number 20 of the program's, and returns what was found in its own words.
func check(t *testing.T, source string, others fstest.MapFS) []string {
	t.Helper()
	files := fstest.MapFS{"20-own/lesson.md": {Data: []byte(source)}}
	for name, file := range others {
		files[name] = file
	}
	drafts, found := Read(files, "work", "20-own/lesson.md")
	course, err := NewCourse(drafts)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range drafts {
		found = append(found, course.Check(d)...)
	}
	var out []string
	for _, f := range found {
		out = append(out, f.String())
	}
	return out
}

// good is the lesson that authors begin with.
func good() string {
	return strings.NewReplacer("ID-OF-LESSON", "own", "TITLE-OF-LESSON", "Own").Replace(skeleton)
}

func TestSkeletonIsGood(t *testing.T) {
	if found := check(t, good(), nil); len(found) > 0 {
		t.Errorf("a new lesson has faults:\n%s", strings.Join(found, "\n"))
	}
}

// TestRules breaks the good lesson in one place each, and wants to be told of that, at its line, and of nothing else.
func TestRules(t *testing.T) {
	const prose = "A lesson leaves no container behind."
	tests := []struct{ name, old, new, want string }{
		{"unreadable", "id: own", "id: Own", "work/20-own/lesson.md:1: the id is"},
		{"expression", "after.exists(vars.box) ? 2 : 1", "after.exist(vars.box) ? 2 : 1", `work/20-own/lesson.md:26: expression "after.exist(vars.box)`},
		{"unknown need", "needs: [process]", "needs: [proces]", `:4: needs names "proces", and there is no such lesson`},
		{"own need", "needs: [process]", "needs: [own]", ":4: the lesson needs itself"},
		{"unknown target", "{M-EXITED-GONE}", "{M-NOT-SO}", ":23: M-NOT-SO is not in misconceptions.yaml"},
		{"target not asked", "targets: [", "targets: [M-TAG-COPY, ", ":5: no question is about target M-TAG-COPY"},
		{"minutes", "minutes: 5\n", "", ":1: warning: the lesson has no minutes"},
		{"dead link", prose, "See [the file](other.md).", `:78: the link to "other.md" is dead: there is no such file`},
		{"link out", prose, "See [the file](../../x.md).", "is dead: it leads out of the folder of lessons"},
		{"anchor", prose, "See [above](#nothing).", "is dead: no heading of the lesson has that name"},
		{"lesson in text", prose, "Go on with `learn play proces` then.", `"learn play proces": there is no lesson proces`},
		{"spelling", prose, "A lesson leaves no\ndocker\nfile behind.", `:79: "docker\nfile" is spelled Dockerfile`},
		{"spelling in a question", "What is left of container", "Which entry-point is left of container", `:21: "entry-point" is spelled ENTRYPOINT`},
		{"kind in an expression", `.kind == "proc.exit"), .seq`, `.kind == "proc.exitt"), .seq`, `:48: there is no kind of event "proc.exitt"`},
		{"kind in a list", `any(trace, .kind == "container.state"`, `any(trace, .kind in ["proc.exit", "container.stat"]`, `there is no kind of event "container.stat"`},
		{"kind in the text", prose, "Watch `container.gone`.", ":78: there is no kind of event `container.gone`"},
		{"no intent", prose + "\n\n", "", ":79: nothing says what this step is for"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			source := strings.Replace(good(), test.old, test.new, 1)
			if source == good() {
				t.Fatalf("the lesson lacks %q", test.old)
			}
			found := check(t, source, nil)
			if len(found) == 0 || !strings.Contains(strings.Join(found, "\n"), test.want) {
				t.Errorf("found %q; want %q", found, test.want)
			}
		})
	}
}

// TestLeftAlone: code, addresses, files and links that lead somewhere are no faults.
func TestLeftAlone(t *testing.T) {
	const prose = "A lesson leaves no container behind."
	others := fstest.MapFS{"20-own/note.txt": {}, "19-other/lesson.md": {}}
	for _, text := range []string{
		"Run `docker file` and read `container.json`, `image.tar` or https://example.com/white-out.",
		"See [a](note.txt), [b](../19-other/lesson.md#x), [c](https://dead.example/), [d](#do-something), `[e](f)`.",
		"Use the option --entry-point or `learn play process`.",
		"```sh\ndocker file [x](y)\n```",
	} {
		if found := check(t, strings.Replace(good(), prose, text, 1), others); len(found) > 0 {
			t.Errorf("%q: found %q", text, found)
		}
	}
}

// TestOrder: beside the program's lessons the number counts, in a folder of its own a lesson comes after them.
func TestOrder(t *testing.T) {
	source := strings.Replace(good(), "needs: [process]", "needs: [exit]", 1)
	for folder, want := range map[string]string{"02-own": `needs names "exit", which is lesson 3 and comes later than this one, 2`, "04-own": ""} {
		name := folder + "/lesson.md"
		for beside, want := range map[string]string{"01-process/lesson.md": want, "01-mine/lesson.md": ""} {
			drafts, _ := Read(fstest.MapFS{name: {Data: []byte(source)}, beside: {}}, "", name)
			course, err := NewCourse(drafts)
			if err != nil {
				t.Fatal(err)
			}
			found := course.Check(drafts[0])
			if len(found) > 0 != (want != "") || want != "" && !strings.Contains(found[0].Text, want) {
				t.Errorf("%s beside %s: found %v; want %q", folder, beside, found, want)
			}
		}
	}
}

func TestWhatALessonMustHave(t *testing.T) {
	const small = "---\nid: own\ntitle: Own\nneeds: [process]\nminutes: 1\n---\n\nDo it.\n\n```console\n$ true\n```\n"
	got := strings.Join(check(t, small, nil), "\n")
	for _, want := range []string{"0 predict blocks; expected at least 2", "0 evidence blocks; expected at least 1", "0 check blocks; expected at least 3", ":4: no question of an earlier lesson is asked again"} {
		if !strings.Contains(got, want) {
			t.Errorf("found lacks %q:\n%s", want, got)
		}
	}
}

// TestTranslationOfADraft: the skeleton of a translation is only incomplete; an entry of no text and a broken template are faults, with their lines.
func TestTranslationOfADraft(t *testing.T) {
	files := fstest.MapFS{"20-own/lesson.md": {Data: []byte(good())}}
	drafts, _ := Read(files, "work", "20-own/lesson.md")
	name, text, err := Translation(drafts[0], "zh-CN")
	if err != nil || name != "20-own/lesson.zh-CN.yaml" {
		t.Fatalf("Translation: %q, %v", name, err)
	}
	for _, f := range check(t, good(), fstest.MapFS{name: {Data: text}}) {
		if !strings.Contains(f, "work/20-own/lesson.zh-CN.yaml:") || !strings.Contains(f, ": warning: ") || !strings.Contains(f, "is not translated") {
			t.Errorf("an empty translation has %s", f)
		}
	}
	filled := strings.Replace(string(text), `text: ""`, "text: 自己的课", 1)
	broken := filled + "gone/1:\n  source: ab\n  text: 没有\nleft/question:\n  source: ab\n"
	got := strings.Join(check(t, good(), fstest.MapFS{name: {Data: []byte(broken)}}), "\n")
	if !strings.Contains(got, "left/question is there already") {
		t.Errorf("an entry that is there twice is not found:\n%s", got)
	}
	broken = strings.Replace(filled, "text: \"\"", "text: 有{{x}}", 1) + "gone/1:\n  source: ab\n  text: 没有\n"
	got = strings.Join(check(t, good(), fstest.MapFS{name: {Data: []byte(broken)}}), "\n")
	for _, want := range []string{"lesson.zh-CN.yaml:10: start/1: the translation has {{x}}, which the original lacks", "gone/1 is not in 20-own/lesson.md"} {
		if !strings.Contains(got, want) {
			t.Errorf("found lacks %q:\n%s", want, got)
		}
	}
}

// TestCourseTranslation: of the misconceptions those are translated that translated lessons ask about.
func TestCourseTranslation(t *testing.T) {
	files := fstest.MapFS{"20-own/lesson.md": {Data: []byte(good())}, "20-own/lesson.xx.yaml": {}}
	drafts, _ := Read(files, "", "20-own/lesson.md")
	course, err := NewCourse(drafts)
	if err != nil {
		t.Fatal(err)
	}
	name, text, err := course.CourseTranslation(files, "misconceptions", "xx")
	if err != nil || name != "misconceptions.xx.yaml" {
		t.Fatalf("CourseTranslation: %q, %v", name, err)
	}
	for id, want := range map[string]bool{"M-EXITED-GONE/claim:": true, "M-CONTAINER-BOOTED/evidence:": true, "M-TAG-COPY/claim:": false} {
		if strings.Contains(string(text), id) != want {
			t.Errorf("%s is there: %t\n%s", id, !want, text)
		}
	}
	files[name] = &fstest.MapFile{Data: text}
	files["words.xx.yaml"] = &fstest.MapFile{Data: []byte("nothing:\n  source: ab\n  text: x\n")}
	files["other.xx.yaml"] = &fstest.MapFile{}
	found, err := course.CheckTranslations(files, "")
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]int{}
	for _, f := range found {
		if !f.Warning {
			faults[f.File]++
		}
	}
	if diff := cmp.Diff(map[string]int{"words.xx.yaml": 1, "other.xx.yaml": 1}, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestUnexplained(t *testing.T) {
	source := strings.Replace(good(), "needs: [process]", "needs: []", 1)
	drafts, _ := Read(fstest.MapFS{"20-own/lesson.md": {Data: []byte(source)}}, "", "20-own/lesson.md")
	course, err := NewCourse(drafts)
	if err != nil {
		t.Fatal(err)
	}
	event := func(kind string, attrs ...trace.Attr) trace.Event {
		return trace.Event{Seq: 1, Kind: kind, Phase: trace.Note, Attrs: attrs}
	}
	network := event(vocab.NetworkCreate, trace.String("network", "n"), trace.String("name", "bridge"))
	exit := event(vocab.ContainerState, trace.String("container", "c"), trace.String("from", "running"), trace.String("to", "exited"))
	found := course.Unexplained(drafts[0], [][]trace.Event{{exit, network, network}, {network}})
	if len(found) != 1 || !found[0].Warning || !strings.Contains(found[0].String(), ":36: warning: step 1 tells of network.create") {
		t.Errorf("found %v; want one warning, of the network", found)
	}
}

func TestNewLessonAndOpen(t *testing.T) {
	dir := t.TempDir()
	for _, old := range []string{"03-old", "12-older", "notes"} {
		if err := os.Mkdir(filepath.Join(dir, old), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	file, err := NewLesson(dir, "bind-mounts")
	if err != nil || file != filepath.Join(dir, "13-bind-mounts", "lesson.md") {
		t.Fatalf("NewLesson: %q, %v", file, err)
	}
	for _, name := range []string{"bind-mounts", "old", "A b", ""} {
		if file, err := NewLesson(dir, name); err == nil {
			t.Errorf("NewLesson(%q) makes %s", name, file)
		}
	}
	for _, path := range []string{file, filepath.Dir(file), dir} {
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		drafts, found := p.Read()
		if len(found) > 0 || len(drafts) != 1 || drafts[0].ID != "bind-mounts" || drafts[0].Title != "Bind mounts" || drafts[0].Number != 13 || p.Whole != (path == dir) {
			t.Errorf("Open(%s) finds %v, %v", path, drafts, found)
		}
	}
	for _, path := range []string{filepath.Join(dir, "notes"), filepath.Join(dir, "none")} {
		if _, err := Open(path); err == nil {
			t.Errorf("Open(%s) finds a lesson", path)
		}
	}
	if _, err := newQuiz("", ""); err == nil || !strings.Contains(err.Error(), "exercises/quiz") {
		t.Errorf("newQuiz: %v", err)
	}
}
