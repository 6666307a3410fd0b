package docker

import (
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/spf13/cobra"
)

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
			rows := imageRows(images, noTrunc, e.Now(), keep)
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

func imageRows(images []image.Image, noTrunc bool, now time.Time, keep func(image.Image, oci.Ref) bool) []imageRow {
	var rows []imageRow
	for _, img := range images {
		refs := img.Refs
		if len(refs) == 0 {
			refs = []oci.Ref{{}}
		}
		for _, ref := range refs {
			if keep(img, ref) {
				rows = append(rows, newImageRow(img, ref, noTrunc, now))
			}
		}
	}
	return rows
}

func newImageRow(img image.Image, ref oci.Ref, noTrunc bool, now time.Time) imageRow {
	r := imageRow{Containers: "N/A", SharedSize: "N/A", UniqueSize: "N/A", Repository: "<none>", Tag: "<none>", Digest: img.Manifest.Digest.String(),
		ID: img.ID.String(), CreatedSince: format.Ago(img.Created, now), CreatedAt: img.Created.Local().Format("2006-01-02 15:04:05 -0700 MST"), Size: format.Size(img.Size)}
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
