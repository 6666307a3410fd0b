package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/spf13/cobra"
)

func (s *session) joinCommand() *cobra.Command {
	var anew bool
	cmd := &cobra.Command{
		Use:   "join FILE",
		Short: "Take an assignment that a teacher gave you, and begin its exercises",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := class.ReadJoin(args[0])
			if err != nil {
				return err
			}
			return s.join(cmd.Context(), j, anew)
		},
	}
	cmd.Flags().BoolVar(&anew, "anew", false, "Throw away exercises that you began with other names and numbers")
	return cmd
}

// join begins an assignment's exercises with its seeds. One that is begun so already stays as it is.
func (s *session) join(ctx context.Context, j class.Join, anew bool) error {
	all, err := exercises.EmbeddedHeaders()
	if err != nil {
		return err
	}
	if err := s.settle(); err != nil {
		return err
	}
	chosen := make([]exercises.Exercise, len(j.Exercises))
	for i, p := range j.Exercises {
		at := slices.IndexFunc(all, func(h exercises.Header) bool { return h.ID == p.ID })
		if at < 0 {
			return fmt.Errorf("join %s: this learn has no exercise %s; expected the teacher's version or a newer one", j.Assignment, p.ID)
		}
		if chosen[i], err = exercises.EmbeddedOne(all[at]); err != nil {
			return err
		}
		rec, begun, err := s.readRecord(p.ID)
		if err != nil {
			return err
		}
		if begun && rec.Seed != p.Seed && !anew {
			return fmt.Errorf("join %s: you began %s in %s with other names and numbers; learn join --anew throws that away", j.Assignment, p.ID, rec.Folder)
		}
	}
	for i, p := range j.Exercises {
		if err := s.joinExercise(ctx, chosen[i], p); err != nil {
			return err
		}
	}
	if err := s.keepAssignment(j); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s, this is assignment %s of %s%s:\n", j.Name, j.Assignment, j.Class, dueClause(j.Due))
	for _, x := range chosen {
		rec, _, err := s.readRecord(x.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "  %-20s %s\n    in %s\n", x.ID, x.Title, rec.Folder)
	}
	fmt.Fprintln(s.out, "\nlearn start EXERCISE shows a task, learn check tells whether it is solved, learn submit packs your work for the teacher.")
	return nil
}

func (s *session) joinExercise(ctx context.Context, x exercises.Exercise, p class.Part) error {
	rec, begun, err := s.readRecord(x.ID)
	if err != nil || begun && rec.Seed == p.Seed {
		return err
	}
	dir := ""
	if begun {
		dir = rec.Folder
		if err := s.discard(ctx, rec); err != nil {
			return err
		}
	}
	if err := s.keepProgress(x.ID, func(p *exerciseProgress) { *p = exerciseProgress{} }); err != nil {
		return err
	}
	_, err = s.makeExercise(ctx, x, dir, p.Seed)
	return err
}

func dueClause(due time.Time) string {
	if due.IsZero() {
		return ""
	}
	return ", due " + due.Local().Format("2006-01-02 15:04")
}

func (s *session) assignmentsFile() string {
	return filepath.Join(s.base(), "progress", "assignments.json")
}

// assignments are those that were joined, the last one last.
func (s *session) assignments() ([]class.Join, error) {
	data, err := os.ReadFile(s.assignmentsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []class.Join
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("read assignments: %w; remove %s and join again", err, s.assignmentsFile())
	}
	return all, nil
}

func (s *session) keepAssignment(j class.Join) error {
	all, err := s.assignments()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(o class.Join) bool { return o.Class == j.Class && o.Assignment == j.Assignment })
	if err := os.MkdirAll(filepath.Dir(s.assignmentsFile()), 0o700); err != nil {
		return fmt.Errorf("keep assignment: %w", err)
	}
	return home.WriteJSON(s.assignmentsFile(), append(all, j), 0o600)
}

// tellAssignments says how far the joined assignments are, and returns the first exercise of them that is not finished.
func (s *session) tellAssignments(tasks []exercises.Header) (next exercises.Header, ok bool, err error) {
	joined, err := s.assignments()
	if err != nil {
		return next, false, err
	}
	done := s.exercisesDone()
	for _, j := range joined {
		solved := 0
		for _, p := range j.Exercises {
			at := slices.IndexFunc(tasks, func(h exercises.Header) bool { return h.ID == p.ID })
			switch {
			case done[p.ID].State == "solved":
				solved++
			case at >= 0 && done[p.ID].State == "" && !ok:
				next, ok = tasks[at], true
			}
		}
		fmt.Fprintf(s.out, "Assignment %s of %s%s: %d of %d solved; learn submit packs it.\n", j.Assignment, j.Class, dueClause(j.Due), solved, len(j.Exercises))
	}
	return next, ok, nil
}
