package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/spf13/cobra"
)

// classCommand is the teacher's side before the work comes back.
func (s *session) classCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "class", Short: "For teachers: a class, its roster, its assignments"}
	cmd.AddCommand(s.classNew(), s.classRoster(), s.classAssign())
	return cmd
}

func (s *session) classNew() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "new DIR --name NAME",
		Short: "Make a class in a folder",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := class.New(args[0], name)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.out, "Made class %s in %s. The key in class.json makes each student's exercises differ: keep the folder to yourself, and keep a copy.\n", c.Name, c.Dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "Name that students see")
	return cmd
}

func (s *session) classRoster() *cobra.Command {
	return &cobra.Command{
		Use:   "roster DIR FILE.csv",
		Short: "Take the students of a class from lines of id,name,email",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := class.Open(args[0])
			if err != nil {
				return err
			}
			f, err := os.Open(args[1])
			if err != nil {
				return fmt.Errorf("read roster: %w", err)
			}
			defer f.Close()
			students, err := class.ParseRoster(f)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			fmt.Fprintf(s.out, "Class %s has %d students.\n", c.Name, len(students))
			return c.KeepRoster(students)
		},
	}
}

func (s *session) classAssign() *cobra.Command {
	var due string
	cmd := &cobra.Command{
		Use:   "assign DIR NAME EXERCISE...",
		Short: "Give exercises to a class: a join file for each student",
		Args:  cobra.MinimumNArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			return s.assign(args[0], args[1], args[2:], due)
		},
	}
	cmd.Flags().StringVar(&due, "due", "", "When it is due: 2026-12-24, 2026-12-24T18:00 (your time) or with a zone, 2026-12-24T18:00:00Z")
	return cmd
}

func (s *session) assign(dir, name string, words []string, due string) error {
	c, err := class.Open(dir)
	if err != nil {
		return err
	}
	students, err := c.Roster()
	if err != nil {
		return err
	}
	all, err := exercises.EmbeddedHeaders()
	if err != nil {
		return err
	}
	a := class.Assignment{Name: name}
	for _, w := range words {
		x, err := exercises.Find(all, w)
		if err != nil {
			return err
		}
		a.Exercises = append(a.Exercises, x.ID)
	}
	if a.Due, err = parseDue(due); err != nil {
		return err
	}
	if err := c.Assign(a, students); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Assigned %s to %d students. Give each his own file: %s\n", strings.Join(a.Exercises, ", "), len(students), filepath.Join(dir, "assignments", name, "join", "ID.json"))
	return nil
}

// parseDue reads a time as people write it. A day alone is meant to its end.
func parseDue(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day.AddDate(0, 0, 1).Add(-time.Second).UTC(), nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errors.New("read --due " + text + ": expected 2026-12-24, 2026-12-24T18:00 or 2026-12-24T18:00:00Z")
}
