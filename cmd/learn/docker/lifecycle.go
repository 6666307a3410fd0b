package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/spf13/cobra"
)

func (app *App) startCommand() *cobra.Command {
	var attach, interactive, policies bool
	var f attachFlags
	cmd := &cobra.Command{
		Use:   "start [OPTIONS] CONTAINER [CONTAINER...]",
		Short: "Start one or more stopped containers",
		Args: func(cmd *cobra.Command, args []string) error {
			if policies {
				return exactly(0)(cmd, args)
			}
			return atLeast(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case policies:
				return app.startByPolicy(cmd.Context())
			case attach || interactive:
				return app.startAttached(cmd.Context(), args, attach, interactive, &f)
			}
			return app.startEach(cmd.Context(), args)
		},
	}
	cmd.Flags().BoolVarP(&attach, "attach", "a", false, "Attach STDOUT/STDERR and forward signals")
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "Attach container's STDIN")
	f.register(cmd.Flags())
	f.registerProxy(cmd.Flags())
	cmd.Flags().BoolVar(&policies, "restart-policies", false, "Start what restart policies want to run after the machine was started anew (there is no daemon that would)")
	return cmd
}

// startByPolicy prints the names of what it started.
func (app *App) startByPolicy(ctx context.Context) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	started, err := e.Containers.StartByPolicy(ctx)
	for _, name := range started {
		fmt.Fprintln(app.Out, name)
	}
	return err
}

// startEach ends with a line that names those which did not start, as docker's client does.
func (app *App) startEach(ctx context.Context, names []string) error {
	var failed []string
	err := app.onContainers(ctx, names, func(e *engine.Engine, n string) error {
		err := e.Containers.Start(ctx, n, container.StartOptions{})
		if err != nil {
			failed = append(failed, n)
		}
		return err
	})
	if len(failed) > 0 {
		fmt.Fprintf(app.Err, "Error: failed to start containers: %s\n", strings.Join(failed, ", "))
	}
	return err
}

func (app *App) startAttached(ctx context.Context, names []string, attach, stdin bool, f *attachFlags) error {
	if len(names) > 1 {
		return usagef("you cannot start and attach multiple containers at once")
	}
	keys, err := detachKeys(f.keys)
	if err != nil {
		return err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	c, err := e.Containers.Find(ctx, names[0])
	if err != nil {
		return err
	}
	tty := c.Config.Tty
	a := attachment{stdin: stdin && c.Config.OpenStdin, stdout: true, stderr: true, tty: tty, keys: keys, signals: attach && f.sigProxy && !tty, redraw: c.State.Running}
	code, err := app.foreground(ctx, e, c.ID, a, starting(e, c.ID))
	if errors.Is(err, errDetached) {
		return nil
	}
	if err != nil {
		return &exitError{startCode(err), err}
	}
	return app.ended(ctx, e, c, code, nil)
}

func (app *App) stopCommand() *cobra.Command {
	return app.stopLike("stop", "Stop one or more running containers", (*container.Manager).Stop)
}

func (app *App) restartCommand() *cobra.Command {
	return app.stopLike("restart", "Restart one or more containers", (*container.Manager).Restart)
}

func (app *App) stopLike(verb, short string, do func(*container.Manager, context.Context, string, container.StopOptions) error) *cobra.Command {
	var seconds int
	var opts container.StopOptions
	cmd := &cobra.Command{
		Use:   verb + " [OPTIONS] CONTAINER [CONTAINER...]",
		Short: short,
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("timeout") && cmd.Flags().Changed("time") {
				return usagef("conflicting options: cannot specify both --timeout and --time")
			}
			if cmd.Flags().Changed("timeout") || cmd.Flags().Changed("time") {
				opts.Timeout = &seconds
			}
			return app.onContainers(cmd.Context(), args, func(e *engine.Engine, n string) error { return do(e.Containers, cmd.Context(), n, opts) })
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&opts.Signal, "signal", "s", "", "Signal to send to the container")
	fl.IntVarP(&seconds, "timeout", "t", 0, "Seconds to wait before killing the container (-1: for ever)")
	fl.IntVar(&seconds, "time", 0, "Seconds to wait before killing the container")
	_ = fl.MarkHidden("time")
	return cmd
}

func (app *App) killCommand() *cobra.Command {
	var signal string
	cmd := &cobra.Command{
		Use:   "kill [OPTIONS] CONTAINER [CONTAINER...]",
		Short: "Kill one or more running containers",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.onContainers(cmd.Context(), args, func(e *engine.Engine, n string) error { return e.Containers.Kill(cmd.Context(), n, signal) })
		},
	}
	cmd.Flags().StringVarP(&signal, "signal", "s", "SIGKILL", "Signal to send to the container")
	return cmd
}

// supervisorCommand is a hidden command that a supervisor runs for what it can't do itself.
func (app *App) supervisorCommand(verb string, do func(*container.Manager, context.Context, string) error) func() *cobra.Command {
	return func() *cobra.Command {
		return &cobra.Command{
			Use:    verb + " CONTAINER",
			Hidden: true,
			Args:   exactly(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				e, err := app.engine(cmd.Context())
				if err != nil {
					return err
				}
				return do(e.Containers, cmd.Context(), args[0])
			},
		}
	}
}

func (app *App) waitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "wait CONTAINER [CONTAINER...]",
		Short: "Block until one or more containers stop, then print their exit codes",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			failed := false
			for _, n := range args {
				code, err := e.Containers.Wait(cmd.Context(), n)
				if err != nil {
					fmt.Fprintf(app.Err, "Error response from daemon: %v\n", err)
					failed = true
					continue
				}
				fmt.Fprintln(app.Out, code)
			}
			if failed {
				return &exitError{code: 1}
			}
			return nil
		},
	}
}

func (app *App) renameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename CONTAINER NEW_NAME",
		Short: "Rename a container",
		Args:  exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to := strings.TrimSpace(args[0]), strings.TrimSpace(args[1])
			if from == "" || to == "" {
				return usagef("Error: Neither old nor new names may be empty")
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			err = e.Containers.Rename(cmd.Context(), from, to)
			if err != nil {
				fmt.Fprintf(app.Err, "Error response from daemon: %v\nError: failed to rename container named %s\n", err, format.Clean(from))
				return &exitError{code: 1}
			}
			return nil
		},
	}
}

func (app *App) containerPrune() *cobra.Command {
	var p pruneCall
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove all stopped containers",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ok, err := app.confirm(p.force || p.dryRun, "WARNING! This will remove all stopped containers.")
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			_, freed, err := app.pruneContainers(cmd.Context(), e, p)
			if err != nil {
				return err
			}
			p.total(app.Out, freed)
			return nil
		},
	}
	p.flags(cmd, `Provide filter values (e.g. "until=<timestamp>", "label=a", "label!=b=c")`)
	return cmd
}

// pruneContainers removes what is at rest, and returns what went and the bytes set free. What starts or goes meanwhile is left alone.
func (app *App) pruneContainers(ctx context.Context, e *engine.Engine, p pruneCall) (gone map[string]bool, freed int64, err error) {
	keep, err := containerPruneFilter(p.filters, e.Now())
	if err != nil {
		return nil, 0, err
	}
	all, err := e.Containers.List(ctx, true)
	if err != nil {
		return nil, 0, err
	}
	gone = map[string]bool{}
	var removed []string
	for i := range all {
		c := &all[i]
		if c.State.Active() || !keep(c) {
			continue
		}
		size, sizeErr := e.Containers.Size(ctx, c.ID)
		if !p.dryRun {
			err := e.Containers.Remove(ctx, c.ID, false)
			if errors.As(err, new(*container.NotFoundError)) || errors.As(err, new(*container.ConflictError)) {
				continue
			}
			if err != nil {
				return gone, freed, err
			}
		}
		gone[c.ID] = true
		removed = append(removed, c.ID)
		if sizeErr == nil {
			freed += size.Writable
		}
	}
	if len(removed) > 0 {
		fmt.Fprintf(app.Out, "%s\n%s\n\n", p.heading("Containers"), strings.Join(removed, "\n"))
	}
	return gone, freed, nil
}
