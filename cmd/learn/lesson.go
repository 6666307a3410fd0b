package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/driver/sim"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/spf13/cobra"
)

// lessonEngine is the engine that one lesson drives, in a home of its own that can be thrown away. It implements lessons.Engine and
// lessons.Programs.
type lessonEngine struct {
	session  *session
	id       string
	dir      string // holds home and the lesson's workspace
	driver   openedDriver
	seed     uint64
	engine   *engine.Engine
	recorder *trace.Recorder
	events   *trace.Collect

	withRegistry bool          // the lesson has a registry of its own
	registry     *homeRegistry // nil without one
}

func (s *session) newLessonEngine(id string, seed uint64) (*lessonEngine, error) {
	d, err := s.driverOf(s.home)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.home, "lessons", id)
	if d.sim != nil { // what a lesson left on one machine is nothing to the other
		dir += "-" + d.Name
	}
	e := &lessonEngine{session: s, id: id, dir: dir, seed: seed}
	return e, e.openDriver()
}

// openDriver opens the driver anew, on an empty machine if it is a simulated one.
func (e *lessonEngine) openDriver() error {
	h, err := home.Open(e.Home())
	if err != nil {
		return err
	}
	// The containers live and end with this process, on a clock of their own, so that everything repeats.
	e.driver, err = e.session.openDriver(h, sim.Options{InProcess: true, Run: e.startAgain})
	return err
}

// startAgain is what a command of its own does outside of lessons: it starts a container again whose restart policy wants that.
func (e *lessonEngine) startAgain(argv []string) {
	if err := e.engine.Containers.Again(trace.With(context.Background(), e.recorder), argv[len(argv)-1]); err != nil {
		fmt.Fprintln(e.session.err, "learn:", err)
	}
}

// Home implements lessons.Engine. It has slashes on every system: command lines show and take it.
func (e *lessonEngine) Home() string { return filepath.ToSlash(filepath.Join(e.dir, "home")) }

// Reset implements lessons.Engine.
func (e *lessonEngine) Reset(ctx context.Context) error {
	if err := e.empty(ctx); err != nil {
		return err
	}
	e.listen()
	opened, err := e.open(trace.With(ctx, e.recorder))
	e.engine = opened
	return err
}

// listen begins a new trace.
func (e *lessonEngine) listen() {
	e.events = &trace.Collect{}
	e.recorder = trace.New(e.events)
	if e.driver.sim != nil {
		e.recorder.SetClock(e.driver.ticks())
	}
}

// open opens the engine. Ids and made-up names follow from the lesson and its seed, so that a replay is the same to the letter.
func (e *lessonEngine) open(ctx context.Context) (*engine.Engine, error) {
	opened, err := engine.Open(ctx, engine.Config{Home: e.driver.home, Driver: e.driver.Driver, Binary: ownFile(), Cleanup: containerCommand(e.Home(), "cleanup"), Again: containerCommand(e.Home(), "again")})
	if err != nil {
		return nil, err
	}
	random := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%s %d", e.id, e.seed)))
	if err := e.openRegistry(opened); err != nil {
		return nil, err
	}
	opened.Containers.Random, opened.Volumes.Random, opened.Networks.Random, opened.Builder.Random = random, random, random, random
	return opened, nil
}

// end removes the lesson's containers; images and layers stay for the learner to look at until the next Reset.
func (e *lessonEngine) end(ctx context.Context) error {
	if e.engine == nil {
		return errors.Join(e.closeRegistry(), e.driver.close())
	}
	return errors.Join(removeAll(ctx, e.engine), e.closeRegistry(), e.driver.close())
}

// empty throws away what an earlier run of the lesson left.
func (e *lessonEngine) empty(ctx context.Context) error {
	if _, err := os.Lstat(filepath.Join(e.Home(), "images", "index.json")); errors.Is(err, os.ErrNotExist) {
		return nil // no engine was ever open here
	}
	old, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(removeAll(ctx, old), e.closeRegistry(), e.driver.close()); err != nil {
		return err
	}
	e.engine = nil
	if err := os.RemoveAll(e.Home()); err != nil {
		return fmt.Errorf("empty the lesson's home: %w", err)
	}
	return e.openDriver()
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
	if _, err := e.engine.Containers.List(recordedBy(ctx, e.recorder), true); err != nil {
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
	return docker.Execute(recordedBy(ctx, e.recorder), scriptApp(e.engine, io, dir, env), argv[1:])
}

// scriptApp is the docker command line for a script on an engine that is open.
func scriptApp(opened *engine.Engine, io lessons.Streams, dir string, env []string) *docker.App {
	return &docker.App{
		Open:    func(context.Context) (*engine.Engine, error) { return opened, nil },
		In:      io.In,
		Out:     io.Out,
		Err:     io.Err,
		Dir:     dir,
		Environ: lookup(env),
		Plain:   true,

		Parallel: 1, // so that a script always has the same trace
	}
}

// recordedBy is ctx with the recorder, and in the step where ctx is if it has that recorder already.
func recordedBy(ctx context.Context, r *trace.Recorder) context.Context {
	if trace.From(ctx) == r {
		return ctx
	}
	return trace.With(ctx, r)
}

// Mark implements exercises.Marker.
func (e *lessonEngine) Mark(ctx context.Context, exercise, check string) (context.Context, func(error)) {
	return markCheck(ctx, e.recorder, exercise, check)
}

func markCheck(ctx context.Context, r *trace.Recorder, exercise, check string) (context.Context, func(error)) {
	inside, end := trace.Step(trace.With(ctx, r), vocab.ExerciseCheck, trace.String("exercise", exercise), trace.String("check", check))
	return inside, func(err error) { end(err) }
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
	return runProgram(ctx, e.driver, argv, s, dir, env), true
}

// runProgram runs one of the small programs on this machine's files, on the simulated machine's clock if there is one. What it starts itself, as xargs
// does, are small programs, too: a script must be the same on a machine that has none of these, and docker must not be somebody else's.
func runProgram(ctx context.Context, d openedDriver, argv []string, s lessons.Streams, dir string, env []string) int {
	machine := userland.OS()
	machine.Starter = nil
	machine.Stdin, machine.Stdout, machine.Stderr = s.In, s.Out, s.Err
	machine.Dir, machine.Environ = dir, env
	if host, ok := machine.FS.(hostFiles); ok && runtime.GOOS == "windows" {
		machine.FS, machine.Dir = driveFS{host}, offDrive(dir)
	}
	if d.sim != nil {
		machine.Threads = hostThreads{d.sim}
		machine.Now = d.sim.Now
	}
	return userland.Run(ctx, machine, argv)
}

// keepTrace stores the lesson's trace under its id, in place of that of an earlier run.
func (e *lessonEngine) keepTrace(dir string) error {
	if e.events == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep trace: %w", err)
	}
	path := filepath.Join(dir, e.id+".jsonl")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("keep trace: %w", err)
	}
	f, err := tracefile.OpenFile(path)
	if err != nil {
		return err
	}
	return e.writeTrace(f)
}

// writeTrace appends the lesson's trace to f and closes it. A nil f is nobody who asked for it.
func (e *lessonEngine) writeTrace(f *tracefile.FileSink) error {
	if f == nil {
		return nil
	}
	if e.events != nil {
		for _, ev := range e.events.Events() {
			f.Emit(ev)
		}
	}
	return f.Close()
}
