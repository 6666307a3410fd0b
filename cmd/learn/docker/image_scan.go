package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/sbom"
	"github.com/learn-containers/learn/engine/vuln"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/spf13/cobra"
)

const getOSV = `Get one as https://osv-vulnerabilities.storage.googleapis.com/ECOSYSTEM/all.zip into DIR/ECOSYSTEM/all.zip, for each of the
ecosystems that matter: Debian, Alpine, Red Hat, Rocky Linux, AlmaLinux, Ubuntu, Go, npm, PyPI.`

const scanLong = `Compare the packages of an image with a folder of vulnerability records, in the form of osv.dev: JSON files, or the archives that it
gives away for each ecosystem. Nothing is asked over the network, so what is found is as new as the folder.

` + getOSV + `

A finding says that a version is concerned, not that the flaw can be reached. Packages of distributions are looked up by
the names that their records use, which on Debian and Alpine are those of source packages.

Exit code: 0, or with --fail-on 2 if there is a finding at least as bad.`

const scanExample = `  # What is known, the worst first
  learn docker image scan --db ~/osv shop:1

  # In a script
  learn docker image scan --db ~/osv --fail-on high --format sarif -o shop.sarif shop:1`

// oldDatabase is when a database is said to be old: flaws become known every day.
const oldDatabase = 7 * 24 * time.Hour

const exitFindings = 2

type scanFlags struct{ db, format, failOn, output string }

func (app *App) imageScan() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:     "scan [OPTIONS] IMAGE",
		Short:   "Look for known vulnerabilities in an image's packages, by a local database",
		Long:    scanLong,
		Example: scanExample,
		Args:    exactly(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return app.scan(cmd.Context(), f, args[0]) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.db, "db", "", "Folder of the vulnerability database (default $LEARN_OSV_DB)")
	fl.StringVar(&f.format, "format", "table", `Format output: "table", "json" or "sarif"`)
	fl.StringVar(&f.failOn, "fail-on", "", `Exit with 2 if there is a finding at least this bad: "unknown", "low", "medium", "high" or "critical"`)
	fl.StringVarP(&f.output, "output", "o", "", "Write to a file, instead of STDOUT")
	return cmd
}

func (app *App) scan(ctx context.Context, f scanFlags, name string) error {
	write, ok := map[string]func(io.Writer, scanReport) error{"table": writeScanTable, "json": writeScanJSON, "sarif": writeSARIF}[f.format]
	if !ok {
		return usagef("unknown format %q: expected table, json or sarif", f.format)
	}
	worst, ok := vuln.ParseLevel(f.failOn)
	if f.failOn != "" && !ok {
		return usagef("unknown severity %q: expected unknown, low, medium, high or critical", f.failOn)
	}
	if f.db == "" {
		f.db, _ = app.Environ("LEARN_OSV_DB")
	}
	if f.db == "" {
		return usagef("a scan needs a vulnerability database: name its folder with --db DIR or LEARN_OSV_DB.\n%s", getOSV)
	}
	img, inv, err := app.packages(ctx, name, "")
	if err != nil {
		return err
	}
	r := scanReport{Image: name, ID: string(img.ID), Distro: inv.Distro}
	if err := app.lookUp(ctx, app.path(f.db), img, inv, &r); err != nil {
		return err
	}
	if f.output == "" {
		err = write(app.Out, r)
	} else {
		err = app.output(f.output, func(w io.Writer) error { return write(w, r) })
	}
	if err == nil && f.failOn != "" && len(r.Findings) > 0 && r.Findings[0].Severity >= worst {
		return &exitError{code: exitFindings}
	}
	return err
}

// lookUp opens the database and fills in what it knows.
func (app *App) lookUp(ctx context.Context, dir string, img image.Image, inv sbom.Inventory, r *scanReport) (err error) {
	ctx, end := trace.Step(ctx, vocab.Scan, trace.String("image", string(img.ID)), trace.String("db", dir))
	defer func() {
		end(err, trace.Int("packages", int64(r.Packages)), trace.Int("records", int64(r.Records)), trace.Int("findings", int64(len(r.Findings))))
	}()
	cache := filepath.Join(app.eng.Home.Cache(), "osv")
	db, err := vuln.Open(ctx, dir, cache, func(text string) { fmt.Fprintf(app.Err, "WARNING: %s: %s\n", dir, format.Clean(text)) })
	var missing *vuln.MissingError
	if errors.As(err, &missing) {
		return fmt.Errorf("%w\n%s", missing, getOSV)
	}
	if err != nil {
		return err
	}
	defer db.Close()
	if age := time.Since(db.Newest); age > oldDatabase {
		fmt.Fprintf(app.Err, "WARNING: the newest record in %s is of %s, %d days ago: what became known since is not in it.\n", dir, db.Newest.UTC().Format(time.DateOnly),
			int(age/(24*time.Hour)))
	}
	r.Database, r.Newest = db.Records, db.Newest.UTC()
	r.Result, err = vuln.Scan(ctx, db, inv)
	return err
}

// scanReport is what --format json prints.
type scanReport struct {
	Image    string      `json:"image"`
	ID       string      `json:"id"`
	Distro   sbom.Distro `json:"distro"`
	Database int         `json:"database_records"`
	Newest   time.Time   `json:"database_newest"`
	vuln.Result
}

func writeScanJSON(w io.Writer, r scanReport) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

func writeScanTable(w io.Writer, r scanReport) error {
	if len(r.Findings) > 0 {
		tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		fmt.Fprintln(tab, "NAME\tINSTALLED\tFIXED IN\tTYPE\tVULNERABILITY\tSEVERITY\tVECTOR")
		for _, f := range r.Findings {
			p := f.Package
			row := strings.Join([]string{format.Clean(p.FullName()), format.Clean(p.Version), format.Clean(f.Fixed), p.Type, format.Clean(vulnerabilityName(f)), severityText(f),
				format.Clean(f.Vector)}, "\t")
			fmt.Fprintln(tab, strings.TrimRight(row, "\t"))
		}
		if err := tab.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	_, err := fmt.Fprintln(w, scanSummary(r))
	return err
}

// vulnerabilityName is a record's id, and the name that everybody knows it by.
func vulnerabilityName(f vuln.Finding) string {
	for _, a := range f.Aliases {
		if strings.HasPrefix(a, "CVE-") && !strings.HasSuffix(f.ID, a) {
			return f.ID + " (" + a + ")"
		}
	}
	return f.ID
}

func severityText(f vuln.Finding) string {
	if f.Score > 0 {
		return fmt.Sprintf("%s %.1f", f.Severity, f.Score)
	}
	return f.Severity.String()
}

func scanSummary(r scanReport) string {
	counts, concerned := map[vuln.Level]int{}, map[string]bool{}
	for _, f := range r.Findings {
		counts[f.Severity]++
		concerned[f.Package.PURL] = true
	}
	var words []string
	for l := vuln.Critical; l >= vuln.Unknown; l-- {
		if counts[l] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[l], l))
		}
	}
	found := "no known vulnerabilities"
	switch n := len(r.Findings); {
	case n == 1:
		found = "1 vulnerability (" + words[0] + ")"
	case n > 1:
		found = fmt.Sprintf("%d vulnerabilities (%s)", n, strings.Join(words, ", "))
	}
	text := fmt.Sprintf("%s in %d of %s", found, len(concerned), format.Count(r.Packages, "package"))
	if len(r.Findings) == 0 {
		text = fmt.Sprintf("%s in %s", found, format.Count(r.Packages, "package"))
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf("; %s could not be looked up (no version, or a distribution without records)", format.Count(r.Skipped, "package"))
	}
	return text
}
