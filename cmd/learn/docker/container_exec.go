package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/spf13/cobra"
)

func (app *App) logsCommand() *cobra.Command {
	var opts container.LogOptions
	cmd := &cobra.Command{
		Use:   "logs [OPTIONS] CONTAINER",
		Short: "Fetch the logs of a container",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Containers.Logs(cmd.Context(), args[0], opts, app.Out, app.Err)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&opts.Follow, "follow", "f", false, "Follow log output")
	fl.BoolVarP(&opts.Timestamps, "timestamps", "t", false, "Show timestamps")
	fl.BoolVar(&opts.Details, "details", false, "Show extra details provided to logs")
	fl.StringVarP(&opts.Tail, "tail", "n", "all", "Number of lines to show from the end of the logs")
	fl.StringVar(&opts.Since, "since", "", `Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)`)
	fl.StringVar(&opts.Until, "until", "", `Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)`)
	return cmd
}

func (app *App) execCommand() *cobra.Command {
	var opts container.ExecOptions
	var f attachFlags
	var interactive bool
	var env, envFiles []string
	cmd := &cobra.Command{
		Use:   "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
		Short: "Execute a command in a running container",
		Args:  atLeast(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.Tty && interactive && !opts.Detach && app.Terminal == nil {
				return &exitError{1, usagef("the input device is not a TTY")}
			}
			keys, err := detachKeys(f.keys)
			if err != nil {
				return err
			}
			if opts.Env, err = app.environment(env, envFiles); err != nil {
				return err
			}
			opts.Cmd = args[1:]
			return app.exec(cmd.Context(), args[0], opts, attachment{stdin: interactive, stdout: true, stderr: true, tty: opts.Tty, keys: keys})
		},
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.BoolVarP(&opts.Detach, "detach", "d", false, "Detached mode: run command in the background")
	fl.BoolVarP(&interactive, "interactive", "i", false, "Keep STDIN open even if not attached")
	fl.BoolVarP(&opts.Tty, "tty", "t", false, "Allocate a pseudo-TTY")
	fl.StringArrayVarP(&env, "env", "e", nil, "Set environment variables")
	fl.StringArrayVar(&envFiles, "env-file", nil, "Read in a file of environment variables")
	fl.StringVarP(&opts.User, "user", "u", "", "Username or UID (format: <name|uid>[:<group|gid>])")
	fl.BoolVar(&opts.Privileged, "privileged", false, "Give extended privileges to the command")
	fl.StringVarP(&opts.WorkingDir, "workdir", "w", "", "Working directory inside the container")
	f.register(fl)
	return cmd
}

func (app *App) exec(ctx context.Context, name string, opts container.ExecOptions, a attachment) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	if opts.Detach {
		if _, err := e.Containers.Exec(ctx, name, opts); err != nil {
			return &exitError{1, err}
		}
		return nil
	}
	code, err := app.execAttached(ctx, e, name, opts, a)
	if errors.Is(err, errDetached) {
		fmt.Fprintln(app.Err, errDetached)
		return &exitError{code: 1}
	}
	if err != nil {
		failed := &exitError{1, err}
		if c := startCode(err); c != 125 {
			failed.code = c
		}
		return failed
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

func (app *App) execAttached(ctx context.Context, e *engine.Engine, name string, opts container.ExecOptions, a attachment) (int, error) {
	c := app.connect(ctx, a)
	defer c.close()
	var err error
	if opts.Streams, err = c.streams(); err != nil {
		return 0, err
	}
	c.begun()
	code, err := e.Containers.Exec(c.ctx, name, opts)
	return code, c.cause(err)
}
