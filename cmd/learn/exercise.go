package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/exercises/journal"
	"github.com/learn-containers/learn/lessons"
	"github.com/spf13/cobra"
)

func (s *session) exerciseCommands() []*cobra.Command {
	return []*cobra.Command{s.startCommand(), s.checkCommand(), s.hintCommand(), s.resetCommand(), s.solutionCommand(), s.skipCommand(), s.watchCommand()}
}

// onExercise is a command about one exercise: the named one, else that of the folder, else the one at hand.
func (s *session) onExercise(use, short string, do func(ctx context.Context, x exercises.Exercise) error) *cobra.Command {
	return &cobra.Command{
		Use:   use + " [EXERCISE]",
		Short: short,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			x, err := s.chosen(args)
			if err != nil {
				return err
			}
			return do(cmd.Context(), x)
		},
	}
}

func (s *session) chosen(args []string) (exercises.Exercise, error) {
	all, err := exercises.EmbeddedHeaders()
	if err != nil {
		return exercises.Exercise{}, err
	}
	h, err := s.chosenOf(all, args)
	if err != nil {
		return exercises.Exercise{}, err
	}
	return exercises.EmbeddedOne(h)
}

func (s *session) chosenOf(all []exercises.Header, args []string) (exercises.Header, error) {
	if len(args) > 0 {
		return exercises.Find(all, args[0])
	}
	if dir, err := os.Getwd(); err == nil {
		if id := s.exerciseAt(dir); id != "" {
			return exercises.Find(all, id)
		}
	}
	if x, ok := s.atHand(all); ok {
		return x, nil
	}
	return exercises.Header{}, errors.New("every exercise is solved or skipped; name one, learn list shows them")
}

// atHand is the exercise that was begun last and is not finished, else the first that is not.
func (s *session) atHand(all []exercises.Header) (exercises.Header, bool) {
	done := s.exercisesDone()
	var found exercises.Header
	var latest time.Time
	ok := false
	for _, x := range all {
		if done[x.ID].State != "" {
			continue
		}
		rec, begun, err := s.readRecord(x.ID)
		if err == nil && begun && rec.At.After(latest) {
			found, latest, ok = x, rec.At, true
		}
		if !ok {
			found, ok = x, true
		}
	}
	return found, ok
}

func (s *session) startCommand() *cobra.Command {
	var dir string
	var seed uint64
	cmd := s.onExercise("start", "Begin an exercise, or read its task again", func(ctx context.Context, x exercises.Exercise) error {
		_, err := s.begin(ctx, x, dir, seed)
		return err
	})
	cmd.Flags().StringVar(&dir, "dir", "", "Folder to work in (default: learn-exercises/NAME in your home folder)")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "Seed of names and numbers; 0 draws one")
	return cmd
}

// begin makes the exercise's folder and home, unless it has been begun, and shows the task.
func (s *session) begin(ctx context.Context, x exercises.Exercise, dir string, seed uint64) (exerciseRecord, error) {
	rec, begun, err := s.readRecord(x.ID)
	if err != nil {
		return rec, err
	}
	if begun && dir != "" {
		return rec, fmt.Errorf("begin exercise %s in %s: it has been begun in %s; learn reset %s makes an end of that", x.ID, dir, rec.Folder, x.ID)
	}
	if !begun {
		if rec, err = s.makeExercise(ctx, x, dir, seed); err != nil {
			return rec, err
		}
	}
	t, err := x.Task(rec.Seed)
	if err != nil {
		return rec, err
	}
	s.page().Prose(t.Markdown())
	fmt.Fprintf(s.out, "\nWork in the folder %s\n  learn docker ...   works on this exercise there\n  learn check        tells whether it is solved\n  learn hint, reset, solution, skip   when you are stuck\n", rec.Folder)
	return rec, nil
}

func (s *session) page() lessons.Page { return lessons.NewPage(s.out, s.width(), s.color(s.out)) }

// makeExercise begins an exercise anew. What is made before an error is taken away again.
func (s *session) makeExercise(ctx context.Context, x exercises.Exercise, dir string, seed uint64) (rec exerciseRecord, err error) {
	if dir, err = s.newFolder(x.ID, dir); err != nil {
		return rec, err
	}
	if err := s.settle(); err != nil {
		return rec, err
	}
	if x.Limits && s.driver == "" && s.nativeErr == nil {
		s.nativeErr = nativeLimits() // then the simulated machine has them
	}
	if seed == 0 {
		seed = rand.Uint64()>>48 + 1
	}
	t, err := x.Task(seed)
	if err != nil {
		return rec, err
	}
	rec = exerciseRecord{ID: x.ID, Seed: seed, Folder: dir, Registry: x.Registry, At: time.Now().UTC().Truncate(time.Second)}
	in := s.inside(rec)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.discard(context.WithoutCancel(ctx), rec))
		}
	}()
	e, err := in.openExercise(ctx)
	if err != nil {
		return rec, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	rec.Driver = e.driver.Name
	if rec.Began, err = t.Begin(ctx, e.bench(rec)); err != nil {
		return rec, err
	}
	if err := s.keepRecord(rec); err != nil {
		return rec, err
	}
	events, err := e.Trace(ctx, 0)
	if err != nil {
		return rec, err
	}
	if _, err := s.journal(rec.ID).Note(journal.Line{Kind: journal.Begin, Exercise: rec.ID, Seed: rec.Seed, Folder: rec.Folder, Made: journal.Made(events)}, rec.Folder); err != nil {
		return rec, err
	}
	return rec, s.keepFolder(rec.ID, rec.Folder)
}

// inside is a session that works in the exercise's home.
func (s *session) inside(rec exerciseRecord) *session {
	in := *s
	in.drivers = nil
	if rec.Driver == "" {
		rec.Driver = s.driver
	}
	in.enterRecord(rec)
	return &in
}

// newFolder makes the folder to work in, which has to be empty or not there.
func (s *session) newFolder(id, dir string) (string, error) {
	if dir == "" {
		dir = filepath.Join(s.workDir(), id)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look into the exercise's folder: %w", err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("begin exercise %s: %s is not empty; choose another folder with --dir", id, dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the exercise's folder: %w", err)
	}
	return filepath.EvalSymlinks(dir)
}

// workDir is where exercises have their folders: in sight, unless learn was told to keep everything in one place.
func (s *session) workDir() string {
	user, err := os.UserHomeDir()
	if os.Getenv("LEARN_HOME") != "" || s.home != homePath() || err != nil {
		return filepath.Join(s.base(), "work")
	}
	return filepath.Join(user, "learn-exercises")
}

// discard removes an exercise's containers, home, trace and folder.
func (s *session) discard(ctx context.Context, rec exerciseRecord) error {
	in := s.inside(rec)
	var errs []error
	if e, err := in.openExercise(ctx); err == nil {
		errs = append(errs, e.Reset(ctx), e.close())
	}
	return errors.Join(append(errs, s.keepFolder(rec.ID, ""), os.RemoveAll(s.exerciseDir(rec.ID)), emptyFolder(rec.Folder))...)
}

// emptyFolder leaves the folder itself: the learner's shell may stand in it.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}

func (s *session) checkCommand() *cobra.Command {
	return s.onExercise("check", "Tell whether the exercise is solved, and what is missing", func(ctx context.Context, x exercises.Exercise) error {
		ended := s.noteCheck(x.ID)
		v, err := s.judge(ctx, x)
		if err != nil {
			return err
		}
		if err := s.report(x, v); err != nil {
			return err
		}
		if !v.Solved() {
			ended(1)
			return exitCode(1)
		}
		ended(0)
		return nil
	})
}

// judge judges an exercise that has been begun.
func (s *session) judge(ctx context.Context, x exercises.Exercise) (v exercises.Verdict, err error) {
	rec, begun, err := s.readRecord(x.ID)
	if err != nil {
		return v, err
	}
	if !begun {
		return v, fmt.Errorf("exercise %s has not been begun; learn start %s begins it", x.ID, x.ID)
	}
	if err := s.settle(); err != nil {
		return v, err
	}
	t, err := x.Task(rec.Seed)
	if err != nil {
		return v, err
	}
	e, err := s.inside(rec).openExercise(ctx)
	if err != nil {
		return v, err
	}
	b := e.bench(rec)
	v, err = t.Judge(ctx, b)
	return v, errors.Join(err, e.close(), os.RemoveAll(b.Scratch))
}

// report shows a verdict and keeps it.
func (s *session) report(x exercises.Exercise, v exercises.Verdict) error {
	catalogue, err := lessons.Misconceptions()
	if err != nil {
		return err
	}
	v.Report(s.page(), catalogue)
	if !v.Solved() {
		fmt.Fprintln(s.out, "\nlearn hint tells where to look.")
	}
	rec, _, err := s.readRecord(x.ID)
	if err != nil {
		return err
	}
	return s.keepProgress(x.ID, func(p *exerciseProgress) {
		p.Seed, p.Hints = rec.Seed, rec.Hints
		if p.State == "" {
			p.Tries++
		}
		if v.Solved() && p.State != "shown" {
			p.State = "solved"
		}
	})
}

func (s *session) hintCommand() *cobra.Command {
	return s.onExercise("hint", "Show the next hint: where to look, the idea, what is wrong with yours, the solution", s.hint)
}

func (s *session) hint(ctx context.Context, x exercises.Exercise) error {
	rec, begun, err := s.readRecord(x.ID)
	if err != nil {
		return err
	}
	if !begun {
		return fmt.Errorf("exercise %s has not been begun; learn start %s begins it", x.ID, x.ID)
	}
	t, err := x.Task(rec.Seed)
	if err != nil {
		return err
	}
	n := min(rec.Hints, len(t.Hints)-1)
	h := t.Hints[n]
	fmt.Fprintf(s.out, "Hint %d of %d\n", n+1, len(t.Hints))
	switch {
	case h.Solution:
		fmt.Fprintf(s.out, "\nNothing is left to hint at: learn solution %s shows a way, learn skip goes on without.\n", x.ID)
	case h.Computed:
		v, err := s.judge(ctx, x)
		if err != nil {
			return err
		}
		if err := s.report(x, v); err != nil {
			return err
		}
	default:
		s.page().Prose(h.Text)
	}
	rec.Hints = max(rec.Hints, n+1)
	return s.keepRecord(rec)
}
