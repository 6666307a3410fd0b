package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/sbom"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

const attachLong = `Attach a file to an image: a list of packages, a signature, a report. It becomes an artifact, which is a manifest of its own that
names the image's manifest as its subject. The image and its digest stay as they are. Push gives its artifacts along with an
image, pull brings them, and they are removed with it.`

func (app *App) imageAttach() *cobra.Command {
	var mediaType string
	var annotations []string
	cmd := &cobra.Command{
		Use:     "attach [OPTIONS] IMAGE FILE|-",
		Short:   "Attach a file to an image, as an artifact that refers to it",
		Long:    attachLong,
		Example: "  learn docker image attach --type application/vnd.cyclonedx+json shop:1 sbom.json",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a := image.Attachment{Type: mediaType}
			for _, text := range annotations {
				key, value, ok := strings.Cut(text, "=")
				if !ok || key == "" {
					return usagef("invalid annotation %q: expected KEY=VALUE", text)
				}
				if a.Annotations == nil {
					a.Annotations = map[string]string{}
				}
				a.Annotations[key] = value
			}
			return app.attachFile(cmd.Context(), args[0], args[1], a)
		},
	}
	cmd.Flags().StringVar(&mediaType, "type", "", "Media type of the file, which says what it is (required)")
	cmd.Flags().StringArrayVar(&annotations, "annotation", nil, "Add an annotation to the artifact (KEY=VALUE)")
	return cmd
}

func (app *App) attachFile(ctx context.Context, name, file string, a image.Attachment) error {
	if a.Type == "" {
		return usagef("--type is needed: the media type of the file, as application/vnd.cyclonedx+json")
	}
	in, _, done, err := app.input(file)
	if err != nil {
		return err
	}
	defer done()
	if f, ok := in.(*os.File); ok && file != "-" {
		if fi, err := f.Stat(); err == nil && !fi.Mode().IsRegular() {
			return usagef("%s is not a regular file", file)
		}
		a.Title = filepath.Base(file)
	}
	a.Content = in
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	img, err := e.Images.Resolve(ctx, name)
	if err != nil {
		return err
	}
	return app.attachArtifact(ctx, img, a)
}

func (app *App) attachArtifact(ctx context.Context, img image.Image, a image.Attachment) error {
	r, err := app.eng.Images.Attach(ctx, img, a)
	if err == nil {
		_, err = fmt.Fprintln(app.Out, r.Manifest.Digest)
	}
	return err
}

// attachSBOM attaches a document instead of printing it.
func (app *App) attachSBOM(ctx context.Context, img image.Image, kind int, s sbom.Subject, inv sbom.Inventory) error {
	var doc bytes.Buffer
	f := sbomFormats[kind]
	if err := f.write(&doc, s, inv); err != nil {
		return err
	}
	return app.attachArtifact(ctx, img, image.Attachment{Type: f.mediaType, Title: f.title, Content: &doc})
}

const referrersLong = `List the artifacts that refer to an image and are here: those that came along with it from a registry, and those attached here.
With --get one of them is written out: of an artifact with one blob the digest of either will do, or the beginning of it.`

func (app *App) imageReferrers() *cobra.Command {
	var get, output, spec string
	var noTrunc bool
	cmd := &cobra.Command{
		Use:   "referrers [OPTIONS] IMAGE",
		Short: "List the artifacts that refer to an image: signatures, lists of packages, attestations",
		Long:  referrersLong,
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
			if get != "" {
				return app.getReferrer(cmd.Context(), img, get, output)
			}
			list, err := e.Images.Referrers(cmd.Context(), img)
			if err != nil {
				return err
			}
			switch spec {
			case "table":
				return printReferrers(app.Out, list, noTrunc)
			case "json":
				return printReferrersJSON(app.Out, list)
			}
			return usagef("unknown format %q: expected table or json", spec)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&get, "get", "", "Write the content of the artifact with this digest")
	fl.StringVarP(&output, "output", "o", "", "Write to a file, instead of STDOUT")
	fl.StringVar(&spec, "format", "table", `Format output: "table" or "json"`)
	fl.BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	return cmd
}

func (app *App) getReferrer(ctx context.Context, img image.Image, name, output string) error {
	_, r, err := app.eng.Images.OpenReferrer(ctx, img, name)
	if err != nil {
		return err
	}
	defer r.Close()
	write := func(w io.Writer) error { _, err := io.Copy(w, r); return err }
	if output == "" {
		return write(app.Out)
	}
	return app.output(output, write)
}

func printReferrers(w io.Writer, list []image.Referrer, noTrunc bool) error {
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(tab, "DIGEST\tTYPE\tSIZE\tANNOTATIONS")
	for _, r := range list {
		id, notes := format.ID(string(r.Manifest.Digest)), annotationText(r.Annotations)
		if noTrunc {
			id = string(r.Manifest.Digest)
		} else {
			notes = format.Ellipsis(notes, 60)
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\n", id, format.Clean(r.Manifest.ArtifactType), format.Size(r.Size), notes)
	}
	return tab.Flush()
}

func annotationText(m map[string]string) string {
	var words []string
	for k, v := range m {
		words = append(words, format.Clean(k+"="+v))
	}
	slices.Sort(words)
	return strings.Join(words, ",")
}

// referrerObject is what --format json prints of each.
type referrerObject struct {
	Digest       digest.Digest     `json:"digest"`
	ArtifactType string            `json:"artifactType"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Blobs        []digest.Digest   `json:"blobs"`
}

func printReferrersJSON(w io.Writer, list []image.Referrer) error {
	objects := []referrerObject{}
	for _, r := range list {
		o := referrerObject{r.Manifest.Digest, r.Manifest.ArtifactType, r.Size, r.Annotations, []digest.Digest{}}
		for _, b := range r.Blobs {
			o.Blobs = append(o.Blobs, b.Digest)
		}
		objects = append(objects, o)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(objects)
}
