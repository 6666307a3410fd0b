package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/spf13/cobra"
)

// importArgs is a docker import.
type importArgs struct {
	source, name, message, platform string
	changes                         []string
}

func (app *App) imageImport() *cobra.Command {
	var a importArgs
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "import [OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
		Short:                 "Import the contents from a tarball to create a filesystem image",
		Long: `Import the contents from a tarball to create a filesystem image

With SOURCE_DATE_EPOCH in the environment the image carries that date, so that the
same archive always gives the same image. The archive itself is kept as it is.`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.source = args[0]; len(args) > 1 {
				a.name = args[1]
			}
			return app.importImage(cmd.Context(), a)
		},
	}
	cmd.Flags().StringVarP(&a.message, "message", "m", "", "Set commit message for imported image")
	cmd.Flags().StringArrayVarP(&a.changes, "change", "c", nil, "Apply Dockerfile instruction to the created image")
	cmd.Flags().StringVar(&a.platform, "platform", "", "Set platform if server is multi-platform capable")
	return cmd
}

func (a importArgs) options() (image.ImportOptions, error) {
	opts := image.ImportOptions{Message: a.message, Changes: configChanges(a.changes)}
	if a.name != "" {
		ref, err := oci.ParseRef(a.name)
		if err != nil {
			return opts, &container.HostError{Err: err}
		}
		opts.Ref = &ref
	}
	if a.platform == "" {
		return opts, nil
	}
	var err error
	if opts.Platform, err = image.ParsePlatform(a.platform); err == nil && opts.Platform.OS != "linux" {
		err = errors.New("operating system is not supported")
	}
	return opts, err
}

func (app *App) importImage(ctx context.Context, a importArgs) error {
	opts, err := a.options()
	if err != nil {
		return err
	}
	if opts.Created, err = app.madeAt(); err != nil {
		return err
	}
	address := strings.HasPrefix(a.source, "http://") || strings.HasPrefix(a.source, "https://")
	var in io.Reader
	source := fetch.Redact(a.source)
	if !address {
		var done func()
		if in, source, done, err = app.importInput(a.source); err != nil {
			return err
		}
		defer done()
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	if address {
		op, err := e.Home.Begin("import download")
		if err != nil {
			return err
		}
		defer func() { _ = op.End() }()
		got, err := fetch.Downloader{}.Fetch(ctx, op.Dir(), a.source, "")
		if err != nil {
			return err
		}
		f, err := os.Open(got.Path)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	img, err := e.Images.Import(ctx, in, source, opts)
	if err == nil {
		fmt.Fprintln(app.Out, img.ID)
	}
	return err
}

// importInput opens a file of the host, or standard input.
func (app *App) importInput(name string) (io.Reader, string, func(), error) {
	if name == "-" {
		return app.input(name)
	}
	f, err := os.Open(app.path(name))
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
		}
		return nil, "", nil, &container.HostError{Err: err}
	}
	return f, name, func() { f.Close() }, nil
}
