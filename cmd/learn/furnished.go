package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
)

// furnishedEngine is an engine for many short pieces of work, one after the other: questions of a quiz, proofs of exercises. Each finds the same home:
// the built-in image, unpacked, and nothing else. That is made once and put back by Reset, since making it takes longer than the work does.
type furnishedEngine struct {
	*lessonEngine
	before  still         // the home that each piece of work finds
	prelude []trace.Event // how it came to be
}

// newFurnishedEngine makes one, with a folder named by id.
func (s *session) newFurnishedEngine(id string) (*furnishedEngine, error) {
	e, err := s.newLessonEngine(id, 1)
	if err != nil {
		return nil, err
	}
	if e.driver.sim == nil {
		// The kernel's networks are everybody's, and named by their ids: two people who are asked at once need different ones.
		h := fnv.New64a()
		h.Write([]byte(e.dir))
		e.seed = h.Sum64()
	}
	return &furnishedEngine{lessonEngine: e}, nil
}

// Reset implements lessons.Engine: nobody sees what another has left, and the first is no exception.
func (e *furnishedEngine) Reset(ctx context.Context) error {
	if e.prelude == nil {
		if err := e.furnish(ctx); err != nil {
			return err
		}
	}
	if err := e.quiet(ctx); err != nil {
		return err
	}
	if e.before.restore() != nil { // what can't be put back is made anew
		if err := e.furnish(ctx); err != nil {
			return err
		}
	}
	if err := e.openDriver(); err != nil {
		return err
	}
	e.listen()
	ctx = trace.With(ctx, e.recorder)
	trace.Import(ctx, e.prelude)
	opened, err := e.open(ctx)
	e.engine = opened
	return err
}

// furnish makes the home that all begin with.
func (e *furnishedEngine) furnish(ctx context.Context) error {
	if err := e.lessonEngine.Reset(ctx); err != nil {
		return err
	}
	for _, line := range []string{"docker create --name first learn/base", "docker rm first"} { // which unpacks the image
		var said strings.Builder
		if code := e.Run(ctx, strings.Fields(line), lessons.Streams{In: strings.NewReader(""), Out: io.Discard, Err: &said}, e.dir, nil); code != 0 {
			return fmt.Errorf("unpack the built-in image: %s: exit code %d: %s", line, code, strings.TrimSpace(said.String()))
		}
	}
	e.prelude = slices.DeleteFunc(slices.Clone(e.events.Events()), func(ev trace.Event) bool {
		area, _, _ := strings.Cut(ev.Kind, ".")
		return !slices.Contains([]string{"blob", "image", "layer"}, area)
	})
	if err := e.quiet(ctx); err != nil {
		return err
	}
	var err error
	e.before, err = takeStill(e.Home())
	return err
}

// quiet ends everything that works in the home.
func (e *furnishedEngine) quiet(ctx context.Context) error {
	if e.engine == nil {
		return e.driver.close()
	}
	defer func() { e.engine = nil }()
	return errors.Join(removeAll(ctx, e.engine), e.closeRegistry(), e.driver.close())
}
