package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/sbom"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"
)

const sbomLong = `List the packages in an image: what dpkg, apk and rpm have installed, the modules of Go programs, and npm and Python packages.
The lists that package managers keep and the notes that compilers leave are read from the image's layers; nothing of the
image is executed, and no container is made.

The documents (cyclonedx-json, spdx-json) are the same to the byte for the same image: their time is SOURCE_DATE_EPOCH, or else
that of the image, and their number is made of its digest.`

const sbomExample = `  # What is in it, and which layer brought it?
  learn docker sbom --layers debian:12

  # A document for other tools
  learn docker sbom --format spdx-json --output sbom.json debian:12`

type sbomFlags struct {
	format, output, platform string
	layers, attach           bool
}

func (app *App) imageSBOM() *cobra.Command {
	var f sbomFlags
	cmd := &cobra.Command{
		Use:     "sbom [OPTIONS] IMAGE",
		Short:   "View the packaged-based Software Bill Of Materials (SBOM) for an image",
		Long:    sbomLong,
		Example: sbomExample,
		Args:    exactly(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return app.sbom(cmd.Context(), f, args[0]) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.format, "format", "table", `Output format: "table", "cyclonedx-json", "spdx-json" or "json"`)
	fl.StringVarP(&f.output, "output", "o", "", "Write to a file, instead of STDOUT")
	fl.StringVar(&f.platform, "platform", "", "Expect the image to be for this platform")
	fl.BoolVar(&f.layers, "layers", false, "Show which layer brought each package")
	fl.BoolVar(&f.attach, "attach", false, "Attach the document to the image, as an artifact that refers to it")
	return cmd
}

// sbomFormats are the documents, with their media types; "table" and "json" are ours.
var sbomFormats = []struct {
	name, mediaType, title string
	write                  func(io.Writer, sbom.Subject, sbom.Inventory) error
}{
	{"cyclonedx-json", sbom.MediaTypeCycloneDX, "sbom.cdx.json", sbom.WriteCycloneDX},
	{"spdx-json", sbom.MediaTypeSPDX, "sbom.spdx.json", sbom.WriteSPDX},
}

// sbomFormat finds a document's format; -1 for table and json.
func sbomFormat(name string) (int, error) {
	for i, f := range sbomFormats {
		if f.name == name {
			return i, nil
		}
	}
	if name == "table" || name == "json" {
		return -1, nil
	}
	return -1, usagef("unknown format %q: expected table, cyclonedx-json, spdx-json or json", name)
}

func (app *App) sbom(ctx context.Context, f sbomFlags, name string) error {
	kind, err := sbomFormat(f.format)
	if err != nil {
		return err
	}
	if f.attach && kind < 0 {
		if f.format != "table" {
			return usagef("--attach needs a document: --format cyclonedx-json or spdx-json")
		}
		kind = 0
	}
	img, inv, err := app.packages(ctx, name, f.platform)
	if err != nil {
		return err
	}
	s, err := app.subject(name, img)
	if err != nil {
		return err
	}
	if f.attach {
		return app.attachSBOM(ctx, img, kind, s, inv)
	}
	write := func(w io.Writer) error { return writeSBOM(w, f, kind, s, img, inv) }
	if f.output == "" {
		return write(app.Out)
	}
	return app.output(f.output, write)
}

// packages finds the image and what is in it, and tells on standard error what could not be read.
func (app *App) packages(ctx context.Context, name, platform string) (image.Image, sbom.Inventory, error) {
	e, err := app.engine(ctx)
	if err != nil {
		return image.Image{}, sbom.Inventory{}, err
	}
	img, err := e.Images.Resolve(ctx, name)
	if err == nil {
		err = isFor(name, img, platform)
	}
	if err != nil {
		return img, sbom.Inventory{}, err
	}
	inv, err := e.Images.Packages(ctx, img)
	for _, w := range inv.Warnings {
		fmt.Fprintf(app.Err, "WARNING: %s\n", format.Clean(w.String()))
	}
	return img, inv, err
}

// isFor refuses an image for another platform, in docker's words.
func isFor(name string, img image.Image, platform string) error {
	if platform == "" {
		return nil
	}
	want, err := image.ParsePlatform(platform)
	if err != nil {
		return usagef("%v", err)
	}
	c := img.Config
	have := v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
	if have.OS == want.OS && have.Architecture == want.Architecture && (want.Variant == "" || have.Variant == "" || have.Variant == want.Variant) {
		return nil
	}
	return fmt.Errorf("image with reference %s was found but does not provide the specified platform (%s): it is for %s/%s", name, platform, c.OS, c.Architecture)
}

// subject is what a document says that it is of.
func (app *App) subject(name string, img image.Image) (sbom.Subject, error) {
	s := sbom.Subject{Name: name, ID: string(img.ID), Digest: string(img.Manifest.Digest), Created: img.Created}
	for _, l := range img.Layers {
		s.Layers = append(s.Layers, string(l.DiffID))
	}
	if s.Created.IsZero() {
		s.Created = time.Unix(0, 0)
	}
	if text, _ := app.Environ("SOURCE_DATE_EPOCH"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > 253402300799 {
			return s, usagef("SOURCE_DATE_EPOCH is %q: expected seconds since 1970", text)
		}
		s.Created = time.Unix(n, 0)
	}
	return s, nil
}

func writeSBOM(w io.Writer, f sbomFlags, kind int, s sbom.Subject, img image.Image, inv sbom.Inventory) error {
	switch {
	case kind >= 0:
		return sbomFormats[kind].write(w, s, inv)
	case f.format == "json":
		return writeSBOMJSON(w, s, inv)
	}
	return writeSBOMTable(w, f.layers, img, inv)
}

// sbomObject is what --format json prints.
type sbomObject struct {
	Image    string   `json:"image"`
	ID       string   `json:"id"`
	Manifest string   `json:"manifest"`
	Layers   []string `json:"layers"`
	sbom.Inventory
}

func writeSBOMJSON(w io.Writer, s sbom.Subject, inv sbom.Inventory) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sbomObject{s.Name, s.ID, s.Digest, s.Layers, inv})
}

func writeSBOMTable(w io.Writer, layers bool, img image.Image, inv sbom.Inventory) error {
	if len(inv.Packages) == 0 {
		_, err := fmt.Fprintln(w, "No packages discovered")
		return err
	}
	steps := img.CreatedBy()
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	heading := "NAME\tVERSION\tTYPE"
	if layers {
		heading += "\tLAYER\tCREATED BY"
	}
	rows := []string{}
	for _, p := range inv.Packages {
		row := format.Clean(p.FullName()) + "\t" + format.Clean(p.Version) + "\t" + p.Type
		if layers {
			row += "\t" + layerColumn(img, p.Layer) + "\t" + format.Ellipsis(format.Clean(steps[p.Layer]), 60)
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(tab, heading)
	fmt.Fprintln(tab, strings.Join(slices.Compact(rows), "\n"))
	return tab.Flush()
}

// layerColumn is a layer's number from 1, the lowest, and the begin of its diff id.
func layerColumn(img image.Image, i int) string {
	d := digest.Digest("")
	if i >= 0 && i < len(img.Layers) {
		d = img.Layers[i].DiffID
	}
	return fmt.Sprintf("%d %s", i+1, format.ID(d.String()))
}
