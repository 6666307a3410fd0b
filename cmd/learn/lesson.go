package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/spf13/cobra"
)

// lessonEngine is the engine that one lesson drives, in a home of its own that can be thrown away. It implements lessons.Engine and
// lessons.Programs.
type lessonEngine struct {
	session  *session
	dir      string // holds home and the lesson's workspace
	driver   engine.Driver
	engine   *engine.Engine
	recorder *trace.Recorder
	events   *trace.Collect
}

func (s *session) newLessonEngine(id string) (*lessonEngine, error) {
	e := &lessonEngine{session: s, dir: filepath.Join(s.home, "lessons", id)}
	h, err := home.Open(e.Home())
	if err != nil {
		return nil, err
	}
	e.driver, err = openDriver(h, s.driver)
	return e, err
}

// Home implements lessons.Engine.
func (e *lessonEngine) Home() string { return filepath.Join(e.dir, "home") }

// Reset implements lessons.Engine.
func (e *lessonEngine) Reset(ctx context.Context) error {
	if err := e.empty(ctx); err != nil {
		return err
	}
	e.events = &trace.Collect{}
	e.recorder = trace.New(e.events)
	opened, err := e.session.open(trace.With(ctx, e.recorder), e.Home())
	e.engine = opened
	return err
}

// end removes the lesson's containers; images and layers stay for the learner to look at until the next Reset.
func (e *lessonEngine) end(ctx context.Context) error {
	if e.engine == nil {
		return nil
	}
	return removeAll(ctx, e.engine)
}

// empty throws away what an earlier run of the lesson left.
func (e *lessonEngine) empty(ctx context.Context) error {
	old, err := e.session.open(ctx, e.Home())
	if err != nil {
		return err
	}
	if err := removeAll(ctx, old); err != nil {
		return err
	}
	e.engine = nil
	if err := os.RemoveAll(e.Home()); err != nil {
		return fmt.Errorf("empty the lesson's home: %w", err)
	}
	return nil
}

func removeAll(ctx context.Context, e *engine.Engine) error {
	all, err := e.Containers.List(ctx, true)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		errs = append(errs, e.Containers.Remove(ctx, c.ID, true))
	}
	return errors.Join(errs...)
}

// Trace implements lessons.Engine: looking at every container takes in what its supervisor recorded.
func (e *lessonEngine) Trace(ctx context.Context, since uint64) ([]trace.Event, error) {
	if _, err := e.engine.Containers.List(trace.With(ctx, e.recorder), true); err != nil {
		return nil, err
	}
	all := e.events.Events()
	return all[min(int(since), len(all)):], nil
}

// Run implements lessons.Engine.
func (e *lessonEngine) Run(ctx context.Context, argv []string, io lessons.Streams, dir string, env []string) int {
	if argv[0] == "learn" {
		if len(argv) < 2 || argv[1] != "docker" {
			return e.learn(ctx, argv[1:], io)
		}
		argv = argv[1:]
	}
	app := &docker.App{
		Open:    func(context.Context) (*engine.Engine, error) { return e.engine, nil },
		In:      io.In,
		Out:     io.Out,
		Err:     io.Err,
		Dir:     dir,
		Environ: lookup(env),
		Plain:   true,
	}
	return docker.Execute(trace.With(ctx, e.recorder), app, argv[1:])
}

// learn runs those of learn's own commands that make sense inside a lesson.
func (e *lessonEngine) learn(_ context.Context, words []string, io lessons.Streams) int {
	root := &cobra.Command{Use: "learn", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(e.session.versionCommand())
	root.SetArgs(words)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	if err := root.Execute(); err != nil {
		fmt.Fprintln(io.Err, "learn:", err)
		return 1
	}
	return 0
}

func lookup(env []string) func(string) (string, bool) {
	return func(key string) (string, bool) {
		for _, kv := range env {
			if k, v, ok := strings.Cut(kv, "="); ok && k == key {
				return v, true
			}
		}
		return "", false
	}
}

// Program implements lessons.Programs by the small programs of the built-in image, so that a lesson needs none of the machine's.
func (e *lessonEngine) Program(ctx context.Context, argv []string, s lessons.Streams, dir string, env []string) (int, bool) {
	if !userland.Has(argv[0]) {
		return 0, false
	}
	machine := userland.OS()
	machine.Stdin, machine.Stdout, machine.Stderr = s.In, s.Out, s.Err
	machine.Dir, machine.Environ = dir, env
	return userland.Run(ctx, machine, argv), true
}

// keepTrace stores the lesson's trace under its id, in place of that of an earlier run.
func (e *lessonEngine) keepTrace(dir string) error {
	if e.events == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep trace: %w", err)
	}
	path := filepath.Join(dir, filepath.Base(e.dir)+".jsonl")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("keep trace: %w", err)
	}
	f, err := tracefile.OpenFile(path)
	if err != nil {
		return err
	}
	for _, ev := range e.events.Events() {
		f.Emit(ev)
	}
	return f.Close()
}
