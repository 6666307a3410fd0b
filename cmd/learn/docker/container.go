package docker

import (
	"context"
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
		{app.supervisorCommand("again", (*container.Manager).Again), ""},
		{app.supervisorCommand("cleanup", (*container.Manager).Cleanup), ""},
		{app.attachCommand, "attach"},
		{app.commitCommand, "commit"},
		{app.createCommand, "create"},
		{app.diffCommand, "diff"},
		{app.cpCommand, "cp"},
		{app.execCommand, "exec"},
		{app.exportCommand, "export"},
		{app.containerInspect, ""},
		{app.killCommand, "kill"},
		{app.logsCommand, "logs"},
		{app.listCommand, "ps"},
		{app.simple("pause", "Pause all processes within one or more containers", (*container.Manager).Pause), "pause"},
		{app.portCommand, "port"},
		{app.containerPrune, ""},
		{app.renameCommand, "rename"},
		{app.restartCommand, "restart"},
		{app.removeCommand, "rm"},
		{app.runCommand, "run"},
		{app.startCommand, "start"},
		{app.stopCommand, "stop"},
		{app.statsCommand, "stats"},
		{app.topCommand, "top"},
		{app.simple("unpause", "Unpause all processes within one or more containers", (*container.Manager).Unpause), "unpause"},
		{app.updateCommand, "update"},
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
				err := e.Containers.RemoveWith(cmd.Context(), n, container.RemoveOptions{Force: force, Volumes: volumes})
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

func (app *App) topCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top CONTAINER [ps OPTIONS]",
		Short: "Display the running processes of a container",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			top, err := e.Containers.Top(cmd.Context(), args[0], args[1:]...)
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
	cmd.Flags().SetInterspersed(false) // what follows is for ps
	return cmd
}
