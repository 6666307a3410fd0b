package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/grade"
	"github.com/learn-containers/learn/exercises/journal"
	"github.com/learn-containers/learn/exercises/submission"
	"github.com/learn-containers/learn/lessons"
)

// TestGradeAClass grades work that is right, work of each misconception, and the work of enemies, all at once: every verdict is the one that was made for,
// and the machine is as it was. With LEARN_TEST_LONG=1 it is a class of 200 over all exercises.
func TestGradeAClass(t *testing.T) {
	if nativeName == "" {
		t.Skip("grading what strangers handed in needs Linux")
	}
	room := newClassroom(t)
	size := 4
	if whole() {
		size = 200
	}
	room.honest(size)
	room.hostile()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	report := room.grade("--timeout", "15s")
	room.judge(report)
	left, err := os.ReadDir(tmp)
	check(t, err)
	if len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v", left)
	}
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range all {
		if argv, _ := os.ReadFile(p); strings.Contains(string(argv), "grade-one") && strings.Contains(environOf(p), tmp) {
			t.Errorf("process left: %s", p)
		}
	}
	if marks, err := os.ReadDir(room.outside); err != nil || len(marks) != 1 {
		t.Errorf("outside of everything: %v, %v", marks, err)
	}
	if text, err := os.ReadFile(filepath.Join(room.outside, "mark")); string(text) != "untouched" {
		t.Errorf("outside of everything: %q, %v", text, err)
	}
}

func environOf(cmdline string) string {
	data, _ := os.ReadFile(filepath.Join(filepath.Dir(cmdline), "environ"))
	return string(data)
}

// classroom makes submissions of one class, and knows what each is worth.
type classroom struct {
	t        *testing.T
	class    class.Class
	dir      string // of the submissions
	outside  string // must not change
	template gradeTemplate
	all      []exercises.Exercise
	want     map[string]wanted // by student
}

// wanted is what a submission has to come to.
type wanted struct {
	state  grade.State // empty: anything but solved
	belief string
	says   string // in a flag, a note or a reason
}

func newClassroom(t *testing.T) *classroom {
	t.Helper()
	r := &classroom{t: t, dir: t.TempDir(), outside: t.TempDir(), want: map[string]wanted{}}
	var err error
	r.class, err = class.New(t.TempDir(), "Everybody")
	check(t, err)
	r.all, err = exercises.Embedded()
	check(t, err)
	if !whole() {
		r.all = slices.DeleteFunc(r.all, func(x exercises.Exercise) bool { return x.ID != "shrink" })
	}
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	r.template, err = s.newGradeTemplate(t.Context(), t.TempDir())
	check(t, err)
	check(t, os.WriteFile(filepath.Join(r.outside, "mark"), []byte("untouched"), 0o644))
	return r
}

// honest makes the work of so many students: for each exercise in turn the solution and every wrong attempt.
func (r *classroom) honest(size int) {
	for n := 0; n < size; {
		for _, x := range r.all {
			for a := -1; a < len(x.Wrong) && n < size; a++ {
				n++
				student := fmt.Sprintf("s%03d", n)
				t, err := x.Task(r.class.Seed(student, x.ID))
				check(r.t, err)
				attempt, w := t.Solution, wanted{state: grade.Solved}
				if a >= 0 {
					attempt, w = t.Wrong[a], wanted{state: grade.Wrong, belief: t.Wrong[a].Name}
				}
				r.add(student, w, r.work(t, attempt))
			}
		}
	}
}

// desk is an engine that keeps a journal, as learn docker does for a learner.
type desk struct {
	*lessonEngine
	journal journal.Journal
	folder  string
}

// Run implements lessons.Engine.
func (d desk) Run(ctx context.Context, argv []string, s lessons.Streams, dir string, env []string) int {
	rel, _ := below(d.folder, dir)
	input := &keptInput{in: s.In, left: journal.MaxInput}
	if s.In == nil {
		input.in = strings.NewReader("")
	}
	s.In = input
	n, err := d.journal.Note(journal.Line{Kind: journal.Command, Dir: rel, Argv: argv[1:]}, d.folder)
	if err != nil {
		return 125
	}
	before := len(d.events.Events())
	code := d.lessonEngine.Run(ctx, argv, s, dir, env)
	made, err := d.Trace(ctx, uint64(before))
	if err != nil {
		return 125
	}
	data, _ := input.bytes()
	hash, err := d.journal.Input(data)
	if err == nil {
		_, err = d.journal.Note(journal.Line{Kind: journal.End, Of: n, Code: code, Input: hash, Made: journal.Made(made)}, "")
	}
	if err != nil {
		return 125
	}
	return code
}

// made is a piece of work with its journal.
type made struct {
	journal  journal.Journal
	task     exercises.Task
	folder   string
	solved   bool
	manifest submission.Manifest
}

// work does an attempt on an engine, with a journal.
func (r *classroom) work(t exercises.Task, a exercises.Attempt) *made {
	r.t.Helper()
	dir := r.t.TempDir()
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	s.driver = simName
	e := &lessonEngine{session: s, id: "work", dir: dir, seed: 1, withRegistry: t.Registry}
	check(r.t, r.template.copyTo(filepath.Join(dir, "home"), nil))
	check(r.t, e.openDriver())
	check(r.t, e.begin(r.t.Context()))
	m := r.begin(t)
	b := exercises.Bench{Engine: e, Programs: e, Folder: m.folder, Scratch: filepath.Join(dir, "scratch"), Epoch: proofEpoch}
	_, err := t.Begin(r.t.Context(), b)
	check(r.t, err)
	r.note(m, journal.Line{Kind: journal.Begin, Exercise: t.ID, Seed: t.Seed, Folder: m.folder, Made: journal.Made(e.events.Events())})
	b.Engine = desk{e, m.journal, m.folder}
	check(r.t, t.Apply(r.t.Context(), b, a))
	check(r.t, e.end(r.t.Context()))
	m.solved = a.Name == "solution"
	return m
}

// begin is work of which nothing is done.
func (r *classroom) begin(t exercises.Task) *made {
	r.t.Helper()
	folder, err := filepath.EvalSymlinks(r.t.TempDir())
	check(r.t, err)
	return &made{journal: journal.In(r.t.TempDir()), task: t, folder: folder}
}

func (r *classroom) note(m *made, l journal.Line) {
	r.t.Helper()
	_, err := m.journal.Note(l, m.folder)
	check(r.t, err)
}

// add packs work as a student's.
func (r *classroom) add(student string, w wanted, m *made) {
	r.t.Helper()
	r.note(m, journal.Line{Kind: journal.Submit})
	r.want[student] = w
	log, err := m.journal.Read()
	check(r.t, err)
	m.manifest = submission.Manifest{Format: 1, Program: docker.Version(), Student: student, At: time.Now(),
		Exercises: []submission.Part{{ID: m.task.ID, Seed: m.task.Seed, Journal: log.Head, Folder: log.State().Digest(), Solved: m.solved}}}
	var b bytes.Buffer
	check(r.t, submission.Pack(&b, m.manifest, map[string]journal.Journal{m.task.ID: m.journal}))
	r.file(student, b.Bytes())
}

func (r *classroom) file(student string, data []byte) {
	r.t.Helper()
	check(r.t, os.WriteFile(filepath.Join(r.dir, student+".tar.gz"), data, 0o644))
}

// task is the exercise for a student.
func (r *classroom) task(student string) exercises.Task {
	r.t.Helper()
	t, err := r.all[slices.IndexFunc(r.all, func(x exercises.Exercise) bool { return x.ID == "shrink" })].Task(r.class.Seed(student, "shrink"))
	check(r.t, err)
	return t
}

// commands is work that nobody did: only the journal says so, and that it solves the exercise.
func (r *classroom) commands(student string, files map[string]string, all ...[]string) *made {
	r.t.Helper()
	m := r.begin(r.task(student))
	m.solved = true
	r.note(m, journal.Line{Kind: journal.Begin, Exercise: "shrink", Seed: m.task.Seed, Folder: m.folder})
	for name, text := range files {
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			check(r.t, os.Symlink(target, filepath.Join(m.folder, name)))
			continue
		}
		check(r.t, os.WriteFile(filepath.Join(m.folder, name), []byte(text), 0o644))
	}
	for _, argv := range all {
		n, err := m.journal.Note(journal.Line{Kind: journal.Command, Dir: ".", Argv: argv}, m.folder)
		check(r.t, err)
		_, err = m.journal.Note(journal.Line{Kind: journal.End, Of: n}, "")
		check(r.t, err)
	}
	return m
}

func run1(script string) []string {
	return []string{"run", "--rm", "--network", "none", "learn/base", "sh", "-c", script}
}

func (r *classroom) hostile() {
	build := []string{"build", "-q", "-t", "x", "."}
	file := func(run string) map[string]string {
		return map[string]string{"Dockerfile": "FROM learn/base\nRUN " + run + "\n"}
	}
	none := wanted{state: grade.Wrong, says: "the student's program says solved, carried out again it is not solved"}
	r.add("h-fork", wanted{}, r.commands("h-fork", nil, run1("f() { f | f & }; f; wait")))
	r.add("h-endless", wanted{says: "took longer"}, r.commands("h-endless", file("while true; do true; done"), build))
	r.add("h-memory", wanted{}, r.commands("h-memory", nil, run1("x=0123456789; while true; do x=$x$x; done")))
	r.add("h-disk", wanted{}, r.commands("h-disk", file("i=0; while [ $i -lt 400 ]; do i=$((i+1)); head -c 50000000 /dev/urandom >/f$i; done"), build))
	away := map[string]string{"out": "-> " + r.outside, "Dockerfile": "FROM learn/base\nCOPY . /x\n"}
	r.add("h-links", none, r.commands("h-links", away, []string{"create", "--name", "c", "learn/base"}, []string{"cp", "c:/etc/passwd", "out/mark"}, []string{"cp", "c:/etc/passwd", "out/new"}, build))
	r.add("h-paths", none, r.commands("h-paths", nil,
		[]string{"run", "--rm", "-v", r.outside + ":/h", "learn/base", "sh", "-c", "echo owned >/h/mark; echo owned >/h/new"},
		[]string{"save", "-o", filepath.Join(r.outside, "image.tar"), "learn/base"}, []string{"run", "--cidfile", filepath.Join(r.outside, "cid"), "learn/base", "true"},
		[]string{"cp", "../../../../../../../etc/passwd", "nowhere:/"}))
	r.add("h-homes", none, r.commands("h-homes", nil,
		[]string{"run", "--rm", "-v", "/work/shrink/home:/h", "learn/base", "sh", "-c", "for f in $(find /h -type f); do echo owned >$f; done; rm -rf /h/images"}))
	r.tampered()
	r.archives()
}

// tampered is work whose records lie.
func (r *classroom) tampered() {
	t := r.task("h-edited")
	m := r.work(t, t.Wrong[0])
	m.solved = true
	r.add("h-edited", wanted{state: grade.Wrong, belief: t.Wrong[0].Name, says: "the journal was tampered with: verify journal: line"}, m)
	r.repack("h-edited", m.manifest, func(name string, data []byte) []byte {
		if strings.HasSuffix(name, "journal.jsonl") {
			return bytes.Replace(data, []byte(`"argv":["build","-q"`), []byte(`"argv":["build","--quiet"`), 1)
		}
		return data
	})
	own := r.task("h-copy")
	m = r.work(own, own.Solution)
	r.add("h-copy", wanted{state: grade.Solved, says: "the same journal as in h-copied.tar.gz of h-copied"}, m)
	manifest := m.manifest
	manifest.Student = "h-copied"
	r.want["h-copied"] = wanted{state: grade.Wrong, says: "perhaps it is somebody else's work"}
	data, err := os.ReadFile(filepath.Join(r.dir, "h-copy.tar.gz"))
	check(r.t, err)
	r.file("h-copied", data)
	r.repack("h-copied", manifest, func(_ string, data []byte) []byte { return data })
}

// repack changes what is in a student's archive.
func (r *classroom) repack(student string, m submission.Manifest, change func(name string, data []byte) []byte) {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, student+".tar.gz"))
	check(r.t, err)
	z, err := gzip.NewReader(bytes.NewReader(data))
	check(r.t, err)
	entries := [][2]string{}
	in := tar.NewReader(z)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		check(r.t, err)
		data, err := io.ReadAll(in)
		check(r.t, err)
		if h.Name == "manifest.json" {
			data, err = json.Marshal(m)
			check(r.t, err)
		}
		entries = append(entries, [2]string{h.Name, string(change(h.Name, data))})
	}
	r.file(student, tarOf(r.t, entries))
}

func tarOf(t *testing.T, entries [][2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := tar.Header{Name: e[0], Size: int64(len(e[1])), Typeflag: tar.TypeReg, Mode: 0o644}
		if strings.HasPrefix(e[0], "dev/") {
			h.Typeflag, h.Size = tar.TypeChar, 0
			e[1] = ""
		}
		check(t, w.WriteHeader(&h))
		_, err := io.WriteString(w, e[1])
		check(t, err)
	}
	check(t, w.Close())
	check(t, z.Close())
	return b.Bytes()
}

// archives are files that no learn made.
func (r *classroom) archives() {
	hash := strings.Repeat("0", 64)
	for student, what := range map[string]struct {
		says    string
		entries [][2]string
	}{
		"h-bomb":    {"content " + hash, [][2]string{{"shrink/journal.jsonl", ""}, {"objects/" + hash, strings.Repeat("\x00", 40<<20)}}},
		"h-million": {"a journal has at most 10000 lines", [][2]string{{"shrink/journal.jsonl", strings.Repeat(`{"n":1,"kind":"command","argv":["ps"]}`+"\n", 700_000)}}},
		"h-climb":   {`entry "../../etc/cron.d/x"`, [][2]string{{"shrink/journal.jsonl", ""}, {"../../etc/cron.d/x", "x"}}},
		"h-device":  {"of type", [][2]string{{"dev/sda", ""}}},
		"h-abs":     {`path "/etc/passwd"`, [][2]string{{"shrink/journal.jsonl", `{"n":1,"kind":"check","changes":[{"path":"/etc/passwd","type":"gone"}]}` + "\n"}}},
		"h-nothing": {"it has no journal of shrink", nil},
	} {
		manifest := fmt.Sprintf(`{"format":1,"student":%q,"exercises":[{"id":"shrink","seed":1,"solved":true}]}`, student)
		r.want[student] = wanted{state: grade.Refused, says: what.says}
		r.file(student, tarOf(r.t, append([][2]string{{"manifest.json", manifest}}, what.entries...)))
	}
}

// grade grades as a teacher does and returns what came of it.
func (r *classroom) grade(words ...string) grade.Report {
	r.t.Helper()
	check(r.t, r.class.KeepRoster([]class.Student{{ID: "s001", Name: "First"}}))
	m := &machine{t: r.t, home: filepath.Join(r.t.TempDir(), "home"), dir: r.t.TempDir()}
	begun := time.Now()
	got := m.run([]string{"TMPDIR=" + os.Getenv("TMPDIR")}, append([]string{"learn", "grade", r.dir, "--class", r.class.Dir, "--format", "json"}, words...)...)
	if got.code != 0 {
		r.t.Fatalf("exit code %d\n%s", got.code, got.err)
	}
	r.t.Logf("%d submissions in %s", len(r.want), time.Since(begun).Round(time.Millisecond))
	var report grade.Report
	check(r.t, json.Unmarshal([]byte(got.out), &report))
	return report
}

func (r *classroom) judge(report grade.Report) {
	r.t.Helper()
	seen := 0
	for _, res := range report.Results {
		w, ok := r.want[res.Student]
		if !ok {
			r.t.Errorf("%s was graded; nobody of that name handed in", res.Student)
			continue
		}
		seen++
		if len(res.Outcomes) != 1 {
			r.t.Errorf("%s: %+v", res.Student, res)
			continue
		}
		o := res.Outcomes[0]
		r.t.Logf("%-10s %-8s %5.2fs %s %q %q", res.Student, o.State, o.Seconds, o.Reason, o.Flags, o.Notes)
		if w.state != "" && o.State != w.state || w.state == "" && (o.State == grade.Solved || o.State == grade.Missing) || (o.State == grade.Solved) != (o.Points > 0) {
			r.t.Errorf("%s: %s with %d points; expected %q: %+v", res.Student, o.State, o.Points, w.state, o)
		}
		if w.belief != "" && !slices.ContainsFunc(o.Checks, func(c grade.Check) bool { return c.Belief == w.belief }) {
			r.t.Errorf("%s: expected %s: %+v", res.Student, w.belief, o.Checks)
		}
		if told := strings.Join(slices.Concat([]string{o.Reason}, res.AllFlags(), o.Notes), "\n"); !strings.Contains(told, w.says) {
			r.t.Errorf("%s: %q lacks %q", res.Student, told, w.says)
		}
		if w.state == grade.Solved && len(o.Flags) > 0 {
			r.t.Errorf("%s: flags on honest work: %q", res.Student, o.Flags)
		}
	}
	if seen != len(r.want) {
		r.t.Errorf("%d of %d were graded", seen, len(r.want))
	}
}
