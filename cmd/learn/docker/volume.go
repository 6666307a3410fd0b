package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/volume"
	vtypes "github.com/moby/moby/api/types/volume"
	"github.com/spf13/cobra"
)

func (app *App) volumeCommands() []command {
	return []command{
		{app.volumeCreate, ""},
		{app.volumeInspect, ""},
		{app.volumeList, ""},
		{app.volumePrune, ""},
		{app.volumeRemove, ""},
	}
}

func (app *App) volumeCreate() *cobra.Command {
	var o volume.CreateOptions
	var labels, options []string
	cmd := &cobra.Command{
		Use:   "create [OPTIONS] [VOLUME]",
		Short: "Create a volume",
		Args:  atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				if o.Name != "" && o.Name != args[0] {
					return usagef("conflicting options: cannot specify a volume-name through both --name and as a positional arg")
				}
				o.Name = args[0]
			}
			var err error
			if o.Labels, err = pairs(labels); err != nil {
				return err
			}
			if o.Options, err = pairs(options); err != nil {
				return err
			}
			return app.createVolume(cmd.Context(), o)
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&o.Driver, "driver", "d", volume.Local, "Specify volume driver name")
	fl.StringArrayVar(&labels, "label", nil, "Set metadata for a volume")
	fl.StringArrayVarP(&options, "opt", "o", nil, "Set driver specific options")
	fl.StringVar(&o.Name, "name", "", "Specify volume name")
	_ = fl.MarkHidden("name")
	return cmd
}

func (app *App) createVolume(ctx context.Context, o volume.CreateOptions) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	v, err := e.Volumes.Create(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(app.Out, v.Name)
	return nil
}

// volumeView is a volume in docker's shape.
func volumeView(e *engine.Engine, v *volume.Volume) vtypes.Volume {
	out := vtypes.Volume{Name: v.Name, Driver: v.Driver, Mountpoint: e.Volumes.Mountpoint(v), Labels: v.Labels, Options: v.Options, Scope: "local"}
	if !v.CreatedAt.IsZero() {
		out.CreatedAt = v.CreatedAt.Format(time.RFC3339)
	}
	return out
}

func inspectVolume(_ context.Context, e *engine.Engine, name string) (any, error) {
	v, err := e.Volumes.Get(name)
	if err != nil {
		return nil, err
	}
	if v.Problem != nil {
		return nil, v.Problem
	}
	return volumeView(e, v), nil
}

func (app *App) volumeInspect() *cobra.Command {
	var spec string
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] VOLUME [VOLUME...]",
		Short: "Display detailed information on one or more volumes",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.inspectEach(cmd.Context(), spec, args, inspectVolume)
		},
	}
	cmd.Flags().StringVarP(&spec, "format", "f", "", "Format output using a Go template, or json")
	return cmd
}

func (app *App) volumeRemove() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm [OPTIONS] VOLUME [VOLUME...]",
		Aliases: []string{"remove"},
		Short:   "Remove one or more volumes",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.each(args, func(n string) error {
				err := e.Volumes.Remove(cmd.Context(), n)
				if force && volume.IsNotFound(err) {
					return nil
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force the removal of one or more volumes")
	return cmd
}
