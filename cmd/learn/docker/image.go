package docker

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (app *App) imageCommands() []command {
	return []command{
		{app.buildCommand, ""},
		{app.imageHistory, "history"},
		{app.imageImport, "import"},
		{app.imageInspect, ""},
		{app.imageLoad, "load"},
		{app.imageList, "images"},
		{app.imagePrune, ""},
		{app.imageRemove, "rmi"},
		{app.imageSave, "save"},
		{app.imageTag, "tag"},
	}
}

func (app *App) imageLoad() *cobra.Command {
	var input string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "load [OPTIONS]",
		Short: "Load an image from a tar archive or standard input",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, source, done, err := app.input(input)
			if err != nil {
				return err
			}
			defer done()
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			loaded, err := e.Images.Load(cmd.Context(), in, source)
			for _, l := range loaded {
				app.printLoaded(l)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&input, "input", "i", "", "Read from tar archive file, instead of STDIN")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "Suppress the load output")
	return cmd
}

func (app *App) printLoaded(l image.Loaded) {
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
	var output, kind string
	cmd := &cobra.Command{
		Use:   "save [OPTIONS] IMAGE [IMAGE...]",
		Short: "Save one or more images to a tar archive (streamed to STDOUT by default)",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.output(output, func(w io.Writer) error { return e.Images.Save(cmd.Context(), w, args, kind) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	cmd.Flags().StringVar(&kind, "format", "docker", `Archive format: "docker" (which is a whole OCI layout too) or "oci"`)
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

func (app *App) imageImport() *cobra.Command {
	var message string
	var changes []string
	cmd := &cobra.Command{
		Use:   "import [OPTIONS] file|- [REPOSITORY[:TAG]]",
		Short: "Import the contents from a tarball to create a filesystem image",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts := image.ImportOptions{Message: message, Changes: configChanges(changes)}
			if len(args) > 1 {
				ref, err := oci.ParseRef(args[1])
				if err != nil {
					return err
				}
				opts.Ref = &ref
			}
			in, source, done, err := app.input(args[0])
			if err != nil {
				return err
			}
			defer done()
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			img, err := e.Images.Import(cmd.Context(), in, source, opts)
			if err == nil {
				fmt.Fprintln(app.Out, img.ID)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "Set commit message for imported image")
	cmd.Flags().StringArrayVarP(&changes, "change", "c", nil, "Apply Dockerfile instruction to the created image")
	return cmd
}

// imageRow is one line of docker images, with docker's field names.
type imageRow struct {
	Containers, CreatedAt, CreatedSince, Digest, ID, Repository, SharedSize, Size, Tag, UniqueSize string
}

func imageTable(digests bool) format.Table[imageRow] {
	t := format.Table[imageRow]{
		Default: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
		Quiet:   "{{.ID}}",
		Headers: map[string]string{"Repository": "REPOSITORY", "Tag": "TAG", "ID": "IMAGE ID", "Digest": "DIGEST", "CreatedSince": "CREATED",
			"CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE"},
	}
	if digests {
		t.Default = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
	}
	return t
}

func (app *App) imageList() *cobra.Command {
	var all, quiet, noTrunc, digests bool
	var spec string
	var filters []string
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS] [REPOSITORY[:TAG]]",
		Aliases: []string{"list"},
		Short:   "List images",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			images, err := e.Images.List(cmd.Context())
			if err != nil {
				return err
			}
			keep, err := imageFilter(filters, args)
			if err != nil {
				return err
			}
			rows := imageRows(images, noTrunc, keep)
			if quiet {
				return imageTable(false).WriteQuiet(app.Out, dedupe(rows))
			}
			return imageTable(digests).Write(app.Out, spec, rows)
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&all, "all", "a", false, "Show all images (default hides intermediate images)")
	fl.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	fl.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	fl.BoolVar(&digests, "digests", false, "Show digests")
	fl.StringVar(&spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	fl.StringArrayVarP(&filters, "filter", "f", nil, `Filter output: dangling=true|false, reference=PATTERN, label=KEY[=VALUE]`)
	return cmd
}

func imageRows(images []image.Image, noTrunc bool, keep func(image.Image, oci.Ref) bool) []imageRow {
	var rows []imageRow
	for _, img := range images {
		refs := img.Refs
		if len(refs) == 0 {
			refs = []oci.Ref{{}}
		}
		for _, ref := range refs {
			if keep(img, ref) {
				rows = append(rows, newImageRow(img, ref, noTrunc))
			}
		}
	}
	return rows
}

func newImageRow(img image.Image, ref oci.Ref, noTrunc bool) imageRow {
	r := imageRow{Containers: "N/A", SharedSize: "N/A", UniqueSize: "N/A", Repository: "<none>", Tag: "<none>", Digest: img.Manifest.Digest.String(),
		ID: img.ID.String(), CreatedSince: format.Ago(img.Created), CreatedAt: img.Created.Local().Format("2006-01-02 15:04:05 -0700 MST"), Size: format.Size(img.Size)}
	if !noTrunc {
		r.ID = format.ID(r.ID)
	}
	if ref.Repository() != "" {
		r.Repository = ref.Repository()
	}
	if ref.Tag() != "" {
		r.Tag = ref.Tag()
	}
	return r
}

func dedupe(rows []imageRow) []imageRow {
	seen := map[string]bool{}
	var out []imageRow
	for _, r := range rows {
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r)
		}
	}
	return out
}

func (app *App) imageInspect() *cobra.Command {
	var spec string
	cmd := &cobra.Command{
		Use:   "inspect [OPTIONS] IMAGE [IMAGE...]",
		Short: "Display detailed information on one or more images",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.inspectEach(cmd.Context(), spec, args, inspectImage)
		},
	}
	cmd.Flags().StringVarP(&spec, "format", "f", "", "Format output using a Go template, or json")
	return cmd
}

func (app *App) imageHistory() *cobra.Command {
	var noTrunc, human, quiet bool
	var spec string
	cmd := &cobra.Command{
		Use:   "history [OPTIONS] IMAGE",
		Short: "Show the history of an image",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			img, err := e.Images.Resolve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rows := historyRows(image.History(img), noTrunc, human)
			if quiet {
				return historyTable().WriteQuiet(app.Out, rows)
			}
			return historyTable().Write(app.Out, spec, rows)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	fl.BoolVarP(&human, "human", "H", true, "Print sizes and dates in human readable format")
	fl.BoolVarP(&quiet, "quiet", "q", false, "Only show image IDs")
	fl.StringVar(&spec, "format", "", `Format output using "table", "table TEMPLATE", "json" or a Go template`)
	return cmd
}

type historyRow struct {
	ID, CreatedSince, CreatedAt, CreatedBy, Size, Comment string
}

func historyTable() format.Table[historyRow] {
	return format.Table[historyRow]{
		Default: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
		Quiet:   "{{.ID}}",
		Headers: map[string]string{"ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE", "Comment": "COMMENT"},
	}
}

func historyRows(history []image.HistoryRow, noTrunc, human bool) []historyRow {
	rows := make([]historyRow, 0, len(history))
	for _, h := range history {
		r := historyRow{ID: h.ID, CreatedAt: h.Created.Format("2006-01-02T15:04:05Z07:00"), CreatedSince: format.Ago(h.Created),
			CreatedBy: format.Clean(strings.ReplaceAll(h.CreatedBy, "\t", " ")), Size: format.Size(h.Size), Comment: format.Clean(h.Comment)}
		if !human {
			r.CreatedSince, r.Size = r.CreatedAt, fmt.Sprint(h.Size)
		}
		if !noTrunc {
			r.CreatedBy = format.Ellipsis(r.CreatedBy, 45)
			if _, err := digest.Parse(r.ID); err == nil {
				r.ID = format.ID(r.ID)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

func (app *App) imageTag() *cobra.Command {
	return &cobra.Command{
		Use:   "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
		Short: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
		Args:  exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := oci.ParseRef(args[1])
			if err != nil {
				return fmt.Errorf("invalid name %q: %w", args[1], err)
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Images.Tag(cmd.Context(), args[0], ref)
		},
	}
}

func (app *App) imageRemove() *cobra.Command {
	var force, noPrune bool
	cmd := &cobra.Command{
		Use:     "rm [OPTIONS] IMAGE [IMAGE...]",
		Aliases: []string{"remove"},
		Short:   "Remove one or more images",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			failed := false
			for _, name := range args {
				if err := app.removeImage(cmd.Context(), e, name, force); err != nil {
					fmt.Fprintf(app.Err, "Error response from daemon: %v\n", err)
					failed = true
				}
			}
			if failed {
				return &exitError{code: 1}
			}
			_, err = app.collect(cmd.Context(), e)
			return err
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force removal of the image")
	cmd.Flags().BoolVar(&noPrune, "no-prune", false, "Do not delete untagged parents")
	return cmd
}

func (app *App) removeImage(ctx context.Context, e *engine.Engine, name string, force bool) error {
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return err
	}
	removed, err := e.Images.Remove(ctx, name, force, func(id digest.Digest) []image.Use { return uses[id] })
	app.printRemovals(removed)
	return err
}

func (app *App) printRemovals(removed []image.Removal) {
	for _, r := range removed {
		if r.Untagged != "" {
			fmt.Fprintf(app.Out, "Untagged: %s\n", r.Untagged)
		}
		if r.Deleted != "" {
			fmt.Fprintf(app.Out, "Deleted: %s\n", r.Deleted)
		}
	}
}

func (app *App) imagePrune() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove unused images",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			warning := "WARNING! This will remove all dangling images."
			if all {
				warning = "WARNING! This will remove all images without at least one container associated to them."
			}
			ok, err := app.confirm(force, warning)
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.pruneImages(cmd.Context(), e, all)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Remove all unused images, not just dangling ones")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	return cmd
}

func (app *App) pruneImages(ctx context.Context, e *engine.Engine, all bool) error {
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return err
	}
	report, err := e.Images.Prune(ctx, all, func(id digest.Digest) bool { return len(uses[id]) > 0 })
	if err != nil {
		return err
	}
	if len(report.Removed) > 0 {
		fmt.Fprintln(app.Out, "Deleted Images:")
		app.printPruned(report.Removed)
		fmt.Fprintln(app.Out)
	}
	freed, err := app.collect(ctx, e)
	fmt.Fprintf(app.Out, "Total reclaimed space: %s\n", format.Size(report.FreedBytes+freed))
	return err
}

func (app *App) printPruned(removed []image.Removal) {
	for _, r := range removed {
		if r.Untagged != "" {
			fmt.Fprintf(app.Out, "untagged: %s\n", r.Untagged)
		}
		if r.Deleted != "" {
			fmt.Fprintf(app.Out, "deleted: %s\n", r.Deleted)
		}
	}
}
