package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/grade"
	"github.com/learn-containers/learn/exercises/journal"
	"github.com/learn-containers/learn/exercises/submission"
	"github.com/learn-containers/learn/lessons"
	"github.com/spf13/cobra"
)

// What one submission may use while it is graded.
const (
	gradeMemory = 1 << 30 // bytes
	gradeDisk   = 1 << 30 // bytes
	gradeFiles  = 50_000
)

// gradeRequest is what the grader's child is told on its standard input. The input stays open: its end means that nobody waits any more.
type gradeRequest struct {
	Root      string            `json:"root"`    // holds submission.tar.gz, objects, tmp, and work/ID/home for each exercise
	Confine   bool              `json:"confine"` // see nothing but Root
	Lent      map[string]string `json:"lent"`    // files of the homes that are everybody's
	CPU       uint64            `json:"cpu"`     // seconds
	Limit     time.Duration     `json:"limit"`   // of one command
	Exercises []class.Part      `json:"exercises"`
	Folders   map[string]string `json:"folders"` // where each is among the program's own
}

// gradeAnswer is one line of its standard output.
type gradeAnswer struct {
	Outcome *grade.Outcome `json:"outcome,omitempty"`
	Refused string         `json:"refused,omitempty"` // the whole submission
}

// gradeOneCommand is the hidden command of the child.
func (s *session) gradeOneCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "grade-one",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r gradeRequest
			in := json.NewDecoder(s.in)
			if err := in.Decode(&r); err != nil {
				return fmt.Errorf("read what to grade: %w", err)
			}
			go func() {
				_, _ = io.Copy(io.Discard, s.in)
				os.Exit(3)
			}()
			return s.gradeOne(cmd.Context(), r)
		},
	}
}

func (s *session) gradeOne(ctx context.Context, r gradeRequest) error {
	out := json.NewEncoder(s.out)
	if r.Confine {
		if err := confine(r.Root, r.Lent, r.CPU); err != nil {
			return err
		}
		r.Root = string(os.PathSeparator)
	}
	if len(r.Exercises) == 0 {
		return nil
	}
	if err := os.Setenv("TMPDIR", filepath.Join(r.Root, "tmp")); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(r.Root, "submission.tar.gz"))
	if err != nil {
		return err
	}
	sub, err := submission.Unpack(f, filepath.Join(r.Root, "objects"))
	if err = errors.Join(err, f.Close()); err != nil {
		return out.Encode(gradeAnswer{Refused: err.Error()})
	}
	s.driver = simName
	for _, p := range r.Exercises {
		o, err := s.gradeExercise(ctx, r, sub, p)
		if err != nil {
			o.State, o.Reason = grade.Refused, err.Error()
		}
		if err := out.Encode(gradeAnswer{Outcome: &o}); err != nil {
			return err
		}
	}
	return nil
}

// gradeExercise carries one exercise out: its start with the given seed, the journal's commands, its checks. The error is why it could not be judged.
func (s *session) gradeExercise(ctx context.Context, r gradeRequest, sub submission.Submission, p class.Part) (o grade.Outcome, err error) {
	begun := time.Now()
	o = grade.Outcome{Exercise: p.ID}
	defer func() { o.Seconds = time.Since(begun).Seconds() }()
	x, err := exercises.EmbeddedAt(r.Folders[p.ID])
	if err != nil {
		return o, err
	}
	o.Title, o.Of = x.Title, x.Points
	at := slices.IndexFunc(sub.Exercises, func(q submission.Part) bool { return q.ID == p.ID })
	if at < 0 {
		return o, fmt.Errorf("grade %s: it is not in the submission", p.ID)
	}
	g := replayer{limit: r.Limit, sub: sub, log: sub.Logs[p.ID], part: sub.Exercises[at], outcome: &o, seed: p.Seed}
	g.engine = &lessonEngine{session: s, id: "grade-" + p.ID, dir: filepath.Join(r.Root, "work", p.ID), seed: p.Seed}
	g.engine.withRegistry = x.Registry
	if err := g.engine.openDriver(); err != nil {
		return o, err
	}
	if err := g.engine.begin(ctx); err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, g.engine.end(context.WithoutCancel(ctx))) }()
	if g.task, err = x.Task(p.Seed); err != nil {
		return o, err
	}
	return o, g.grade(ctx)
}

// begin opens the engine in a home that is ready and begins a trace.
func (e *lessonEngine) begin(ctx context.Context) error {
	e.listen()
	opened, err := e.open(recordedBy(ctx, e.recorder))
	e.engine = opened
	return err
}

// replayer carries a journal out again.
type replayer struct {
	engine  *lessonEngine
	task    exercises.Task
	sub     submission.Submission
	log     journal.Log
	part    submission.Part
	seed    uint64
	limit   time.Duration
	folder  string
	theirs  string // where the folder lay on the student's machine
	names   journal.Names
	told    int // how many of the engine's events are known to names
	outcome *grade.Outcome
}

func (g *replayer) grade(ctx context.Context) error {
	b := exercises.Bench{Engine: g.engine, Programs: g.engine, Folder: filepath.Join(g.engine.dir, "folder"), Scratch: filepath.Join(g.engine.dir, "scratch"), Epoch: proofEpoch}
	g.folder = b.Folder
	var err error
	if b.Began, err = g.task.Begin(ctx, b); err != nil {
		return err
	}
	g.compareJournal()
	for _, step := range g.log.Steps() {
		if step.Kind == journal.Begin {
			if err := g.learn(ctx, step.Made); err != nil {
				return err
			}
		}
	}
	if err := g.replay(ctx); err != nil {
		return err
	}
	v, err := g.task.Judge(ctx, b)
	if err != nil {
		return err
	}
	g.judged(v)
	return nil
}

func (g *replayer) judged(v exercises.Verdict) {
	o := g.outcome
	o.State = grade.Wrong
	if v.Solved() {
		o.State, o.Points = grade.Solved, o.Of
	} else {
		o.Reason = v.First().Check.Says
	}
	for _, f := range v.Findings {
		o.Checks = append(o.Checks, grade.Check{ID: f.Check.ID, Says: f.Check.Says, Holds: f.Holds, Belief: f.Belief, Told: f.Says})
	}
	if g.part.Solved != v.Solved() {
		g.flag("the student's program says %s, carried out again it is %s", solvedWord(g.part.Solved), solvedWord(v.Solved()))
	}
}

func solvedWord(is bool) string {
	if is {
		return "solved"
	}
	return "not solved"
}

const maxFlags = 8

func (g *replayer) flag(format string, args ...any) {
	if len(g.outcome.Flags) < maxFlags {
		g.outcome.Flags = append(g.outcome.Flags, fmt.Sprintf(format, args...))
	}
}

func (g *replayer) note(format string, args ...any) {
	if len(g.outcome.Notes) < maxFlags {
		g.outcome.Notes = append(g.outcome.Notes, fmt.Sprintf(format, args...))
	}
}

// compareJournal says where the submission contradicts itself or the class. Nothing of it changes the verdict.
func (g *replayer) compareJournal() {
	if g.log.Fault != nil {
		g.flag("the journal was tampered with: %v", g.log.Fault)
	}
	if g.part.Journal != g.log.Head {
		g.flag("the manifest was made for another journal")
	}
	if g.part.Folder != g.log.State().Digest() {
		g.flag("the manifest was made for another folder")
	}
	seeds := []uint64{g.part.Seed}
	for _, l := range g.log.Lines {
		if l.Kind == journal.Begin {
			seeds, g.theirs = append(seeds, l.Seed), l.Folder
		}
	}
	if len(seeds) == 1 {
		g.flag("the journal has no beginning")
	}
	for _, seed := range seeds {
		if seed != g.seed {
			g.flag("it was done with seed %d; the student's own is %d: perhaps it is somebody else's work", seed, g.seed)
			break
		}
	}
}

func (g *replayer) replay(ctx context.Context) error {
	root, err := os.OpenRoot(g.folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, step := range g.log.Steps() {
		if err := journal.Restore(root, step.Changes, g.content); err != nil {
			return fmt.Errorf("line %d of the journal: %w", step.N, err)
		}
		if step.Omitted > 0 {
			g.note("line %d: %d files of the folder were too large or too many to be kept", step.N, step.Omitted)
		}
		if step.Kind != journal.Command {
			continue
		}
		if err := g.command(ctx, root, step); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// command carries one command out and compares how it ends.
func (g *replayer) command(ctx context.Context, root *os.Root, step journal.Step) error {
	if step.Terminal && interactive(step.Argv) {
		g.note("line %d: docker %s was done at a terminal, so what was typed is not known; it was left out", step.N, strings.Join(step.Argv, " "))
		return nil
	}
	dir := filepath.Join(g.folder, filepath.FromSlash(step.Dir))
	if info, err := root.Stat(filepath.FromSlash(step.Dir)); step.Dir == "" || err != nil || !info.IsDir() {
		g.note("line %d: the folder %.80q is not there; the command was left out", step.N, step.Dir)
		return nil
	}
	input, err := g.input(step.Input)
	if err != nil {
		return err
	}
	defer input.Close()
	app := scriptApp(g.engine.engine, lessons.Streams{In: input, Out: io.Discard, Err: io.Discard}, dir, []string{"HOME=" + g.folder, "LEARN_HOME=" + g.engine.Home(), "NO_COLOR=1", "LEARN_OFFLINE=1"})
	if !step.Ended || step.Code == 130 || step.Code == 143 {
		app.Interrupts = interruptAfter(interruptWait)
	}
	inside, cancel := context.WithTimeout(recordedBy(ctx, g.engine.recorder), g.limit)
	defer cancel()
	code := docker.Execute(inside, app, g.here(step.Argv))
	if inside.Err() != nil {
		g.flag("line %d: docker %s took longer than %s and was ended", step.N, shortened(step.Argv), g.limit)
	} else if step.Ended && code != step.Code {
		g.flag("line %d: docker %s ended with %d there and with %d here", step.N, shortened(step.Argv), step.Code, code)
	}
	return g.learn(ctx, step.Made)
}

// learn takes in what a command made there and what it made here.
func (g *replayer) learn(ctx context.Context, there []string) error {
	events, err := g.engine.Trace(ctx, uint64(g.told))
	if err != nil {
		return fmt.Errorf("read the engine's trace: %w", err)
	}
	g.told += len(events)
	g.names.Learn(there, journal.Made(events))
	return nil
}

// shortText is the size in bytes up to which a file may be an answer, in which ids and process numbers are those of the student's machine.
const shortText = 4 << 10

// content is a file of the submission, as it would be if it had been written here.
func (g *replayer) content(hash string) (io.ReadCloser, error) {
	in, err := g.sub.Content(hash)
	if err != nil {
		return nil, err
	}
	head, err := io.ReadAll(io.LimitReader(in, shortText+1))
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	if len(head) <= shortText && utf8.Valid(head) {
		head = []byte(g.names.In(string(head)))
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), in), in}, nil
}

func shortened(argv []string) string {
	text := strings.Join(argv, " ")
	return text[:min(len(text), 60)]
}

func (g *replayer) input(hash string) (io.ReadCloser, error) {
	if hash == "" {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return g.sub.Content(hash)
}

// here is a command line in which the folder's path, ids and process numbers on the student's machine are those on this one.
func (g *replayer) here(argv []string) []string {
	out := make([]string, len(argv))
	for i, w := range argv {
		if len(g.theirs) >= 4 {
			w = strings.ReplaceAll(w, g.theirs, g.folder)
		}
		out[i] = g.names.In(w)
	}
	return out
}

// interruptWait is how long a command that the student interrupted may work before it is interrupted here.
const interruptWait = time.Second

func interruptAfter(d time.Duration) func() (<-chan driver.Signal, func()) {
	return func() (<-chan driver.Signal, func()) {
		const sigint = 2
		signals, quit := make(chan driver.Signal), make(chan struct{})
		go func() {
			select {
			case <-time.After(d):
			case <-quit:
				return
			}
			select {
			case signals <- sigint:
			case <-quit:
			}
		}()
		return signals, func() { close(quit) }
	}
}

// interactive tells whether a command at a terminal waits for what is typed.
func interactive(argv []string) bool {
	words := argv
	if len(words) > 1 && (words[0] == "container" || words[0] == "image" || words[0] == "system" || words[0] == "volume" || words[0] == "network" || words[0] == "builder") {
		words = words[1:]
	}
	if len(words) == 0 {
		return false
	}
	switch words[0] {
	case "attach":
		return true
	case "prune":
		return !slices.ContainsFunc(words, func(w string) bool { return w == "--force" || isShort(w, "f") })
	case "run", "exec", "start":
		for _, w := range words[1:] {
			if w == "--interactive" || w == "--tty" || w == "--interactive=true" || w == "--tty=true" || isShort(w, "it") {
				return true
			}
		}
	case "build":
		return slices.Contains(words, "--debug") || slices.Contains(words, "--step")
	}
	return false
}

// isShort tells whether w is a cluster of short flags of run, such as -dit, that has one of the letters.
func isShort(w, letters string) bool {
	cluster, ok := strings.CutPrefix(w, "-")
	return ok && cluster != "" && strings.Trim(cluster, "abdfitqP") == "" && strings.ContainsAny(cluster, letters)
}
