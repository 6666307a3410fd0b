package docker

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (app *App) imageCommands() []command {
	return []command{
		{app.imageAttach, ""},
		{app.buildCommand, ""},
		{app.imageCat, ""},
		{app.imageDiff, ""},
		{app.imageDigests, ""},
		{app.imageHistory, "history"},
		{app.imageImport, "import"},
		{app.imageInspect, ""},
		{app.imageLayers, "layers"},
		{app.imageLoad, "load"},
		{app.imageList, "images"},
		{app.imagePrune, ""},
		{app.imagePull, "pull"},
		{app.imagePush, "push"},
		{app.imageReferrers, ""},
		{app.imageRemove, "rmi"},
		{app.imageSBOM, "sbom"},
		{app.imageSave, "save"},
		{app.imageScan, ""},
		{app.imageTag, "tag"},
	}
}

func (app *App) imageLoad() *cobra.Command {
	var input, platform string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "load [OPTIONS]",
		Short: "Load an image from a tar archive or standard input",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := app.loadOptions(platform, quiet)
			if err != nil {
				return err
			}
			in, source, done, err := app.input(input)
			if err != nil {
				return err
			}
			defer done()
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			loaded, err := e.Images.LoadWith(cmd.Context(), in, source, o)
			for _, l := range loaded {
				app.printLoaded(l)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&input, "input", "i", "", "Read from tar archive file, instead of STDIN")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress the load output")
	cmd.Flags().StringVar(&platform, "platform", "", `Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")`)
	return cmd
}

// loadOptions: as with docker, layers are shown while they are loaded only on a terminal.
func (app *App) loadOptions(platform string, quiet bool) (o image.LoadOptions, err error) {
	if platform != "" {
		if o.Platform, err = givenPlatform(platform); err != nil {
			return o, err
		}
	}
	if !quiet && isTerminal(app.Out) {
		o.Progress = app.transfer(app.Out)
	}
	return o, nil
}

// givenPlatform reads a platform; "linux" alone is that of this machine's processor.
func givenPlatform(s string) (v1.Platform, error) {
	if !strings.Contains(s, "/") {
		s += "/" + oci.Architecture()
	}
	p, err := image.ParsePlatform(s)
	if err != nil {
		err = fmt.Errorf("invalid platform: %w", err)
	}
	return p, err
}

func (app *App) printLoaded(l image.Loaded) {
	for _, m := range l.Moved {
		fmt.Fprintf(app.Out, "The image %s already exists, renaming the old one with ID %s to empty string\n", m.Ref.Familiar(), m.From)
	}
	if len(l.Refs) == 0 {
		fmt.Fprintf(app.Out, "Loaded image ID: %s\n", l.Image.ID)
	}
	for _, r := range l.Refs {
		fmt.Fprintf(app.Out, "Loaded image: %s\n", r.Familiar())
	}
}

// input opens the file, or standard input for "" and "-"; a terminal is refused, because nobody types an archive.
func (app *App) input(name string) (io.Reader, string, func(), error) {
	if name != "" && name != "-" {
		f, err := os.Open(app.path(name))
		if err != nil {
			return nil, "", nil, usagef("%v", err)
		}
		return f, name, func() { f.Close() }, nil
	}
	if isTerminal(app.In) {
		return nil, "", nil, usagef("requested load from stdin, but stdin is empty: name a file with -i, or pipe the archive in")
	}
	return app.In, "-", func() {}, nil
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (app *App) imageSave() *cobra.Command {
	var output, kind, platforms string
	cmd := &cobra.Command{
		Use:   "save [OPTIONS] IMAGE [IMAGE...]",
		Short: "Save one or more images to a tar archive (streamed to STDOUT by default)",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := image.SaveOptions{Format: kind}
			for s := range strings.SplitSeq(platforms, ",") {
				if s = strings.TrimSpace(s); s == "" {
					continue
				}
				p, err := givenPlatform(s)
				if err != nil {
					return err
				}
				o.Platforms = append(o.Platforms, p)
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.output(output, func(w io.Writer) error { return e.Images.SaveWith(cmd.Context(), w, args, o) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	cmd.Flags().StringVar(&kind, "format", "docker", `Archive format: "docker" (which is a whole OCI layout too) or "oci"`)
	cmd.Flags().StringVar(&platforms, "platform", "", `Save only the given platform(s). Formatted as a comma-separated list of "os[/arch[/variant]]" (e.g., "linux/amd64,linux/arm64/v8")`)
	return cmd
}

// output hands write the file name, which exists afterwards only if write went well, or standard output for "".
func (app *App) output(name string, write func(io.Writer) error) error {
	if name == "" {
		if isTerminal(app.Out) {
			return usagef("cowardly refusing to save to a terminal. Use the -o flag or redirect")
		}
		return write(app.Out)
	}
	final := app.path(name)
	if err := regularOutput(final); err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d.tmp", final, os.Getpid())
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return usagef("%v", err)
	}
	err = write(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp, final)
	}
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// regularOutput refuses to put a file in the place of a device or the like, in docker's words: a rename would replace /dev/null for everybody.
func regularOutput(name string) error {
	fi, err := os.Stat(name)
	if err != nil || fi.Mode().IsRegular() {
		return nil
	}
	what := "got an irregular file"
	switch {
	case fi.IsDir():
		what = "got a directory"
	case fi.Mode()&fs.ModeDevice != 0:
		what = "got a device"
	}
	return usagef("invalid output path: %q must be a regular file: %s", name, what)
}

func (app *App) imageTag() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
		Short: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
		Args:  exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := targetRef(args[0], args[1])
			if err != nil {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Images.Tag(cmd.Context(), args[0], ref)
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// targetRef reads what is to be tagged and as what, with what docker's client says of names that it can't read.
func targetRef(source, target string) (oci.Ref, error) {
	bad := func(name string, err error) error {
		return &clientError{msg: fmt.Sprintf("Error parsing reference: %q is not a valid repository/tag: %v", name, err)}
	}
	if _, err := oci.ParseRef(source); err != nil && !oci.IsID(source) {
		return oci.Ref{}, bad(source, err)
	}
	ref, err := oci.ParseRef(target)
	switch {
	case err != nil:
		return ref, bad(target, err)
	case ref.Digest() != "":
		return ref, &clientError{msg: "refusing to create a tag with a digest reference"}
	}
	return ref, nil
}
