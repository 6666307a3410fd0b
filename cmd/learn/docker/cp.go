package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/container"
	"github.com/spf13/cobra"
)

// copyArgs is a docker cp: from a path to a path, of which exactly one is a container's.
type copyArgs struct {
	container   string
	source      string
	destination string
	out         bool
	options     container.CopyOptions
}

func (app *App) cpCommand() *cobra.Command {
	var opts container.CopyOptions
	var quiet bool
	cmd := &cobra.Command{
		DisableFlagsInUseLine: true,
		Use:                   "cp [OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tdocker cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
		Short:                 "Copy files/folders between a container and the local filesystem",
		Long: `Copy files/folders between a container and the local filesystem

Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := parseCopy(args)
			if err != nil {
				return &container.HostError{Err: err}
			}
			c.options = opts
			if !cmd.Flags().Changed("quiet") {
				quiet = app.Terminal == nil
			}
			done, to, err := app.copy(cmd.Context(), c)
			if err == nil && !quiet && to != "" {
				fmt.Fprintf(app.Err, "Successfully copied %s to %s\n", format.Size(done.Bytes), format.Clean(to))
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&opts.FollowLink, "follow-link", "L", false, "Always follow symbol link in SRC_PATH")
	fl.BoolVarP(&opts.Archive, "archive", "a", false, "Archive mode (copy all uid/gid information)")
	fl.BoolVarP(&quiet, "quiet", "q", false, "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached")
	return cmd
}

// parseCopy finds out which side is the container's.
func parseCopy(args []string) (copyArgs, error) {
	if args[0] == "" {
		return copyArgs{}, errors.New("source can not be empty")
	}
	if args[1] == "" {
		return copyArgs{}, errors.New("destination can not be empty")
	}
	from, source := splitCopy(args[0])
	to, dest := splitCopy(args[1])
	switch {
	case from != "" && to != "":
		return copyArgs{}, errors.New("copying between containers is not supported")
	case from == "" && to == "":
		return copyArgs{}, errors.New("must specify at least one container source")
	}
	return copyArgs{container: from + to, source: source, destination: dest, out: from != ""}, nil
}

// splitCopy takes CONTAINER:PATH apart. A path with a colon in it is the host's if it begins with a slash or a dot.
func splitCopy(arg string) (ctr, path string) {
	if filepath.IsAbs(arg) || strings.HasPrefix(arg, "/") {
		return "", arg
	}
	ctr, path, ok := strings.Cut(arg, ":")
	if !ok || strings.HasPrefix(ctr, ".") {
		return "", arg
	}
	return ctr, path
}

// hostPath makes a path of the host absolute; what stands at its end keeps its meaning.
func (app *App) hostPath(p string) string {
	abs := app.path(p)
	sep := string(filepath.Separator)
	switch base := filepath.Base(p); {
	case base == "." && strings.HasSuffix(p, "."):
		return strings.TrimSuffix(filepath.Clean(abs), sep) + sep + "."
	case os.IsPathSeparator(p[len(p)-1]):
		return strings.TrimSuffix(filepath.Clean(abs), sep) + sep
	}
	return filepath.Clean(abs)
}

// copy carries out c and says where the files went; nothing for a stream.
func (app *App) copy(ctx context.Context, c copyArgs) (done container.Copied, to string, err error) {
	e, err := app.engine(ctx)
	if err != nil {
		return done, "", err
	}
	c.options.Note = func(text string) { fmt.Fprintln(app.Err, "WARNING:", format.Clean(text)) }
	switch {
	case c.out && c.destination == "-":
		if isTerminal(app.Out) {
			return done, "", &container.HostError{Err: errors.New("cowardly refusing to write an archive to a terminal: redirect it, or name a destination")}
		}
		return done, "", e.Containers.CopyArchive(ctx, c.container, c.source, app.Out, c.options)
	case c.out:
		done, err = e.Containers.CopyOut(ctx, c.container, c.source, app.hostPath(c.destination), c.options)
		return done, done.To, err
	case c.source == "-":
		return done, "", e.Containers.CopyStream(ctx, c.container, app.In, c.destination, c.options)
	}
	done, err = e.Containers.CopyIn(ctx, c.container, app.hostPath(c.source), c.destination, c.options)
	return done, c.container + ":" + done.To, err
}
