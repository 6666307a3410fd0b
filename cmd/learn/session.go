package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/driver/sim"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/learn-containers/learn/trace/vocab"
	"golang.org/x/term"
)

// record connects the trace to what the user asked for: a file, the narration, both or nothing. done writes what is still waiting.
func (s *session) record(ctx context.Context) (_ context.Context, done func() error, err error) {
	sinks, done, err := s.traceFiles()
	if err != nil {
		return ctx, nil, err
	}
	if s.explain != "" {
		level, err := narrate.ParseLevel(s.explain)
		if err != nil {
			return ctx, nil, errors.Join(err, done())
		}
		sinks = append(sinks, narrate.NewSink(s.err, level, s.width(), s.color(s.err)))
	}
	if len(sinks) == 0 {
		return ctx, done, nil
	}
	d, err := s.driverOf(s.home)
	if err != nil {
		return ctx, nil, errors.Join(err, done())
	}
	ctx = trace.With(ctx, trace.New(trace.Tee(sinks...)))
	trace.Fact(ctx, vocab.CommandStart, trace.Int("pid", int64(os.Getpid())), trace.String("driver", d.Name))
	return ctx, done, nil
}

// traceFiles opens the files that events are appended to: the one the user named, and that of the exercise.
func (s *session) traceFiles() (sinks []trace.Sink, done func() error, err error) {
	var files []*tracefile.FileSink
	done = func() error {
		var errs []error
		for _, f := range files {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	paths := []string{s.trace}
	if s.exercise != "" {
		paths = append(paths, s.exerciseTrace(s.exercise))
		s.told = &trace.Collect{}
		sinks = append(sinks, s.told)
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		f, err := tracefile.OpenFile(path)
		if err != nil {
			return nil, nil, errors.Join(err, done())
		}
		files, sinks = append(files, f), append(sinks, f)
	}
	return sinks, done, nil
}

// open opens the engine in a home on the driver that the settings ask for.
func (s *session) open(ctx context.Context, root string) (*engine.Engine, error) {
	d, err := s.driverOf(root)
	if err != nil {
		return nil, err
	}
	s.announce(d.Driver)
	e, err := engine.Open(ctx, engine.Config{Home: d.home, Driver: d.Driver, Binary: ownFile(), Cleanup: containerCommand(root, "cleanup"), Again: containerCommand(root, "again")})
	if err == nil && s.withRegistry {
		s.registry = newHomeRegistry(e, root)
	}
	return e, err
}

// closeRegistry gives the exercise's registry back, if there is one.
func (s *session) closeRegistry() error {
	if s.registry == nil {
		return nil
	}
	return s.registry.close()
}

// driverOf opens the driver of a home, once.
func (s *session) driverOf(root string) (openedDriver, error) {
	if d, ok := s.drivers[root]; ok {
		return d, nil
	}
	h, err := home.Open(root)
	if err != nil {
		return openedDriver{}, err
	}
	d, err := s.openDriver(h, sim.Options{})
	if err != nil {
		return openedDriver{}, err
	}
	s.drivers = map[string]openedDriver{root: d}
	return d, nil
}

// ownFile is the program's own file; empty where it has none that could be named.
func ownFile() string {
	file, err := os.Executable()
	if err != nil {
		return ""
	}
	return file
}

// containerCommand is a hidden command by which a supervisor has done what it can't do itself: cleanup removes a container made with --rm when
// nobody waits for it any more, again starts one again whose restart policy may want that.
func containerCommand(root, verb string) func(string) []string {
	exe := ownFile()
	if nativeName == "linux" {
		exe = "/proc/self/exe" // also after the file was replaced
	}
	return func(id string) []string {
		return []string{exe, "--home", root, "docker", "container", verb, id}
	}
}

// app is the docker command line on the process's own streams.
func (s *session) app() *docker.App {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/"
	}
	app := &docker.App{
		Open:       func(ctx context.Context) (*engine.Engine, error) { return s.openTraced(ctx) },
		In:         s.in,
		Out:        s.out,
		Err:        s.err,
		Dir:        dir,
		Environ:    os.LookupEnv,
		Interrupts: interrupts,
		Die:        die,
		Plain:      s.plain,
	}
	if s.explain != "" || s.exercise != "" {
		app.Parallel = 1 // a story is told in order
	}
	if term.IsTerminal(int(s.in.Fd())) {
		app.Terminal = terminal{s.in}
	}
	return app
}

// openTraced also takes in what containers did since the last traced command, so that a trace tells it before what follows.
func (s *session) openTraced(ctx context.Context) (*engine.Engine, error) {
	e, err := s.open(ctx, s.home)
	if err != nil || trace.From(ctx) == nil {
		return e, err
	}
	_, err = e.Containers.List(ctx, false) // what does not run by its record has told everything
	return e, err
}

func (s *session) width() int {
	if w, _, err := term.GetSize(int(s.out.Fd())); err == nil && w > 20 {
		return min(w, 100)
	}
	return 80
}

func (s *session) color(f *os.File) bool { return !s.plain && term.IsTerminal(int(f.Fd())) }

// terminal is the user's terminal as an attached container needs it.
type terminal struct{ f *os.File }

func (t terminal) Size() (cols, rows uint16) {
	w, h, err := term.GetSize(int(t.f.Fd()))
	if err != nil {
		return 0, 0
	}
	return uint16(w), uint16(h)
}

func (t terminal) Raw() (restore func(), err error) {
	state, err := term.MakeRaw(int(t.f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("put the terminal into raw mode: %w", err)
	}
	return func() { _ = term.Restore(int(t.f.Fd()), state) }, nil
}

func (t terminal) Resized() (<-chan struct{}, func()) { return resized() }
