package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/dockerfile/lint"
)

// buildCall is what --call asks for instead of a build, and in which form.
type buildCall struct {
	name string // check, outline or targets
	json bool
}

// parseCall reads --call: build (ok is false), check, lint, outline or targets, with format=json behind a comma. --check is --call=check.
func parseCall(word string, check bool) (call buildCall, ok bool, err error) {
	if check {
		if word != "" && word != "build" && word != "check" {
			return call, false, usagef("--check and --call=%s exclude each other", word)
		}
		word = "check"
	}
	for i, field := range strings.Split(word, ",") {
		key, value, has := strings.Cut(field, "=")
		switch {
		case i == 0 && !has:
			call.name = field
		case key == "format" && (value == "json" || value == "text"):
			call.json = value == "json"
		default:
			return call, false, usagef("invalid --call %q: expected a name, and after a comma format=json or format=text", word)
		}
	}
	switch call.name {
	case "", "build":
		return call, false, nil
	case "lint":
		call.name = "check"
	case "check", "outline", "targets":
	default:
		return call, false, usagef("invalid --call %q: expected build, check, outline or targets", call.name)
	}
	return call, true, nil
}

// buildCheck looks at the Dockerfile of a build, and builds nothing. The exit code is 1 if docker's rules found something.
func (app *App) buildCheck(ctx context.Context, opts build.Options, call buildCall) error {
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	in, err := e.Builder.LintInput(ctx, opts)
	if err != nil {
		return &exitError{1, &buildError{err}}
	}
	switch call.name {
	case "outline":
		err = app.printOutline(in, call)
	case "targets":
		err = app.printTargets(in, call)
	default:
		return errors.Join(app.printCheck(in, call), app.printWaste(ctx, e, opts, call))
	}
	if wrong := (*dockerfile.SyntaxError)(nil); errors.As(err, &wrong) {
		return &exitError{1, &buildError{err}}
	}
	return err
}

// printJSON writes what a call came to, with the line end that it lacks.
func (app *App) printJSON(doc []byte, err error) error {
	if err == nil {
		_, err = fmt.Fprintf(app.Out, "%s\n", doc)
	}
	return err
}

func (app *App) printCheck(in build.LintInput, call buildCall) error {
	r := lint.Check(in.Name, in.Text, in.Options)
	failed := &exitError{code: 1}
	if call.json {
		if err := app.printJSON(r.JSON(in.Name, in.Text)); err != nil {
			return err
		}
	} else if err := writeReport(app.Out, r, in.Name, in.Text); err != nil {
		return err
	}
	if r.Err != nil && !call.json {
		failed.err = &buildError{r.Err}
	}
	if r.Err != nil || len(r.Warnings()) > 0 {
		return failed
	}
	return nil
}

// writeReport shows a report as docker does, and the findings of our own rules below.
func writeReport(w io.Writer, r lint.Report, name string, text []byte) error {
	p := &printer{w: w, name: name, lines: strings.Split(string(text), "\n")}
	switch n := len(r.Warnings()); {
	case n == 1:
		p.printf("Check complete, 1 warning has been found!\n")
	case n > 1:
		p.printf("Check complete, %d warnings have been found!\n", n)
	case r.Err == nil:
		p.printf("Check complete, no warnings found.\n")
	}
	for _, f := range r.Warnings() {
		p.finding("WARNING", f)
	}
	if n := len(r.Advice()); n > 0 {
		p.printf("\nAdvice on layers and the cache: %d\n", n)
	}
	for _, f := range r.Advice() {
		p.finding("ADVICE", f)
	}
	return p.err
}

// printer writes findings with the lines that they are about, and keeps the first error.
type printer struct {
	w     io.Writer
	name  string
	lines []string
	err   error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) finding(kind string, f lint.Finding) {
	about := f.Description
	if f.URL != "" {
		about = f.URL
	}
	p.printf("\n%s: %s - %s\n%s\n", kind, f.Rule, about, f.Message)
	p.excerpt(f.Line, f.EndLine)
	if f.Help != "" {
		p.printf("To mend it: %s.\n", f.Help)
	}
}

// excerpt shows the lines, marked, between two lines more for one and one more for several.
func (p *printer) excerpt(from, to int) {
	around := 1
	if from == to {
		around = 2
	}
	p.printf("%s:%d\n--------------------\n", p.name, from)
	for n := max(1, from-around); n <= min(len(p.lines), to+around); n++ {
		mark := "   "
		if n >= from && n <= to {
			mark = ">>>"
		}
		p.printf(" %3d | %s %s\n", n, mark, strings.TrimSuffix(p.lines[n-1], "\r"))
	}
	p.printf("--------------------\n")
}

func (app *App) printTargets(in build.LintInput, call buildCall) error {
	targets, err := lint.Targets(in.Name, in.Text)
	if err != nil {
		return err
	}
	if call.json {
		return app.printJSON(lint.TargetsJSON(targets, in.Text))
	}
	tw := tabwriter.NewWriter(app.Out, 0, 0, 1, ' ', 0)
	fmt.Fprint(tw, "TARGET\tDESCRIPTION\n")
	for _, t := range targets {
		name := t.Name
		if t.Default {
			name = strings.TrimPrefix(name+" (default)", " ")
		}
		fmt.Fprintf(tw, "%s\t%s\n", name, t.Description)
	}
	return tw.Flush()
}

func (app *App) printOutline(in build.LintInput, call buildCall) error {
	o, err := lint.OutlineOf(in.Name, in.Text, in.Options)
	if err != nil {
		return err
	}
	if call.json {
		return app.printJSON(o.JSON(in.Text))
	}
	if o.Name != "" || o.Description != "" {
		rows := [][]string{{"TARGET:", o.Name}}
		if o.Description != "" {
			rows = append(rows, []string{"DESCRIPTION:", o.Description})
		}
		if err := app.table(1, rows); err != nil {
			return err
		}
	}
	args := [][]string{{"BUILD ARG", "VALUE", "DESCRIPTION"}}
	for _, a := range o.Args {
		args = append(args, []string{a.Name, a.Value, a.Description})
	}
	return errors.Join(app.section(args), app.section(mountRows("SECRET", o.Secrets)), app.section(mountRows("SSH", o.SSH)))
}

func mountRows(kind string, mounts []lint.OutlineMount) [][]string {
	rows := [][]string{{kind, "REQUIRED"}}
	for _, m := range mounts {
		required := ""
		if m.Required {
			required = "true"
		}
		rows = append(rows, []string{m.Name, required})
	}
	return rows
}

// section prints a table with a heading, unless nothing stands below it.
func (app *App) section(rows [][]string) error {
	if len(rows) == 1 {
		return nil
	}
	return app.table(3, rows)
}

func (app *App) table(padding int, rows [][]string) error {
	tw := tabwriter.NewWriter(app.Out, 0, 0, padding, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(app.Out)
	return err
}
