package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/author"
	"github.com/learn-containers/learn/trace"
)

// devPlay plays a lesson on a simulated machine of its own, and says what went wrong and which events its text has no word for.
func (s *session) devPlay(ctx context.Context, course author.Course, d author.Draft) ([]author.Finding, error) {
	dir, err := os.MkdirTemp("", "learn-dev-")
	if err != nil {
		return nil, fmt.Errorf("play lesson: %w", err)
	}
	defer os.RemoveAll(dir)
	alone := newSession(s.in, s.out, s.err)
	alone.home, alone.driver = dir, simName
	e, err := alone.newLessonEngine(d.ID, 1)
	if err != nil {
		return nil, err
	}
	e.withRegistry = d.Registry
	var steps [][]trace.Event
	_, err = d.Play(ctx, lessons.Options{
		Engine: e, Programs: e, Out: io.Discard, Workspace: filepath.Join(e.dir, "work"), Auto: true,
		OnStep: func(_ int, events []trace.Event) { steps = append(steps, events) },
	})
	found := course.Unexplained(d, steps)
	var failed *lessons.FailedError
	var fault *lessons.Error
	switch {
	case errors.As(err, &failed):
		found = append(found, author.Finding{File: path.Join(d.Root, d.File), Line: d.Steps[max(failed.Step, 1)-1].Line, Text: failed.Text})
		err = nil
	case errors.As(err, &fault):
		found = append(found, author.Finding{File: path.Join(d.Root, fault.File), Line: fault.Line, Text: fault.Text})
		err = nil
	}
	return found, errors.Join(err, e.end(context.WithoutCancel(ctx)))
}
