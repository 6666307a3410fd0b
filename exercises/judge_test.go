package exercises

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// fakeEngine knows a few commands and emits the events that an engine would:
//
//	docker image NAME SIZE   makes an image of one layer
//	docker rmi NAME          takes a name and its image away
//	docker see FILE          prints a file of the folder it runs in
//	docker fail CODE         prints something and returns CODE
//
// It doesn't mark what checks do; markedEngine does.
type fakeEngine struct {
	home   string
	events *trace.Collect
	now    context.Context
}

func newFake(t *testing.T) *fakeEngine {
	f := &fakeEngine{home: t.TempDir()}
	if err := f.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fakeEngine) Home() string { return f.home }

func (f *fakeEngine) Reset(ctx context.Context) error {
	f.events = &trace.Collect{}
	f.now = trace.With(ctx, trace.New(f.events))
	return nil
}

func (f *fakeEngine) Trace(_ context.Context, since uint64) ([]trace.Event, error) {
	return f.events.Events()[since:], nil
}

func (f *fakeEngine) Run(_ context.Context, argv []string, s lessons.Streams, dir string, _ []string) int {
	ctx, end := trace.Step(f.now, vocab.Command, trace.Strings("argv", argv))
	code := f.carryOut(ctx, argv[1:], s.Out, dir)
	end(nil, trace.Int("exit_code", int64(code)))
	return code
}

func (f *fakeEngine) carryOut(ctx context.Context, words []string, out io.Writer, dir string) int {
	switch words[0] {
	case "image":
		size, _ := strconv.ParseInt(words[2], 10, 64)
		trace.Fact(ctx, vocab.ImageCreate, trace.String("image", fakeDigest(words[1])), trace.String("manifest", fakeDigest("m"+words[1])),
			trace.Strings("diff_ids", []string{fakeDigest("l" + words[1])}), trace.Int("size_bytes", size), trace.String("origin", "build"))
		trace.Fact(ctx, vocab.ImageTag, trace.String("ref", "docker.io/library/"+words[1]+":latest"), trace.String("image", fakeDigest(words[1])), trace.String("previous", ""))
	case "rmi":
		trace.Fact(ctx, vocab.ImageRemove, trace.String("image", fakeDigest(words[1])))
	case "see":
		data, err := os.ReadFile(filepath.Join(dir, words[1]))
		if err != nil {
			return 1
		}
		_, _ = out.Write(data)
	case "fail":
		fmt.Fprintln(out, "it did not work")
		code, _ := strconv.Atoi(words[1])
		return code
	}
	return 0
}

func fakeDigest(name string) string { return fmt.Sprintf("sha256:%064x", name) }

// markedEngine puts what checks do into steps of their own.
type markedEngine struct{ *fakeEngine }

func (m markedEngine) Mark(ctx context.Context, exercise, check string) (context.Context, func(error)) {
	before := m.now
	inside, end := trace.Step(m.now, vocab.ExerciseCheck, trace.String("exercise", exercise), trace.String("check", check))
	m.now = inside
	return ctx, func(err error) {
		end(err)
		m.now = before
	}
}

// trial is an exercise under test, after its setup.
type trial struct {
	task  Task
	bench Bench
}

func newTrial(t *testing.T, e lessons.Engine, checks string, files ...string) *trial {
	t.Helper()
	x, err := Parse(folder(sampleHead+"Text.\n\n"+checks+sampleHints, files...), "01-one")
	if err != nil {
		t.Fatal(err)
	}
	task, err := x.Task(1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tr := &trial{task, Bench{Engine: e, Folder: filepath.Join(dir, "folder"), Scratch: filepath.Join(dir, "scratch")}}
	if tr.bench.Began, err = task.Begin(t.Context(), tr.bench); err != nil {
		t.Fatal(err)
	}
	return tr
}

// does is what the learner does.
func (tr *trial) does(t *testing.T, script string) {
	t.Helper()
	if err := tr.task.Apply(t.Context(), tr.bench, Attempt{Name: "learner", Do: script}); err != nil {
		t.Fatal(err)
	}
}

func (tr *trial) judge(t *testing.T) Verdict {
	t.Helper()
	v, err := tr.task.Judge(t.Context(), tr.bench)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const sizeCheck = "```check id=size" + `
says: apple is smaller than 100 bytes
now: image("apple").exists && image("apple").size < 100
proof:
  bytes: image("apple").size
  made by: find(history, .kind == "image.create")
event: findLast(history, .kind == "image.create")
file: blob_file(image("apple").manifest)
diagnose:
  - when: image("apple").size >= 1000
    tag: M-A
    says: It has ((image("apple").size)) bytes, ((image("apple").size - 100 + (1 - 1))) more than (about) enough.
    file: '"./Dockerfile"'
  - when: image("apple").exists
    tag: M-B
    says: Nearly.
    event: find(history, .kind == "image.tag")
` + "```\n\n"

func TestJudgeTellsWhatHolds(t *testing.T) {
	tr := newTrial(t, newFake(t), sizeCheck)
	if v := tr.judge(t); v.Solved() || v.First().Belief != "" || v.First().Event != nil || len(v.Beliefs()) != 0 {
		t.Errorf("untouched: %+v; expected a check that doesn't hold, without a belief and a cause", v.First())
	}
	tr.does(t, "docker image apple 50")
	if v := tr.judge(t); !v.Solved() {
		t.Errorf("solved: check fails with %q", v.First().Reasons)
	}
}

func TestJudgeExplainsWhatFails(t *testing.T) {
	tr := newTrial(t, newFake(t), sizeCheck)
	tr.does(t, "docker image apple 5000")
	v := tr.judge(t)
	f := v.First()
	if f == nil {
		t.Fatal("solved; expected a failing check")
	}
	if want := "It has 5000 bytes, 4900 more than (about) enough."; f.Says != want || f.Belief != "M-A" {
		t.Errorf("diagnosis is %q (%s); expected %q (M-A)", f.Says, f.Belief, want)
	}
	if f.File != "./Dockerfile" {
		t.Errorf("file is %q; expected that of the diagnosis", f.File)
	}
	if f.Event == nil || f.Event.Kind != vocab.ImageCreate || commandLine(f.Command) != "docker image apple 5000" {
		t.Errorf("cause is %v in %q; expected the check's own event in its command", f.Event, commandLine(f.Command))
	}
	if len(f.Proof) != 2 || f.Proof[0] != "bytes: 5000" || !strings.Contains(f.Proof[1], "made by: ") || strings.Contains(f.Proof[1], "map[") {
		t.Errorf("proof is %q; expected the size and the event as a sentence", f.Proof)
	}
	if len(f.Reasons) == 0 {
		t.Error("no reason; expected the part that isn't true")
	}
}

func TestJudgeTakesTheFirstDiagnosisThatFits(t *testing.T) {
	tr := newTrial(t, newFake(t), sizeCheck)
	tr.does(t, "docker image apple 500")
	f := tr.judge(t).First()
	if f.Belief != "M-B" || f.Event.Kind != vocab.ImageTag || f.File != blobFile(fakeDigest("mapple")) {
		t.Errorf("diagnosis is %s, %v, %q; expected M-B with its own event and the check's file", f.Belief, f.Event, f.File)
	}
	if got := tr.judge(t).Beliefs(); !cmp.Equal(got, []string{"M-B"}) {
		t.Errorf("beliefs are %q", got)
	}
}

func TestJudgeAsksHistory(t *testing.T) {
	const checks = "```check id=ever\nsays: pear was there once\never: image(\"pear\").exists\n```\n\n" +
		"```check id=only\nsays: no plum was made\nonly: not (.kind == \"image.create\" && .size_bytes == 7)\n```\n\n"
	tr := newTrial(t, newFake(t), checks, "setup/commands.sh", "docker image pear 1; docker image plum 7; docker rmi pear")
	holds := func(want ...bool) {
		t.Helper()
		var got []bool
		for _, f := range tr.judge(t).Findings {
			got = append(got, f.Holds)
		}
		if !cmp.Equal(got, want) {
			t.Errorf("checks hold: %v; expected %v", got, want)
		}
	}
	holds(false, true) // what the setup did doesn't count
	tr.does(t, "docker image pear 1; docker rmi pear")
	holds(true, true)
	tr.does(t, "docker image plum 7")
	holds(true, false)
}

const runCheck = "```check id=run" + `
says: no image was made
run: |
  docker image probe 1
  docker see note.txt
  echo changed >note.txt
  docker fail 3
now: code == 3 && output == "written\nit did not work" && file("note.txt") == "written\n" && len(filter(trace, .kind == "image.create")) == 1
only: .kind != "image.create"
` + "```\n\n"

func TestCheckScriptWorksOnACopyAndLeavesNoHistory(t *testing.T) {
	fake := newFake(t)
	tr := newTrial(t, markedEngine{fake}, runCheck, "setup/note.txt", "written\n")
	for i := range 3 {
		if v := tr.judge(t); !v.Solved() {
			t.Fatalf("judgement %d: %q; expected that what earlier checks did is neither the learner's nor in the folder", i+1, v.First().Reasons)
		}
	}
	tr.does(t, "docker image own 1")
	if v := tr.judge(t); v.Solved() {
		t.Error("solved; expected the learner's own image to count")
	}
}

func TestLearnersLeavesOutWhatChecksDid(t *testing.T) {
	fake := newFake(t)
	m := markedEngine{fake}
	run := func(words ...string) {
		m.Run(t.Context(), append([]string{"docker"}, words...), lessons.Streams{Out: io.Discard, Err: io.Discard}, "", nil)
	}
	run("image", "first", "1")
	_, end := m.Mark(t.Context(), "one", "c")
	run("image", "probe", "2")
	run("rmi", "probe")
	end(nil)
	run("image", "last", "3")
	var got []string
	for _, e := range learners(fake.events.Events()) {
		if e.Kind == vocab.Command && e.Phase == trace.Begin {
			got = append(got, commandLine(&e))
		}
		if e.Kind == vocab.ExerciseCheck || e.Kind == vocab.ImageRemove {
			t.Errorf("event %d is %s; expected none that belongs to a check", e.Seq, e.Kind)
		}
	}
	if want := []string{"docker image first 1", "docker image last 3"}; !cmp.Equal(got, want) {
		t.Errorf("commands are %q; expected %q", got, want)
	}
}

func TestRootsKnowTheFolderAndTheRecord(t *testing.T) {
	const checks = "```check id=roots" + `
says: all is known
now: |
  file("a/b.txt") == "b\n" && file("none.txt") == "" && file("/etc/passwd") == "" && file("../x") == "" && file("") == "" && file("a") == "" &&
  written("a") && written("a/b.txt") && not written("none.txt") && not written("") && not written("../folder") &&
  blob_file("sha256:12") == "images/blobs/sha256/12" && blob_file("x") == "" && record_file("none", "log") == "" &&
  argv(find(done, .kind == "image.create")) == "docker image apple 50" && argv(nil) == "" && vars.n >= 4 &&
  len(history) > len(done) && len(trace) == 0
` + "```\n\n"
	tr := newTrial(t, newFake(t), checks, "setup/a/b.txt", "b\n", "setup/commands.sh", "docker image pear 1")
	tr.does(t, "docker image apple 50")
	if v := tr.judge(t); !v.Solved() {
		t.Errorf("roots are wrong: %q", v.First().Reasons)
	}
}

func TestWhatCantBeEvaluatedIsAnError(t *testing.T) {
	for source, want := range map[string]string{
		"now: image(\"x\").layers[3].size == 1": "evaluate check c of exercise one",
		"now: false\nevent: code":               "expected an event",
		"now: false\nfile: code":                "expected a path",
		"now: false\nproof:\n  x: history[99]":  "evaluate",
		"now: false\ndiagnose:\n  - when: history[99].seq == 1\n    tag: M-A\n    says: so":       "evaluate",
		"now: false\ndiagnose:\n  - when: 1 == 1\n    tag: M-A\n    says: so ((history[99].seq))": "evaluate",
	} {
		tr := newTrial(t, newFake(t), "```check id=c\nsays: it is so\n"+source+"\n```\n\n")
		if v, err := tr.task.Judge(t.Context(), tr.bench); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %+v, %v; expected an error with %q", source, v, err, want)
		}
	}
}

func TestMissingFolderIsAnError(t *testing.T) {
	tr := newTrial(t, newFake(t), sizeCheck)
	if err := os.RemoveAll(tr.bench.Folder); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.task.Judge(t.Context(), tr.bench); err == nil || !strings.Contains(err.Error(), "learn reset one") {
		t.Errorf("error is %v; expected how to mend it", err)
	}
}
