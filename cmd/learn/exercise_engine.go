package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracefile"
)

// exerciseEngine is the engine of an exercise that a learner works on: its containers live on when the command ends, its trace is a file that
// each of the learner's commands goes on with. It implements lessons.Engine, lessons.Programs and exercises.Marker.
type exerciseEngine struct {
	session  *session
	engine   *engine.Engine
	driver   openedDriver
	path     string // of the trace
	sink     *tracefile.FileSink
	recorder *trace.Recorder
}

// openExercise opens the engine in the home where the session is. The caller closes it.
func (s *session) openExercise(ctx context.Context) (*exerciseEngine, error) {
	e := &exerciseEngine{session: s, path: s.exerciseTrace(s.exercise)}
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return nil, fmt.Errorf("make the exercise's home: %w", err)
	}
	var err error
	if e.sink, err = tracefile.OpenFile(e.path); err != nil {
		return nil, err
	}
	e.recorder = trace.New(e.sink)
	if e.driver, err = s.driverOf(s.home); err == nil {
		e.engine, err = s.open(trace.With(ctx, e.recorder), s.home)
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

func (e *exerciseEngine) close() error { return errors.Join(e.session.closeRegistry(), e.sink.Close()) }

// Home implements lessons.Engine.
func (e *exerciseEngine) Home() string { return filepath.ToSlash(e.session.home) }

// Reset implements lessons.Engine: it removes the containers; the folder of the home is removed by whoever closes the engine.
func (e *exerciseEngine) Reset(ctx context.Context) error { return removeAll(ctx, e.engine) }

// Trace implements lessons.Engine: looking at every container takes in what its supervisor recorded.
func (e *exerciseEngine) Trace(ctx context.Context, since uint64) ([]trace.Event, error) {
	if _, err := e.engine.Containers.List(recordedBy(ctx, e.recorder), true); err != nil {
		return nil, err
	}
	if err := e.sink.Flush(); err != nil {
		return nil, err
	}
	all, err := tracefile.ReadFile(e.path)
	if err != nil {
		return nil, err
	}
	return all[min(int(since), len(all)):], nil
}

// Run implements lessons.Engine.
func (e *exerciseEngine) Run(ctx context.Context, argv []string, io lessons.Streams, dir string, env []string) int {
	if argv[0] == "learn" && len(argv) > 1 && argv[1] == "docker" {
		argv = argv[1:]
	}
	if argv[0] != "docker" {
		fmt.Fprintln(io.Err, "learn: only learn docker can be run in an exercise's script")
		return 1
	}
	return docker.Execute(recordedBy(ctx, e.recorder), scriptApp(e.engine, io, dir, env), argv[1:])
}

// Program implements lessons.Programs. A script's own waiting is the host's: the exercise's machine is another process's.
func (e *exerciseEngine) Program(ctx context.Context, argv []string, s lessons.Streams, dir string, env []string) (int, bool) {
	if !userland.Has(argv[0]) {
		return 0, false
	}
	return runProgram(ctx, openedDriver{}, argv, s, dir, env), true
}

// Mark implements exercises.Marker.
func (e *exerciseEngine) Mark(ctx context.Context, exercise, check string) (context.Context, func(error)) {
	return markCheck(ctx, e.recorder, exercise, check)
}

// bench is where the exercise is judged.
func (e *exerciseEngine) bench(rec exerciseRecord) exercises.Bench {
	return exercises.Bench{Engine: e, Programs: e, Folder: rec.Folder, Scratch: filepath.Join(e.session.exerciseDir(rec.ID), "scratch"), Epoch: proofEpoch, Began: rec.Began}
}
