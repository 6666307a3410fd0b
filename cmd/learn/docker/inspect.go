package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/network/ledger"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/spf13/cobra"
)

// look finds one object by name and returns what inspect prints of it.
type look func(ctx context.Context, e *engine.Engine, name string) (any, error)

// withSize adds to what look finds of a container how much it takes.
func withSize(look look) look {
	return func(ctx context.Context, e *engine.Engine, name string) (any, error) {
		o, err := look(ctx, e, name)
		c, ok := o.(*containerView)
		if err != nil || !ok {
			return o, err
		}
		size, err := e.Containers.Size(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		c.SizeRw, c.SizeRootFs = &size.Writable, &size.Root
		return c, nil
	}
}

func inspectImage(ctx context.Context, e *engine.Engine, name string) (any, error) {
	img, err := e.Images.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	return imageResponse(img)
}

func isNoContainer(err error) bool {
	var missing *container.NotFoundError
	return errors.As(err, &missing)
}

// noObjectError says that no container, image, volume or network has the name; docker's client, not its engine, finds that out.
type noObjectError struct{ name string }

func (e *noObjectError) Error() string { return "No such object: " + e.name }

// inspectAny looks for a container first, then for an image, a volume and a network.
func inspectAny(ctx context.Context, e *engine.Engine, name string) (any, error) {
	o, err := inspectContainer(ctx, e, name)
	if err == nil || !isNoContainer(err) {
		return o, err
	}
	o, err = inspectImage(ctx, e, name)
	if !image.IsNotFound(err) {
		return o, err
	}
	o, err = inspectVolume(ctx, e, name)
	if volume.IsNotFound(err) {
		o, err = inspectNetwork(ctx, e, name)
	}
	if ledger.IsNotFound(err) {
		return nil, &noObjectError{name}
	}
	return o, err
}

// inspectEach prints what was found even if other names were not there.
func (app *App) inspectEach(ctx context.Context, spec string, names []string, look look) error {
	if _, err := format.Parse(spec); err != nil {
		return &clientError{code: 64, msg: format.Clean(err.Error())} // which is docker's code for it
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	var found []any
	var missing []error
	for _, n := range names {
		o, err := look(ctx, e, n)
		if err != nil {
			missing = append(missing, err)
			continue
		}
		found = append(found, o)
	}
	if err := format.Objects(app.safeOut(), spec, found); err != nil {
		var bad *format.TemplateError
		if errors.As(err, &bad) && len(found) > 0 && spec != "" {
			missing = append(missing, &clientError{msg: err.Error()})
		} else {
			return err
		}
	}
	app.printErrors(missing)
	if len(missing) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

// printErrors prints what went wrong with some of several things, each on a line, as docker's client does at the end.
func (app *App) printErrors(errs []error) {
	for _, err := range errs {
		var none *noObjectError
		var client *clientError
		switch {
		case errors.As(err, &none):
			fmt.Fprintf(app.Err, "Error: %v\n", err)
		case errors.As(err, &client):
			fmt.Fprintln(format.Cleaner{To: app.Err}, err)
		default:
			fmt.Fprintf(app.Err, "Error response from daemon: %v\n", err)
		}
	}
}

// safeOut is the output for text that comes from outside: a terminal is not to be steered by it.
func (app *App) safeOut() io.Writer {
	if isTerminal(app.Out) {
		return format.Cleaner{To: app.Out}
	}
	return app.Out
}

const kernelUsage = "Show what the kernel has of a running container: namespaces, mounts, powers, control groups, each with where to look"

func (app *App) containerInspect() *cobra.Command {
	var spec string
	var size, kernel bool
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] CONTAINER [CONTAINER...]",
		Short: "Display detailed information on one or more containers",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if kernel {
				return app.inspectKernel(cmd.Context(), spec, args)
			}
			how := look(inspectContainer)
			if size {
				how = withSize(how)
			}
			return app.inspectEach(cmd.Context(), spec, args, how)
		},
	}
	cmd.Flags().BoolVar(&kernel, "kernel", false, kernelUsage)
	cmd.Flags().StringVarP(&spec, "format", "f", "", "Format output using a Go template, or json")
	cmd.Flags().BoolVarP(&size, "size", "s", false, "Display total file sizes")
	return cmd
}

func (app *App) inspect() *cobra.Command {
	var spec, kind string
	var kernel, size bool
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] NAME|ID [NAME|ID...]",
		Short: "Return low-level information on containers, images, networks and volumes",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			how, ok := map[string]look{"": inspectAny, "container": inspectContainer, "image": inspectImage, "volume": inspectVolume, "network": inspectNetwork}[kind]
			if !ok {
				return usagef("%q is not a valid value for --type: expected container, image, network or volume", kind)
			}
			if kernel && kind != "image" {
				return app.inspectKernel(cmd.Context(), spec, args)
			}
			if size {
				how = withSize(how)
			}
			return app.inspectEach(cmd.Context(), spec, args, how)
		},
	}
	cmd.Flags().StringVarP(&spec, "format", "f", "", "Format output using a Go template, or json")
	cmd.Flags().BoolVar(&kernel, "kernel", false, kernelUsage)
	cmd.Flags().BoolVarP(&size, "size", "s", false, "Display total file sizes if the type is container")
	cmd.Flags().StringVar(&kind, "type", "", `Only inspect objects of the given type ("container", "image", "network", "volume")`)
	return cmd
}
