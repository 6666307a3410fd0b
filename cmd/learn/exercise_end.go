package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/exercises"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (s *session) solutionCommand() *cobra.Command {
	var yes bool
	cmd := s.onExercise("solution", "Show a solution; before the exercise is solved, this counts as giving up", func(_ context.Context, x exercises.Exercise) error {
		return s.solution(x, yes)
	})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "Don't ask")
	return cmd
}

func (s *session) solution(x exercises.Exercise, yes bool) error {
	rec, begun, err := s.readRecord(x.ID)
	if err != nil {
		return err
	}
	if !begun {
		rec.Seed = 1
	}
	if s.exercisesDone()[x.ID].State != "solved" {
		if ok, err := s.agreed(yes, "It is not solved yet. Give up and see a solution?"); err != nil || !ok {
			return err
		}
		if err := s.keepProgress(x.ID, func(p *exerciseProgress) { p.State, p.Seed, p.Hints = "shown", rec.Seed, rec.Hints }); err != nil {
			return err
		}
	}
	t, err := x.Task(rec.Seed)
	if err != nil {
		return err
	}
	page := s.page()
	for _, f := range t.Solution.Files {
		page.Prose("File `" + f.Path + "`:\n\n```\n" + strings.TrimRight(f.Content, "\n") + "\n```")
	}
	if t.Solution.Do != "" {
		page.Prose("Commands:\n\n```console\n" + strings.TrimRight(t.Solution.Do, "\n") + "\n```")
	}
	return nil
}

// agreed asks, unless yes was said already. Without a terminal nobody can answer.
func (s *session) agreed(yes bool, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if !term.IsTerminal(int(s.in.Fd())) {
		return false, fmt.Errorf("%s Nobody is there to answer; say --yes", question)
	}
	fmt.Fprintf(s.out, "%s [y/N] ", question)
	in := bufio.NewScanner(s.in)
	in.Scan()
	answer := strings.ToLower(strings.TrimSpace(in.Text()))
	return answer == "y" || answer == "yes", in.Err()
}

func (s *session) skipCommand() *cobra.Command {
	return s.onExercise("skip", "Go on without the exercise; learn start comes back to it", func(_ context.Context, x exercises.Exercise) error {
		if s.exercisesDone()[x.ID].State == "solved" {
			fmt.Fprintf(s.out, "%s is solved already.\n", x.ID)
			return nil
		}
		if err := s.keepProgress(x.ID, func(p *exerciseProgress) { p.State = "skipped" }); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Skipped %s. learn goes on with what comes next, learn start %s comes back.\n", x.ID, x.ID)
		return nil
	})
}

func (s *session) resetCommand() *cobra.Command {
	var all, yes bool
	cmd := &cobra.Command{
		Use:   "reset [EXERCISE]",
		Short: "Begin an exercise anew: its folder, containers and images; --all for every one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all {
				if len(args) > 0 {
					return fmt.Errorf("--all and %s: expected one of them", args[0])
				}
				return s.resetAll(cmd.Context(), yes)
			}
			x, err := s.chosen(args)
			if err != nil {
				return err
			}
			return s.reset(cmd.Context(), x, yes)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "Throw away every exercise that was begun, and the progress with exercises")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "Don't ask")
	return cmd
}

// reset throws an exercise's work away and makes its start again, with the same names and numbers in the same folder.
func (s *session) reset(ctx context.Context, x exercises.Exercise, yes bool) error {
	rec, begun, err := s.readRecord(x.ID)
	if err != nil {
		rec, begun = exerciseRecord{ID: x.ID, Folder: filepath.Join(s.workDir(), x.ID)}, true // whatever it was
	}
	if !begun {
		return fmt.Errorf("exercise %s has not been begun; learn start %s begins it", x.ID, x.ID)
	}
	if ok, err := s.agreed(yes, fmt.Sprintf("Throw away %s and everything in it?", rec.Folder)); err != nil || !ok {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	if err := s.discard(ctx, rec); err != nil {
		return err
	}
	_, err = s.begin(ctx, x, rec.Folder, rec.Seed)
	return err
}

func (s *session) resetAll(ctx context.Context, yes bool) error {
	all, err := exercises.EmbeddedHeaders()
	if err != nil {
		return err
	}
	if ok, err := s.agreed(yes, "Throw away the folders of all exercises and your progress with them?"); err != nil || !ok {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	var errs []error
	for _, x := range all {
		if rec, begun, err := s.readRecord(x.ID); err != nil {
			errs = append(errs, err)
		} else if begun {
			errs = append(errs, s.discard(ctx, rec))
		}
	}
	if err := os.Remove(s.exerciseProgressFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
