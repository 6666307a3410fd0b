package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/spf13/cobra"
)

func (app *App) containerCommands() []command {
	return []command{
		{app.attachCommand, "attach"},
		{app.cleanupCommand, ""},
		{app.commitCommand, "commit"},
		{app.createCommand, "create"},
		{app.diffCommand, "diff"},
		{app.execCommand, "exec"},
		{app.exportCommand, "export"},
		{app.containerInspect, ""},
		{app.killCommand, "kill"},
		{app.logsCommand, "logs"},
		{app.listCommand, "ps"},
		{app.simple("pause", "Pause all processes within one or more containers", (*container.Manager).Pause), "pause"},
		{app.containerPrune, ""},
		{app.restartCommand, "restart"},
		{app.removeCommand, "rm"},
		{app.runCommand, "run"},
		{app.startCommand, "start"},
		{app.stopCommand, "stop"},
		{app.topCommand, "top"},
		{app.simple("unpause", "Unpause all processes within one or more containers", (*container.Manager).Unpause), "unpause"},
		{app.waitCommand, "wait"},
	}
}

// onContainers runs f for each named container.
func (app *App) onContainers(ctx context.Context, names []string, f func(e *engine.Engine, name string) error) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	return app.each(names, func(n string) error { return f(e, n) })
}

// simple makes a command that does one thing to each container it names.
func (app *App) simple(verb, short string, do func(*container.Manager, context.Context, string) error) func() *cobra.Command {
	return func() *cobra.Command {
		return &cobra.Command{
			Use:   verb + " CONTAINER [CONTAINER...]",
			Short: short,
			Args:  atLeast(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				return app.onContainers(cmd.Context(), args, func(e *engine.Engine, n string) error { return do(e.Containers, cmd.Context(), n) })
			},
		}
	}
}

func (app *App) startCommand() *cobra.Command {
	var attach, interactive bool
	var f attachFlags
	cmd := &cobra.Command{
		Use:   "start [OPTIONS] CONTAINER [CONTAINER...]",
		Short: "Start one or more stopped containers",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if attach || interactive {
				return app.startAttached(cmd.Context(), args, attach, interactive, &f)
			}
			return app.startEach(cmd.Context(), args)
		},
	}
	cmd.Flags().BoolVarP(&attach, "attach", "a", false, "Attach STDOUT/STDERR and forward signals")
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "Attach container's STDIN")
	f.register(cmd.Flags())
	f.registerProxy(cmd.Flags())
	return cmd
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

func (app *App) stopLike(verb, short string, do func(*container.Manager, context.Context, string, *int) error) *cobra.Command {
	var seconds int
	cmd := &cobra.Command{
		Use:   verb + " [OPTIONS] CONTAINER [CONTAINER...]",
		Short: short,
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var timeout *int
			if cmd.Flags().Changed("timeout") || cmd.Flags().Changed("time") {
				timeout = &seconds
			}
			return app.onContainers(cmd.Context(), args, func(e *engine.Engine, n string) error { return do(e.Containers, cmd.Context(), n, timeout) })
		},
	}
	fl := cmd.Flags()
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

func (app *App) removeCommand() *cobra.Command {
	var force, volumes bool
	missing := true
	cmd := &cobra.Command{
		Use:     "rm [OPTIONS] CONTAINER [CONTAINER...]",
		Aliases: []string{"remove"},
		Short:   "Remove one or more containers",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := app.onContainers(cmd.Context(), args, func(e *engine.Engine, n string) error {
				err := e.Containers.Remove(cmd.Context(), n, force)
				missing = missing && (err == nil || isNoContainer(err))
				return err
			})
			if force && missing {
				return nil // docker's rm -f complains about a container that is not there, and is content
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force the removal of a running container (uses SIGKILL)")
	cmd.Flags().BoolVarP(&volumes, "volumes", "v", false, "Remove anonymous volumes associated with the container")
	return cmd
}

// cleanupCommand is what a supervisor runs after a container made with --rm ended and nobody waits for it any more.
func (app *App) cleanupCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "cleanup CONTAINER",
		Hidden: true,
		Args:   exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Containers.Cleanup(cmd.Context(), args[0])
		},
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

func (app *App) topCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "top CONTAINER",
		Short: "Display the running processes of a container",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			top, err := e.Containers.Top(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			tw := tabwriter.NewWriter(app.Out, 20, 1, 3, ' ', 0)
			fmt.Fprintln(tw, strings.Join(top.Titles, "\t"))
			for _, p := range top.Processes {
				for i := range p {
					p[i] = format.Clean(p[i])
				}
				fmt.Fprintln(tw, strings.Join(p, "\t"))
			}
			return tw.Flush()
		},
	}
}

func (app *App) containerPrune() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove all stopped containers",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ok, err := app.confirm(force, "WARNING! This will remove all stopped containers.")
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.pruneContainers(cmd.Context(), e)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return cmd
}

func (app *App) pruneContainers(ctx context.Context, e *engine.Engine) error {
	all, err := e.Containers.List(ctx, true)
	if err != nil {
		return err
	}
	var removed []string
	for _, c := range all {
		if c.State.Running || c.State.Paused {
			continue
		}
		if err := e.Containers.Remove(ctx, c.ID, false); err != nil {
			return err
		}
		removed = append(removed, c.ID)
	}
	if len(removed) > 0 {
		fmt.Fprintf(app.Out, "Deleted Containers:\n%s\n\n", strings.Join(removed, "\n"))
	}
	return nil
}
