package docker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

const imageDiffLong = `Show what tells image B from image A: the layers that they share and those that only one has, the fields of
the config, and the files of the tree that a container sees. A line says A for what only B has (added), D for what
only A has (deleted), C for what both have and is not the same (changed), and then what differs: type, content, size,
mode, owner, link target, device, hard links, extended attributes. The last line sums it up.

Times are counted and not listed: two builds of the same inputs differ in nothing else unless SOURCE_DATE_EPOCH is
set. With --times they are listed, and count for --exit-code. How files lie in layers never counts.

With PATH only the files at and below these paths are looked at, and layers and config are left out.`

const imageDiffExample = `  # What did the last build change?
  learn docker image diff shop:1 shop:2

  # Is a rebuild the same, but for times? In a script: exit code 1 if not
  learn docker image diff --quiet --exit-code shop:1 shop:again

  # Only names, below /etc
  learn docker image diff --name-only shop:1 shop:2 /etc

  # Which files changed, for another program
  learn docker image diff --json shop:1 shop:2 | jq -r '.files[] | .kind + " " + .path'`

type imageDiffFlags struct {
	times, json, exitCode, noTrunc, quiet, names bool
}

func (app *App) imageDiff() *cobra.Command {
	var f imageDiffFlags
	cmd := &cobra.Command{
		Use:     "diff [OPTIONS] A B [PATH...]",
		Short:   "Show which layers, files and config fields differ between two images",
		Long:    imageDiffLong,
		Example: imageDiffExample,
		Args:    atLeast(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.diffImages(cmd.Context(), f, args[0], args[1], args[2:])
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.times, "times", false, "List times that differ, too")
	fl.BoolVar(&f.json, "json", false, "Print one JSON object")
	fl.BoolVar(&f.exitCode, "exit-code", false, "Exit with 1 if files or config differ (with --times: or times), 0 if not")
	fl.BoolVar(&f.noTrunc, "no-trunc", false, "Don't truncate output")
	fl.BoolVar(&f.names, "name-only", false, "Only print the paths of files that differ, one a line")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Only print the last line")
	return cmd
}

func (app *App) diffImages(ctx context.Context, f imageDiffFlags, nameA, nameB string, paths []string) error {
	if f.names && (f.json || f.quiet) {
		return usagef("--name-only can't be used together with --json or --quiet")
	}
	if f.json && f.quiet {
		return usagef("--json and --quiet can't be used together: --json prints the last line as \"verdict\"")
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	a, err := e.Images.Resolve(ctx, nameA)
	if err != nil {
		return err
	}
	b, err := e.Images.Resolve(ctx, nameB)
	if err != nil {
		return err
	}
	d, err := e.Images.Diff(ctx, a, b)
	if err != nil {
		return err
	}
	if len(paths) > 0 {
		d = d.Within(paths)
	}
	out := bufio.NewWriter(app.Out)
	p := &diffPrinter{w: out, imageDiffFlags: f}
	switch {
	case f.json:
		err = p.object(newDiffObject(d, f, diffSide{nameA, a.ID}, diffSide{nameB, b.ID}))
	case f.quiet:
		p.line("%s", d.Verdict())
	case f.names:
		for _, file := range d.Files {
			p.line("%s", format.Clean(file.Path))
		}
	case len(paths) > 0 && !d.Differs(true):
		p.line("same: no file differs there")
	case len(paths) > 0:
		p.files(d)
	default:
		p.print(d, diffSide{nameA, a.ID}, diffSide{nameB, b.ID})
	}
	if err == nil {
		err = out.Flush()
	}
	if err == nil && f.exitCode && d.Differs(f.times) {
		return &exitError{code: 1}
	}
	return err
}

// diffSide is one of the two images.
type diffSide struct {
	Name string        `json:"name"`
	ID   digest.Digest `json:"id"`
}

// diffObject is what --json prints.
type diffObject struct {
	A       diffSide `json:"a"`
	B       diffSide `json:"b"`
	Verdict string   `json:"verdict"`
	Differs bool     `json:"differs"` // as --exit-code says it
	Times   int      `json:"times"`   // that differ; listed only with --times
	image.Diff
}

func newDiffObject(d image.Diff, f imageDiffFlags, a, b diffSide) diffObject {
	o := diffObject{A: a, B: b, Verdict: d.Verdict(), Differs: d.Differs(f.times), Times: d.Times(), Diff: d}
	if !f.times {
		o.ConfigTimes, o.FileTimes = []image.DiffField{}, []image.DiffMoment{}
	}
	return o
}

// diffPrinter writes a diff for a person. Whatever comes from the images is cleaned: it must not steer the terminal.
type diffPrinter struct {
	imageDiffFlags
	w io.Writer
}

func (p *diffPrinter) line(layout string, args ...any) { fmt.Fprintf(p.w, layout+"\n", args...) }

func (p *diffPrinter) object(o diffObject) error {
	enc := json.NewEncoder(p.w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	return enc.Encode(o)
}

func (p *diffPrinter) print(d image.Diff, a, b diffSide) {
	p.line("--- %s %s", a.Name, p.id(a.ID))
	p.line("+++ %s %s", b.Name, p.id(b.ID))
	p.layers(d)
	p.fields("Config", d.Config)
	if len(d.Files) > 0 {
		p.line("\nFiles:")
	}
	p.files(d)
}

// files lists what differs, and sums it up.
func (p *diffPrinter) files(d image.Diff) {
	for _, f := range d.Files {
		p.line("%s %s%s", f.Kind, format.Clean(f.Path), p.about(f))
	}
	if p.times {
		p.listTimes(d)
	}
	p.line("\n%s", format.Clean(d.Verdict()))
}

func (p *diffPrinter) id(d digest.Digest) string {
	if p.noTrunc {
		return d.String()
	}
	return format.ID(d.String())
}

// text makes a value from the image fit to be shown in a line.
func (p *diffPrinter) text(s string, width int) string {
	s = format.Clean(strings.ReplaceAll(s, "\t", " "))
	if p.noTrunc {
		return s
	}
	return format.Ellipsis(s, width)
}

func (p *diffPrinter) layers(d image.Diff) {
	p.line("\nLayers: %d shared, then %d and %d", len(d.Shared), len(d.LayersA), len(d.LayersB))
	for _, list := range []struct {
		mark   string
		layers []image.DiffLayer
	}{{"=", d.Shared}, {"-", d.LayersA}, {"+", d.LayersB}} {
		for _, l := range list.layers {
			p.line("%s", strings.TrimRight(fmt.Sprintf("%s %s %7s  %s", list.mark, p.id(l.DiffID), format.Size(l.Size), p.text(l.CreatedBy, 80)), " "))
		}
	}
}

func (p *diffPrinter) fields(heading string, list []image.DiffField) {
	if len(list) > 0 {
		p.line("\n%s:", heading)
	}
	for _, f := range list {
		name := f.Field
		if f.Key != "" {
			name += " " + p.text(f.Key, 80)
		}
		switch f.Kind {
		case image.DiffChanged:
			p.line("%s %s: %s -> %s", f.Kind, name, p.value(f.A), p.value(f.B))
		default:
			p.line("%s", strings.TrimSuffix(fmt.Sprintf("%s %s: %s", f.Kind, name, p.text(f.A+f.B, 100)), ": "))
		}
	}
}

// value shows an empty value, too.
func (p *diffPrinter) value(s string) string {
	if s == "" {
		return `""`
	}
	return p.text(s, 100)
}

// about says behind a path what is there or what changed.
func (p *diffPrinter) about(f image.DiffFile) string {
	var words []string
	switch {
	case f.Kind != image.DiffChanged && f.Type == "file":
		words = append(words, "file", format.Size(f.Size))
	case f.Kind != image.DiffChanged:
		words = append(words, f.Type)
	}
	for _, c := range f.Changes {
		words = append(words, fmt.Sprintf("%s %s -> %s", format.Clean(c.What), p.property(c.What, c.A), p.property(c.What, c.B)))
	}
	return "  (" + strings.Join(words, ", ") + ")"
}

func (p *diffPrinter) property(what, value string) string {
	switch {
	case what == "content":
		return p.id(digest.Digest(value))
	case value == "":
		return "none"
	}
	return p.text(value, 100)
}

func (p *diffPrinter) listTimes(d image.Diff) {
	p.fields("Times of the config", d.ConfigTimes)
	if len(d.FileTimes) > 0 {
		p.line("\nTimes of files:")
	}
	for _, m := range d.FileTimes {
		p.line("C %s  (%s -> %s)", format.Clean(m.Path), m.A.Format(time.RFC3339Nano), m.B.Format(time.RFC3339Nano))
	}
}
