// Package format prints lists and objects as docker prints them: tables with docker's column spacing, --format templates with
// docker's functions, JSON lines, sizes and ages. It knows no engine.
package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"text/template"
	"unicode"
)

// Table describes how a list of rows is printed when no format is asked for.
type Table[T any] struct {
	Default string            // a template as after "table ", or docker's own for this list
	Quiet   string            // the field that -q prints, as a template
	Raw     string            // the template of --format raw; empty if the list has none
	Headers map[string]string // field of T -> column heading
}

// Write prints rows by spec: "" or "table" for the default table, "table TEMPLATE", "json", or a plain template.
func (t Table[T]) Write(w io.Writer, spec string, rows []T) error {
	switch {
	case spec == "" || spec == "table":
		return t.table(w, t.Default, rows)
	case spec == "json":
		return t.lines(w, "{{json .}}", rows)
	case spec == "raw" && t.Raw != "":
		return t.lines(w, t.Raw, rows)
	case strings.HasPrefix(spec, "table"):
		return t.table(w, strings.TrimSpace(strings.TrimPrefix(spec, "table")), rows)
	}
	return t.lines(w, spec, rows)
}

// WriteQuiet prints one short line a row.
func (t Table[T]) WriteQuiet(w io.Writer, rows []T) error { return t.lines(w, t.Quiet, rows) }

// lines prints all rows or, as docker does, none if a template fails at one of them.
func (t Table[T]) lines(w io.Writer, spec string, rows []T) error {
	tmpl, err := Parse(spec)
	if err != nil {
		return err
	}
	tmpl.Funcs(template.FuncMap{"json": rowText[T]})
	var b bytes.Buffer
	for _, r := range rows {
		if err := execute(&b, tmpl, r); err != nil {
			return err
		}
	}
	_, err = w.Write(b.Bytes())
	return err
}

func (t Table[T]) table(w io.Writer, spec string, rows []T) error {
	tmpl, err := Parse(spec)
	if err != nil {
		return err
	}
	head, err := parse(spec, headerFunctions())
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w) // a table writer writes cell by cell
	tw := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
	if err := execute(tw, head, Headers(t.Headers)); err != nil {
		return err
	}
	for _, r := range rows {
		if err := execute(tw, tmpl, r); err != nil {
			return err
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return out.Flush()
}

// Headers are the headings of a table's columns, by field: what a template is executed on to make the first line.
type Headers map[string]string

// Label is the heading of a label's column: the last part of its name.
func (Headers) Label(name string) string {
	return strings.NewReplacer("-", " ", "_", " ").Replace(name[strings.LastIndexByte(name, '.')+1:])
}

// Line prints one value through a template that Parse read, as a line.
func Line(w io.Writer, tmpl *template.Template, v any) error { return execute(w, tmpl, v) }

func execute(w io.Writer, tmpl *template.Template, v any) error {
	var b bytes.Buffer
	if err := tmpl.Execute(&b, v); err != nil {
		return &TemplateError{err}
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// Parse reads a --format template with docker's functions; \t and \n written out are understood, as in docker.
func Parse(spec string) (*template.Template, error) { return parse(spec, functions()) }

func parse(spec string, functions template.FuncMap) (*template.Template, error) {
	spec = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(spec)
	t, err := template.New("").Funcs(functions).Parse(spec)
	if err != nil {
		return nil, &TemplateError{err}
	}
	return t, nil
}

// TemplateError reports a --format template that can't be read, or not be applied to what it is asked of.
type TemplateError struct{ Err error }

func (e *TemplateError) Error() string { return "template parsing error: " + e.Err.Error() }

func (e *TemplateError) Unwrap() error { return e.Err }

func functions() template.FuncMap {
	return template.FuncMap{
		"json":     jsonText,
		"split":    strings.Split,
		"join":     func(v any, sep string) string { return strings.Join(stringList(v), sep) },
		"title":    title,
		"lower":    strings.ToLower,
		"upper":    strings.ToUpper,
		"pad":      pad,
		"truncate": func(s string, n int) string { return string([]rune(s)[:min(n, len([]rune(s)))]) },
	}
}

// headerFunctions leave a heading as it is, so that {{upper .ID}} is headed by CONTAINER ID. Only pad does its work, for the width.
func headerFunctions() template.FuncMap {
	same := func(s string) string { return s }
	sameOf := func(s, _ string) string { return s }
	return template.FuncMap{"json": same, "split": sameOf, "join": sameOf, "title": same, "lower": same, "upper": same, "pad": pad,
		"truncate": func(s string, _ int) string { return s }}
}

func pad(s string, before, after int) string {
	if s == "" {
		return s
	}
	return strings.Repeat(" ", max(before, 0)) + s + strings.Repeat(" ", max(after, 0))
}

// rowText is the json of a list's template: of a whole row, docker also escapes what HTML would take for its own.
func rowText[T any](v any) (string, error) {
	if _, ok := v.(T); !ok {
		return jsonText(v)
	}
	b, err := json.Marshal(v)
	return printable(string(b)), err
}

func jsonText(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return printable(strings.TrimRight(b.String(), "\n")), nil
}

// printable escapes the control characters that JSON would let pass, DEL and those from 0x80 to 0x9f: some terminals obey them.
func printable(text string) string {
	if strings.IndexFunc(text, late) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if late(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func late(r rune) bool { return r >= 0x7f && r < 0xa0 }

func stringList(v any) []string {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return []string{fmt.Sprint(v)}
	}
	out := make([]string, r.Len())
	for i := range out {
		out[i] = fmt.Sprint(r.Index(i).Interface())
	}
	return out
}

// title makes the first letter of each word a capital.
func title(s string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		first := !unicode.IsLetter(before) && !unicode.IsDigit(before) && before != '_' && before != '\''
		before = r
		if first {
			return unicode.ToTitle(r)
		}
		return r
	}, s)
}

// Objects prints what inspect prints: all objects as one indented JSON list, or each through a template. An object that the template can't be
// applied to is left out; the error tells of each such one.
func Objects(w io.Writer, spec string, objects []any) error {
	if spec == "" || spec == "json" {
		return indented(w, spec, objects)
	}
	tmpl, err := Parse(spec)
	if err != nil {
		return err
	}
	var failed []error
	var b bytes.Buffer
	for _, o := range objects {
		if err := object(&b, tmpl, o); err != nil {
			failed = append(failed, err)
		}
	}
	if b.Len() == 0 {
		b.WriteByte('\n') // which is what docker prints of nothing
	}
	_, err = w.Write(b.Bytes())
	return errors.Join(append(failed, err)...)
}

func indented(w io.Writer, spec string, objects []any) error {
	if objects == nil {
		objects = []any{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if spec == "" {
		enc.SetIndent("", "    ")
	}
	if err := enc.Encode(objects); err != nil {
		return err
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// object tries the typed value first and then its JSON form, so that both {{.State.Status}} and fields that only the
// JSON has can be asked for.
func object(b *bytes.Buffer, tmpl *template.Template, o any) error {
	start := b.Len()
	err := tmpl.Execute(b, o)
	if err != nil {
		b.Truncate(start)
		raw, encErr := json.Marshal(o)
		if encErr != nil {
			return encErr
		}
		var m any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if decErr := dec.Decode(&m); decErr != nil {
			return decErr
		}
		if err := tmpl.Option("missingkey=error").Execute(b, m); err != nil {
			b.Truncate(start)
			return &TemplateError{err}
		}
	}
	b.WriteByte('\n')
	return nil
}
