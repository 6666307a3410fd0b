package docker

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/spf13/cobra"
)

const (
	none       = "<none>"
	formatHelp = `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template`
)

// imageRow is one line of docker images, with docker's field names.
type imageRow struct {
	Containers, CreatedAt, CreatedSince, Digest, ID, Repository, SharedSize, Size, Tag, UniqueSize, VirtualSize string
}

func imageTable(digests bool) format.Table[imageRow] {
	column := ""
	raw := "repository: {{ .Repository }}\ntag: {{.Tag}}\n"
	if digests {
		column = "{{.Digest}}\t"
		raw += "digest: {{.Digest}}\n"
	}
	return format.Table[imageRow]{
		Default: "{{.Repository}}\t{{.Tag}}\t" + column + "{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
		Quiet:   "{{.ID}}",
		Raw:     raw + "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n",
		Headers: map[string]string{"Repository": "REPOSITORY", "Tag": "TAG", "ID": "IMAGE ID", "Digest": "DIGEST", "CreatedSince": "CREATED",
			"CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE", "VirtualSize": "SIZE"},
	}
}

// imagesFlags are those of docker images.
type imagesFlags struct {
	all, quiet, noTrunc, digests, tree bool
	spec                               string
	filters                            []string
}

func (app *App) imageList() *cobra.Command {
	var f imagesFlags
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS] [REPOSITORY[:TAG]]",
		Aliases: []string{"list"},
		Short:   "List images",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := app.listImages(cmd.Context(), f, args)
			if err == nil && n == 0 && len(args) > 0 && cmd.Name() == "images" {
				app.meantVerb(args[0])
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.BoolVarP(&f.all, "all", "a", false, "Show all images (default hides intermediate images)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Only show image IDs")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Don't truncate output")
	fl.BoolVar(&f.digests, "digests", false, "Show digests")
	fl.StringVar(&f.spec, "format", "", formatHelp)
	fl.BoolVar(&f.tree, "tree", false, "List multi-platform images as a tree (EXPERIMENTAL)")
	fl.StringArrayVarP(&f.filters, "filter", "f", nil,
		`Filter output based on conditions provided: dangling=true|false, label=KEY[=VALUE], reference=PATTERN, before=IMAGE, since=IMAGE, until=TIME`)
	return cmd
}

// listImages prints images and returns how many there were.
func (app *App) listImages(ctx context.Context, f imagesFlags, names []string) (int, error) {
	if f.tree {
		if err := f.fitTree(); err != nil {
			return 0, err
		}
	}
	filter, err := parseImageFilters(f.filters, names)
	if err != nil {
		return 0, err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return 0, err
	}
	images, err := filter.list(ctx, e)
	if err != nil {
		return 0, err
	}
	if f.tree {
		return len(images), app.writeTree(ctx, e, images, f.all)
	}
	return len(images), f.write(app.Out, images, e.Now())
}

// fitTree refuses what docker's tree can't show either.
func (f imagesFlags) fitTree() error {
	for _, other := range []struct {
		name string
		set  bool
	}{{"quiet", f.quiet}, {"no-trunc", f.noTrunc}, {"show-digest", f.digests}, {"format", f.spec != ""}} {
		if other.set {
			return &clientError{msg: "--" + other.name + " is not yet supported with --tree"}
		}
	}
	return nil
}

func (f imagesFlags) write(w io.Writer, images []image.Image, now time.Time) error {
	if f.digests && strings.HasPrefix(f.spec, "table ") && !strings.Contains(f.spec, "{{.Digest}}") {
		f.spec += "\t{{.Digest}}"
	}
	rows := make([]imageRow, 0, len(images))
	for _, img := range images {
		rows = append(rows, f.rows(img, now)...)
	}
	if f.quiet && (f.spec == "" || f.spec == "table" || f.spec == "raw") {
		return imageTable(false).WriteQuiet(w, rows)
	}
	return imageTable(f.digests).Write(w, f.spec, rows)
}

// rows are the lines of one image: one for each tag, or where digests are asked for one for each digest of a tag, and one for a repository
// that knows the image by a digest alone.
func (f imagesFlags) rows(img image.Image, now time.Time) []imageRow {
	if len(img.Refs) == 0 && len(img.Digests) == 0 {
		return []imageRow{f.row(img, none, none, none, now)}
	}
	var rows []imageRow
	needDigest := f.digests || strings.Contains(f.spec, "{{.Digest}}")
	tagged := map[string]bool{}
	for _, ref := range img.Refs {
		tagged[ref.Name()] = true
		digests := digestsIn(img, ref.Name())
		if !needDigest || len(digests) == 0 {
			digests = []string{none}
		}
		for _, d := range digests {
			rows = append(rows, f.row(img, ref.Repository(), ref.Tag(), d, now))
		}
	}
	for _, ref := range img.Digests {
		switch {
		case tagged[ref.Name()]:
		case f.digests:
			rows = append(rows, f.row(img, ref.Repository(), none, ref.Digest().String(), now))
		default:
			tagged[ref.Name()] = true // once for each repository
			rows = append(rows, f.row(img, ref.Repository(), none, "", now))
		}
	}
	return rows
}

// digestsIn are the digests by which a repository knows the image.
func digestsIn(img image.Image, repository string) []string {
	var list []string
	for _, ref := range img.Digests {
		if ref.Name() == repository {
			list = append(list, ref.Digest().String())
		}
	}
	return list
}

func (f imagesFlags) row(img image.Image, repository, tag, digest string, now time.Time) imageRow {
	r := imageRow{Containers: "N/A", SharedSize: "N/A", UniqueSize: "N/A", Repository: repository, Tag: tag, Digest: digest, ID: img.ID.String(),
		CreatedAt: img.Created.Local().Truncate(time.Second).Format("2006-01-02 15:04:05 -0700 MST"), Size: format.Size(img.Size), VirtualSize: format.Sum(img.Size)}
	if !img.Created.IsZero() {
		r.CreatedSince = format.Ago(img.Created, now)
	}
	if !f.noTrunc {
		r.ID = format.ID(r.ID)
	}
	return r
}

// meantVerb helps who typed docker images ls.
func (app *App) meantVerb(name string) {
	verbs := []string{"build", "history", "import", "inspect", "list", "load", "ls", "prune", "pull", "push", "rm", "save", "tag"}
	if slices.Contains(verbs, name) {
		fmt.Fprintf(app.Err, "\nNo images found matching %q: did you mean \"docker image %[1]s\"?\n", name)
	}
}

// refNames are the names of an image as docker shows them, none for a dangling one.
func refNames(refs []oci.Ref) []string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.Familiar()
	}
	return names
}

// usesOf tells which containers were made of which image.
func usesOf(ctx context.Context, e *engine.Engine) (func(image.Image) int, error) {
	uses, err := e.Containers.Uses(ctx)
	if err != nil {
		return nil, err
	}
	return func(img image.Image) int { return len(uses[img.ID]) }, nil
}
