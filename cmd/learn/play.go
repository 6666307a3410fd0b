package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/author"
	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// playFlags are the options of learn play.
type playFlags struct {
	auto  bool
	level string
	seed  uint64
	lang  string
}

func (s *session) playCommand() *cobra.Command {
	f := playFlags{level: "short"}
	cmd := &cobra.Command{
		Use:   "play [LESSON]",
		Short: "Step through a lesson: n next, b back, g N goto, w why, e evidence, ? help, q quit",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lesson, err := s.chosenLesson(args)
			if err != nil {
				return err
			}
			return s.play(cmd.Context(), lesson, f)
		},
	}
	cmd.Flags().BoolVar(&f.auto, "auto", false, "Play through without waiting; a check that fails ends with exit code 1")
	cmd.Flags().StringVar(&f.level, "level", "short", "How much to tell after each step: none, short, full or kernel")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "Seed of the lesson's names and numbers")
	cmd.Flags().StringVar(&f.lang, "lang", "", "Language, such as zh-CN; what has no translation is shown in English (LEARN_LANG, LC_ALL, LANG)")
	return cmd
}

// chosenLesson is the program's lesson that is called so, an author's by its path, or without a name the next one to play.
func (s *session) chosenLesson(args []string) (lessons.Lesson, error) {
	if len(args) > 0 && strings.ContainsAny(args[0], `/\.`) {
		return draftAt(args[0])
	}
	all, err := lessons.EmbeddedHeaders()
	if err != nil {
		return lessons.Lesson{}, err
	}
	h := s.nextLesson(all)
	if len(args) > 0 {
		if h, err = lessons.Find(all, args[0]); err != nil {
			return lessons.Lesson{}, err
		}
	}
	return lessons.EmbeddedOne(h)
}

// draftAt is the lesson at a path.
func draftAt(name string) (lessons.Lesson, error) {
	place, err := author.Open(name)
	if err != nil {
		return lessons.Lesson{}, err
	}
	if len(place.Names) != 1 {
		return lessons.Lesson{}, fmt.Errorf("play %s: there are %d lessons; expected the path of one", name, len(place.Names))
	}
	drafts, faults := place.Read()
	if len(faults) > 0 {
		return lessons.Lesson{}, errors.New(faults[0].String())
	}
	return drafts[0].Lesson, nil
}

func (s *session) listCommand() *cobra.Command {
	var lessonsOnly bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the lessons with their exercises, and what you finished",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return s.list(lessonsOnly) },
	}
	cmd.Flags().BoolVar(&lessonsOnly, "lessons", false, "Only the lessons")
	return cmd
}

func (s *session) list(lessonsOnly bool) error {
	all, err := lessons.EmbeddedHeaders()
	if err != nil {
		return err
	}
	tasks, err := exercises.EmbeddedHeaders()
	if err != nil {
		return err
	}
	played, done := s.progress(), s.exercisesDone()
	wide := 0
	for _, l := range all {
		wide = max(wide, len(l.ID))
	}
	for i, l := range all {
		title, err := localTitle(l)
		if err != nil {
			return err
		}
		state := ""
		if _, ok := played[l.ID]; ok {
			state = "done"
		}
		fmt.Fprintf(s.out, "%2d  %-7s %-*s  %s (%d min)\n", i+1, state, wide, l.ID, title, l.Minutes)
		for _, x := range tasks {
			if x.After == l.ID && !lessonsOnly {
				fmt.Fprintf(s.out, "    %-7s - %s  %s\n", done[x.ID].State, x.ID, x.Title)
			}
		}
	}
	if lessonsOnly {
		return nil
	}
	_, _, err = s.tellAssignments(tasks)
	return err
}

// carryOn greets and goes on with what is not finished: the lessons in their order, each with its exercises.
func (s *session) carryOn(ctx context.Context) error {
	if err := s.settle(); err != nil { // first of all: it may begin the command anew
		return err
	}
	all, err := lessons.EmbeddedHeaders()
	if err != nil {
		return err
	}
	played, done := s.progress(), s.exercisesDone()
	joined, err := s.assignments()
	if err != nil {
		return err
	}
	var tasks []exercises.Header
	if len(played)+len(joined) > 0 {
		if tasks, err = exercises.EmbeddedHeaders(); err != nil {
			return err
		}
	}
	if len(played) == 0 && len(done) == 0 {
		fmt.Fprintf(s.out, "Welcome to learn. You are about to build images and run containers for real,\nand to be told every step that the engine takes.\nEverything is kept in %s.\n\n", s.home)
	}
	if x, ok, err := s.tellAssignments(tasks); err != nil || ok {
		if err != nil {
			return err
		}
		return s.practise(ctx, x)
	}
	for _, l := range all {
		if _, ok := played[l.ID]; !ok {
			lesson, err := lessons.EmbeddedOne(l)
			if err != nil {
				return err
			}
			return s.play(ctx, lesson, playFlags{level: "short", seed: 1})
		}
		for _, x := range tasks {
			if x.After == l.ID && done[x.ID].State == "" {
				return s.practise(ctx, x)
			}
		}
	}
	fmt.Fprintln(s.out, "You finished everything. learn list names the lessons and exercises, learn play and learn start go back to one, learn quiz asks questions.")
	return nil
}

// practise shows an exercise and watches it, if there is somebody to watch for. Once it is solved, it goes on.
func (s *session) practise(ctx context.Context, h exercises.Header) error {
	x, err := exercises.EmbeddedOne(h)
	if err != nil {
		return err
	}
	if _, err := s.begin(ctx, x, "", 0); err != nil || !term.IsTerminal(int(s.in.Fd())) {
		return err
	}
	if err := s.watch(ctx, x); err != nil || s.exercisesDone()[x.ID].State == "" {
		return err
	}
	return s.carryOn(ctx)
}

func (s *session) nextLesson(all []lessons.Header) lessons.Header {
	done := s.progress()
	for _, l := range all {
		if _, ok := done[l.ID]; !ok {
			return l
		}
	}
	return all[0]
}

// play plays one lesson in a home of its own below the user's.
func (s *session) play(ctx context.Context, l lessons.Lesson, f playFlags) error {
	if err := s.settle(); err != nil {
		return err
	}
	lang, err := language(l.Header, f.lang)
	if err != nil {
		return err
	}
	if l.Limits && s.driver == "" && s.nativeErr == nil {
		s.nativeErr = nativeLimits() // then the simulated machine has them
	}
	e, err := s.newLessonEngine(l.ID, f.seed)
	if err != nil {
		return err
	}
	e.withRegistry = l.Registry
	opts := lessons.Options{Engine: e, Programs: e, Out: s.out, Workspace: filepath.Join(e.dir, "work"), Auto: f.auto, Lang: lang, Level: f.level, Width: s.width(), Color: s.color(s.out), Seed: f.seed}
	if !f.auto && term.IsTerminal(int(s.in.Fd())) {
		opts.In = s.in
	}
	page := s.page()
	page.Line(fmt.Sprintf("Driver: %s (%s).", e.driver.Name, e.driver.Reason))
	if e.driver.sim != nil {
		page.Line(fmt.Sprintf("Processes, mounts and limits are those of that machine; images, layers and digests are real, in %s.", e.Home()))
	}
	var asked *tracefile.FileSink
	if s.trace != "" { // opened before: nobody plays a lesson to learn at its end that the file can't be written
		if asked, err = tracefile.OpenFile(s.trace); err != nil {
			return err
		}
	}
	res, err := l.Play(ctx, opts)
	err = errors.Join(err, e.keepTrace(s.tracesDir()), e.writeTrace(asked), e.end(context.WithoutCancel(ctx)))
	var failed *lessons.FailedError
	if errors.As(err, &failed) {
		fmt.Fprintln(s.err, "learn:", err)
		return exitCode(1)
	}
	if err != nil {
		return err
	}
	if res.Finished {
		return s.finish(l.ID, res)
	}
	return nil
}

// finished is what is kept of a lesson that was played to its end.
type finished struct {
	At     time.Time `json:"at"`
	Right  int       `json:"right"`
	Wrong  int       `json:"wrong"`
	Missed []string  `json:"misconceptions,omitempty"`
}

func (s *session) progressFile() string { return filepath.Join(s.home, "progress", "lessons.json") }

// progress reads which lessons are finished; a broken file means none, and the next finished lesson writes it anew.
func (s *session) progress() map[string]finished {
	done := map[string]finished{}
	data, err := os.ReadFile(s.progressFile())
	if err == nil && json.Unmarshal(data, &done) != nil {
		done = map[string]finished{}
	}
	return done
}

func (s *session) finish(id string, res lessons.Result) error {
	done := s.progress()
	done[id] = finished{time.Now().UTC().Truncate(time.Second), res.Right, res.Wrong, res.Missed}
	if err := os.MkdirAll(filepath.Dir(s.progressFile()), 0o700); err != nil {
		return fmt.Errorf("keep progress: %w", err)
	}
	return home.WriteJSON(s.progressFile(), done, 0o600)
}
