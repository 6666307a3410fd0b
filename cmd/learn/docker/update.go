package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/learn-containers/learn/engine"
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
)

func (app *App) updateCommand() *cobra.Command {
	var f resourceFlags
	var restart string
	cmd := &cobra.Command{
		Use:   "update [OPTIONS] CONTAINER [CONTAINER...]",
		Short: "Update configuration of one or more containers",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().NFlag() == 0 {
				return usagef("you must provide one or more flags when using this command")
			}
			var want ctypes.UpdateConfig
			f.resources(app, &want.Resources)
			var err error
			if want.RestartPolicy, err = restartPolicy(restart); err != nil {
				return err
			}
			return app.update(cmd.Context(), args, want)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&restart, "restart", "", "Restart policy to apply when a container exits")
	return cmd
}

func (app *App) update(ctx context.Context, names []string, want ctypes.UpdateConfig) error {
	var warnings []string
	err := app.onContainers(ctx, names, func(e *engine.Engine, name string) error {
		told, err := e.Containers.Update(ctx, name, want)
		warnings = append(warnings, told...)
		return err
	})
	if len(warnings) > 0 {
		fmt.Fprintln(app.Out, strings.Join(warnings, "\n"))
	}
	return err
}
