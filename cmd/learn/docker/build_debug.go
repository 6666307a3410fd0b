package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/driver"
)

// errStepQuit ends a build that is stepped through.
var errStepQuit = errors.New("the build was ended at the prompt: what it had finished is in the cache")

// stepper is the person at the prompt of --step and --debug.
type stepper struct {
	app   *App
	in    *feed
	step  bool // stop before each instruction
	debug bool // stop at a failed one
}

// debugger is nil, also as an interface, if nobody wants to look.
func (app *App) debugger(f buildFlags) build.Debugger {
	if !f.step && !f.debug {
		return nil
	}
	return &stepper{app: app, in: newFeed(app.In), step: f.step, debug: f.debug}
}

const stepHelp = `  n, Enter  carry out this instruction and stop at the next
  c         go on without stopping
  s         open a shell in a container on the tree as it is now; what you change is thrown away
  q         end the build`

// Before implements build.Debugger.
func (s *stepper) Before(ctx context.Context, p build.Pause) error {
	if !s.step {
		return nil
	}
	fmt.Fprintf(s.app.Err, "\nStep %d/%d, stage %s, %s\n  %s\n", p.Step, p.Steps, p.Stage, p.Where, p.Instruction)
	for {
		fmt.Fprint(s.app.Err, "next, continue, shell, quit or help? [n] ")
		line, err := s.in.line()
		if err != nil && line == "" {
			fmt.Fprintln(s.app.Err)
			s.step = false // nobody is there any more
			return nil
		}
		switch strings.TrimSpace(line) {
		case "", "n", "next":
			return nil
		case "c", "continue":
			s.step = false
			return nil
		case "q", "quit":
			return errStepQuit
		case "s", "shell":
			if p.Run == nil {
				fmt.Fprintln(s.app.Err, "There is no tree before FROM: step once, then look.")
				continue
			}
			if err := s.shell(ctx, p); err != nil {
				return err
			}
		default:
			fmt.Fprintln(s.app.Err, stepHelp)
		}
	}
}

// Failed implements build.Debugger.
func (s *stepper) Failed(ctx context.Context, p build.Pause, cause error) error {
	if !s.debug {
		return nil
	}
	fmt.Fprintf(s.app.Err, "\nThe command at %s failed. This is a shell in its container, as it left it: the same files, variables, user, folder and mounts.\n"+
		"Leave it with exit; then the container is removed.\n", p.Where)
	return s.shell(ctx, p)
}

// shell runs the stage's shell until it is left. A shell that can't be started is told, and no reason to end the build.
func (s *stepper) shell(ctx context.Context, p build.Pause) error {
	exit, err := s.attached(ctx, p)
	var cannot *driver.CommandError
	switch {
	case errors.As(err, &cannot):
		fmt.Fprintf(s.app.Err, "no shell: %v\n", cannot)
		return nil
	case err != nil:
		return err
	}
	if exit.Code != 0 {
		fmt.Fprintf(s.app.Err, "(the shell ended with exit code %d)\n", exit.Code)
	}
	return nil
}

// attached runs the shell on the user's terminal, which is as it was when it returns.
func (s *stepper) attached(ctx context.Context, p build.Pause) (driver.Exit, error) {
	tty := s.app.Terminal != nil
	c := s.app.connect(ctx, attachment{stdin: true, stdout: true, tty: tty})
	defer c.close()
	streams, err := c.streams()
	if err != nil {
		return driver.Exit{}, err
	}
	in := s.in.turn()
	defer in.end()
	streams.Stdin, streams.Stdout = in, s.app.Err
	return p.Run(ctx, p.Shell, tty, streams)
}
