package docker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/spf13/cobra"
)

func (app *App) diffCommand() *cobra.Command {
	return &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "diff CONTAINER",
		Short:                 "Inspect changes to files or directories on a container's filesystem",
		Args:                  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			changes, err := e.Containers.Changes(cmd.Context(), args[0])
			for _, c := range changes {
				fmt.Fprintf(app.Out, "%c %s\n", c.Kind, format.Clean(c.Path))
			}
			return err
		},
	}
}

func (app *App) commitCommand() *cobra.Command {
	var opts container.CommitOptions
	var pause bool
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
		Short:                 "Create a new image from a container's changes",
		Long: `Create a new image from a container's changes

With SOURCE_DATE_EPOCH in the environment the image carries that date, and no file
of its new layer a later one, so that the same changes always give the same image.`,
		Args: func(cmd *cobra.Command, args []string) error { return between(cmd, args, 1, 2) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				ref, err := oci.ParseRef(args[1])
				if err != nil {
					return err
				}
				opts.Refs = []oci.Ref{ref}
			}
			opts.NoPause = !pause
			var err error
			if opts.Created, err = app.madeAt(); err != nil {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			img, err := e.Containers.Commit(cmd.Context(), args[0], opts)
			if err == nil {
				fmt.Fprintln(app.Out, img.ID)
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVarP(&opts.Author, "author", "a", "", `Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")`)
	fl.StringVarP(&opts.Message, "message", "m", "", "Commit message")
	fl.StringArrayVarP(&opts.Changes, "change", "c", nil, "Apply Dockerfile instruction to the created image")
	fl.BoolVarP(&pause, "pause", "p", true, "Pause container during commit")
	return cmd
}

// between checks the number of arguments with docker's words.
func between(cmd *cobra.Command, args []string, low, high int) error {
	if len(args) >= low && len(args) <= high {
		return nil
	}
	return arguments(cmd, fmt.Sprintf("requires at least %d and at most %%d argument%%s", low), high)
}

func (app *App) exportCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "export [OPTIONS] CONTAINER",
		Short:                 "Export a container's filesystem as a tar archive",
		Args:                  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := app.checkExport(output); err != nil {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.output(output, func(w io.Writer) error { return e.Containers.Export(cmd.Context(), args[0], w) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	return cmd
}

// checkExport refuses, before anything is read, a file that can't be written, in docker's words.
func (app *App) checkExport(output string) error {
	if output == "" || output == "-" {
		return nil
	}
	final := app.path(output)
	reason := ""
	if dir := filepath.Dir(final); !isFolder(dir) {
		reason = fmt.Sprintf("invalid output path: stat %s: no such file or directory", dir)
	} else if isFolder(final) {
		reason = "cannot write to a directory"
	}
	if reason == "" {
		return nil
	}
	return &container.HostError{Err: errors.New("failed to export container: " + reason)}
}

func isFolder(name string) bool {
	fi, err := os.Stat(name)
	return err == nil && fi.IsDir()
}
