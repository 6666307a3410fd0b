package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
)

// pause lets the Debugger look at the tree before an instruction. Before FROM there is none yet.
func (st *stage) pause(ctx context.Context, in dockerfile.Instruction, step, steps int) (err error) {
	s := st.session
	if s.opts.Debugger == nil {
		return nil
	}
	p := st.point(in, step, steps)
	if st.scope == nil {
		return s.display.aside(func() error { return s.opts.Debugger.Before(ctx, p) })
	}
	key := ""
	p.Run = func(ctx context.Context, argv []string, terminal bool, streams driver.Streams) (driver.Exit, error) {
		if key == "" {
			if key, err = st.scratchHere(ctx); err != nil {
				return driver.Exit{}, err
			}
		}
		return st.look(ctx, key, command{in: in, argv: argv}, terminal, streams)
	}
	err = s.display.aside(func() error { return s.opts.Debugger.Before(ctx, p) })
	if key != "" {
		err = errors.Join(err, s.snapshots.Remove(context.WithoutCancel(ctx), key))
	}
	return err
}

func (st *stage) scratchHere(ctx context.Context) (string, error) {
	chain, err := st.unpack(ctx)
	if err != nil {
		return "", err
	}
	return st.session.scratch(ctx, chain)
}

// point describes where the build is.
func (st *stage) point(in dockerfile.Instruction, step, steps int) Pause {
	shell := st.config.Config.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh"}
	}
	for len(shell) > 1 && strings.HasPrefix(shell[len(shell)-1], "-") {
		shell = shell[:len(shell)-1]
	}
	return Pause{Step: step, Steps: steps, Stage: stageName(st.planned), Where: fmt.Sprintf("%s:%d", st.session.plan.File.Name, in.Line),
		Instruction: in.Text, Shell: shell}
}

// look runs a command of the Debugger's in a container on the writable layer key.
func (st *stage) look(ctx context.Context, key string, c command, terminal bool, streams driver.Streams) (exit driver.Exit, err error) {
	spec, done, err := st.spec(ctx, key, c)
	if err != nil {
		return exit, err
	}
	defer func() { err = errors.Join(err, done()) }()
	spec.Process.Terminal, spec.OpenStdin, spec.StdinOnce = terminal, streams.Stdin != nil, true
	return st.session.task(ctx, spec, streams)
}

// debug lets the Debugger look at what a failed command left. It gives the error on.
func (st *stage) debug(ctx context.Context, c command, spec driver.Spec, cause error) error {
	s := st.session
	failed := (*RunError)(nil)
	if !errors.As(cause, &failed) || s.opts.Debugger == nil {
		return cause
	}
	p := st.point(c.in, s.number, s.total)
	p.Run = func(ctx context.Context, argv []string, terminal bool, streams driver.Streams) (driver.Exit, error) {
		again := spec // the mounts are those of the command, still there
		again.Process.Args, again.Process.Terminal, again.OpenStdin, again.StdinOnce = argv, terminal, streams.Stdin != nil, true
		if err := os.Mkdir(again.Dir, 0o700); err != nil {
			return driver.Exit{}, fmt.Errorf("look into build step: %w", err)
		}
		return s.task(ctx, again, streams)
	}
	if err := s.display.aside(func() error { return s.opts.Debugger.Failed(ctx, p, cause) }); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}
