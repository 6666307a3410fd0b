package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/journal"
	"github.com/learn-containers/learn/exercises/submission"
	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/spf13/cobra"
)

func (s *session) submitCommand() *cobra.Command {
	var out, assignment, student string
	cmd := &cobra.Command{
		Use:   "submit [EXERCISE...]",
		Short: "Pack an assignment, or some exercises, for the teacher: one file",
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := s.toSubmit(assignment, student, args)
			if err != nil {
				return err
			}
			return s.submit(cmd.Context(), j, out)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "File to write (default: STUDENT-ASSIGNMENT.tar.gz)")
	cmd.Flags().StringVar(&assignment, "assignment", "", "Assignment to hand in (default: the one joined last)")
	cmd.Flags().StringVar(&student, "student", "", "Who you are, for exercises that nobody assigned")
	return cmd
}

// toSubmit is what is to be handed in: an assignment that was joined, or exercises of one's own choice.
func (s *session) toSubmit(assignment, student string, words []string) (class.Join, error) {
	joined, err := s.assignments()
	if err != nil {
		return class.Join{}, err
	}
	if len(words) == 0 {
		for _, j := range slices.Backward(joined) {
			if assignment == "" || j.Assignment == assignment {
				return j, nil
			}
		}
		if assignment != "" {
			return class.Join{}, fmt.Errorf("submit %s: you did not join it; learn join FILE does", assignment)
		}
		return class.Join{}, errors.New("submit: you joined no assignment; learn join FILE joins one, or name the exercises to hand in")
	}
	if !class.ValidID(student) {
		return class.Join{}, fmt.Errorf("submit exercises: student %q; expected --student with letters, digits and ._@+-", student)
	}
	all, err := exercises.EmbeddedHeaders()
	if err != nil {
		return class.Join{}, err
	}
	j := class.Join{Student: student}
	for _, w := range words {
		x, err := exercises.Find(all, w)
		if err != nil {
			return j, err
		}
		rec, _, err := s.readRecord(x.ID)
		if err != nil {
			return j, err
		}
		j.Exercises = append(j.Exercises, class.Part{ID: x.ID, Seed: rec.Seed})
	}
	return j, nil
}

func (s *session) submit(ctx context.Context, j class.Join, out string) error {
	if err := s.begunAs(j); err != nil {
		return err
	}
	all, err := exercises.EmbeddedHeaders()
	if err != nil {
		return err
	}
	m := submission.Manifest{Format: 1, Program: docker.Version(), Class: j.Class, Assignment: j.Assignment, Student: j.Student}
	journals := map[string]journal.Journal{}
	for _, p := range j.Exercises {
		h, err := exercises.Find(all, p.ID)
		if err != nil {
			return err
		}
		x, err := exercises.EmbeddedOne(h)
		if err != nil {
			return err
		}
		part, at, err := s.part(ctx, x)
		if err != nil {
			return fmt.Errorf("submit %s: %w", p.ID, err)
		}
		m.Exercises, journals[p.ID] = append(m.Exercises, part), s.journal(p.ID)
		if at.After(m.At) {
			m.At = at
		}
	}
	if out == "" {
		out = strings.Join(slices.DeleteFunc([]string{j.Student, j.Assignment}, func(w string) bool { return w == "" }), "-") + ".tar.gz"
	}
	var archive bytes.Buffer
	if err := submission.Pack(&archive, m, journals); err != nil {
		return err
	}
	if err := home.WriteFile(out, archive.Bytes(), 0o644); err != nil {
		return err
	}
	for _, p := range m.Exercises {
		fmt.Fprintf(s.out, "  %-20s %s\n", p.ID, map[bool]string{true: "solved", false: "not solved"}[p.Solved])
	}
	fmt.Fprintf(s.out, "Wrote %s, %d bytes. Give it to your teacher; handing in again is done by the same command.\n", out, archive.Len())
	return nil
}

// begunAs refuses what was not begun, or not with the names and numbers of the assignment.
func (s *session) begunAs(j class.Join) error {
	var errs []error
	for _, p := range j.Exercises {
		rec, begun, err := s.readRecord(p.ID)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !begun && j.Assignment == "":
			errs = append(errs, fmt.Errorf("submit %s: it was not begun; learn start %s begins it", p.ID, p.ID))
		case !begun:
			errs = append(errs, fmt.Errorf("submit %s: it was not begun; join the assignment again", p.ID))
		case rec.Seed != p.Seed:
			errs = append(errs, fmt.Errorf("submit %s: it was begun with other names and numbers than those of %s; learn join --anew begins it with these", p.ID, j.Assignment))
		}
	}
	return errors.Join(errs...)
}

// part notes the folder a last time and puts together what is told of one exercise. at is when the work ended.
func (s *session) part(ctx context.Context, x exercises.Exercise) (p submission.Part, at time.Time, err error) {
	rec, _, err := s.readRecord(x.ID)
	if err != nil {
		return p, at, err
	}
	j := s.journal(x.ID)
	log, err := j.Read()
	if err != nil {
		return p, at, err
	}
	if err := noteSubmit(j, log, rec.Folder); err != nil {
		return p, at, err
	}
	if log, err = j.Read(); err != nil {
		return p, at, err
	}
	state := log.State()
	p = submission.Part{ID: x.ID, Seed: rec.Seed, Journal: log.Head, Folder: state.Digest(), Files: journal.State{}.To(state)}
	v, err := s.judge(ctx, x)
	if err != nil {
		fmt.Fprintf(s.err, "learn: the checks could not be asked here: %v\n", err)
	}
	p.Solved = err == nil && v.Solved()
	for _, f := range v.Findings {
		p.Checks = append(p.Checks, submission.Checked{ID: f.Check.ID, Holds: f.Holds, Belief: f.Belief})
	}
	p.Trace, err = traceHead(s.exerciseTrace(x.ID))
	return p, log.Lines[len(log.Lines)-1].At, err
}

// noteSubmit notes the final folder, unless nothing was done since it was noted last: handing in twice then gives the same.
func noteSubmit(j journal.Journal, log journal.Log, folder string) error {
	if n := len(log.Lines); n > 0 && log.Lines[n-1].Kind == journal.Submit {
		now, _, err := journal.Look(folder, journal.Sum)
		if err != nil {
			return err
		}
		if now.Digest() == log.State().Digest() {
			return nil
		}
	}
	_, err := j.Note(journal.Line{Kind: journal.Submit}, folder)
	return err
}

// traceHead is how many events a trace has and the hash of its last line.
func traceHead(path string) (submission.Trace, error) {
	n, err := tracefile.VerifyFile(path)
	if !tracefile.Sound(err) {
		return submission.Trace{Events: n}, nil // it is told as far as it goes; nobody believes it anyway
	}
	data, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return submission.Trace{}, fmt.Errorf("read trace: %w", err)
	}
	lines := bytes.Split(bytes.TrimRight(data, "\n"), []byte("\n"))
	var last struct {
		Hash string `json:"hash"`
	}
	_ = json.Unmarshal(lines[len(lines)-1], &last) // a torn line has none
	return submission.Trace{Events: n, Hash: last.Hash}, nil
}
