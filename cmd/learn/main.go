// Command learn teaches Docker images and containers with a real engine of its own.
//
// This package is thin: it chooses the driver, connects the engine's trace to those who read it, and hands the words
// of the command line to the part that understands them.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/learn-containers/learn/cmd/learn/boot"       // takes over processes that the engine starts
	_ "github.com/learn-containers/learn/cmd/learn/boot/small" // runs the simplest programs at once
	_ "github.com/learn-containers/learn/cmd/learn/boot/watch" // takes over supervisors
	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine/driver/sim"
	"github.com/learn-containers/learn/engine/userland"
	"github.com/learn-containers/learn/trace"
	"github.com/spf13/pflag"
)

func main() { os.Exit(run(os.Args)) }

// run chooses by the name that the program was called under: docker, a small program of the built-in image, or learn itself.
func run(argv []string) int {
	name := filepath.Base(argv[0])
	if name == sim.SupervisorName {
		collectLate(supervisorHeap)
		return sim.Supervise(argv)
	}
	if userland.Has(name) {
		return userland.Main(argv)
	}
	if name == runtimeName {
		name, argv = "learn", append([]string{"learn", "runtime"}, argv[1:]...)
	}
	collectLate(commandHeap)
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	rest, err := s.parse(argv[1:])
	if err == nil && !strings.HasPrefix(name, "docker") && len(rest) > 0 && rest[0] == "docker" {
		name = "docker"
		rest, err = s.parse(rest[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "learn:", err)
		return 125
	}
	if strings.HasPrefix(name, "docker") {
		return s.docker(context.Background(), rest)
	}
	return s.learn(context.Background(), rest)
}

// settings are the options that every command has.
type settings struct {
	home, driver, trace, explain string
	plain                        bool
}

func (g *settings) register(fl *pflag.FlagSet) {
	fl.StringVar(&g.home, "home", g.home, "The engine's folder (LEARN_HOME)")
	fl.StringVar(&g.driver, "driver", g.driver, "Machine to run on: linux (the kernel) or sim (a simulated one; default: the best there is; LEARN_DRIVER)")
	fl.StringVar(&g.trace, "trace", g.trace, "Append every event to this file, as JSON lines (LEARN_TRACE)")
	fl.StringVar(&g.explain, "explain", g.explain, "Tell on standard error what happens: short, full or kernel")
	fl.BoolVar(&g.plain, "plain", g.plain, "Plain text: no colour, no progress bars")
	fl.Lookup("explain").NoOptDefVal = "full"
}

// session is one run of the program: its settings, streams and whatever was opened.
type session struct {
	settings
	in           *os.File
	out, err     *os.File
	drivers      map[string]openedDriver // by the home's folder
	exercise     string                  // id of the exercise in whose home it works, or empty
	registry     *homeRegistry           // of the exercise; nil without one
	told         *trace.Collect          // the command's events, where an exercise's journal wants them
	withRegistry bool                    // the exercise has one
	nativeErr    error                   // why the driver that uses the kernel can't be had, as far as that is known
}

func newSession(in, out, err *os.File) *session {
	s := &session{in: in, out: out, err: err}
	s.home = homePath()
	s.driver = os.Getenv("LEARN_DRIVER")
	s.trace = os.Getenv("LEARN_TRACE")
	_, s.plain = os.LookupEnv("NO_COLOR")
	return s
}

// parse takes the common options off the front of the words; they also may stand after the word docker.
func (s *session) parse(words []string) ([]string, error) {
	fl := pflag.NewFlagSet("learn", pflag.ContinueOnError)
	fl.SetInterspersed(false)
	fl.SetOutput(io.Discard)
	s.register(fl)
	n := 0
	for n < len(words) && strings.HasPrefix(words[n], "--") && known(fl, words[n]) {
		n++
		if n < len(words) && takesNext(fl, words[n-1]) {
			n++
		}
	}
	return words[n:], fl.Parse(words[:n])
}

func known(fl *pflag.FlagSet, word string) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	return fl.Lookup(name) != nil
}

func takesNext(fl *pflag.FlagSet, word string) bool {
	name, _, hasValue := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	return !hasValue && fl.Lookup(name).NoOptDefVal == ""
}

// homePath is $LEARN_HOME, or the folder for user data that the XDG base directory specification names.
func homePath() string {
	if h := os.Getenv("LEARN_HOME"); h != "" {
		return h
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "learn")
	}
	if h, err := os.UserHomeDir(); err == nil {
		return filepath.Join(h, ".local", "share", "learn")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("learn-%d", os.Getuid()))
}

// docker runs one docker command line.
func (s *session) docker(ctx context.Context, words []string) int {
	if err := s.enterExercise(); err != nil {
		fmt.Fprintln(s.err, "learn:", err)
		return 125
	}
	if code, done := s.enter(words); done {
		return code
	}
	ctx, done, err := s.record(ctx)
	if err != nil {
		fmt.Fprintln(s.err, "learn:", err)
		return 125
	}
	app := s.app()
	ended := s.note(app, words)
	code := docker.Execute(ctx, app, words)
	ended(code)
	if err := s.closeRegistry(); err != nil {
		fmt.Fprintln(s.err, "learn: close the exercise's registry:", err)
	}
	if err := done(); err != nil {
		fmt.Fprintln(s.err, "learn: keep trace:", err)
	}
	return code
}
