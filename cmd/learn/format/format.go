// Package format prints lists and objects as docker prints them: tables with docker's column spacing, --format templates with
// docker's functions, JSON lines, sizes and ages. It knows no engine.
package format

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"
	"text/tabwriter"
	"text/template"
)

// Table describes how a list of rows is printed when no format is asked for.
type Table[T any] struct {
	Default string            // a template as after "table ", or docker's own for this list
	Quiet   string            // the field that -q prints, as a template
	Headers map[string]string // field of T -> column heading
}

// Write prints rows by spec: "" or "table" for the default table, "table TEMPLATE", "json", or a plain template.
func (t Table[T]) Write(w io.Writer, spec string, rows []T) error {
	switch {
	case spec == "" || spec == "table":
		return t.table(w, t.Default, rows)
	case spec == "json":
		return t.lines(w, "{{json .}}", rows)
	case strings.HasPrefix(spec, "table"):
		return t.table(w, strings.TrimSpace(strings.TrimPrefix(spec, "table")), rows)
	}
	return t.lines(w, spec, rows)
}

// WriteQuiet prints one short line a row.
func (t Table[T]) WriteQuiet(w io.Writer, rows []T) error { return t.lines(w, t.Quiet, rows) }

func (t Table[T]) lines(w io.Writer, spec string, rows []T) error {
	tmpl, err := Parse(spec)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := execute(w, tmpl, r); err != nil {
			return err
		}
	}
	return nil
}

func (t Table[T]) table(w io.Writer, spec string, rows []T) error {
	tmpl, err := Parse(spec)
	if err != nil {
		return err
	}
	head, err := Parse(headerTemplate(spec))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w) // a table writer writes cell by cell
	tw := tabwriter.NewWriter(out, 10, 1, 3, ' ', 0)
	if err := execute(tw, head, t.Headers); err != nil {
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

// headerTemplate drops what a template does to a field, so that the heading is the bare column name: {{json .ID}} -> {{.ID}}.
func headerTemplate(spec string) string {
	action := regexp.MustCompile(`\{\{[^}]*?(\.[A-Z]\w*)[^}]*\}\}`)
	return action.ReplaceAllString(spec, "{{$1}}")
}

// Line prints one value through a template that Parse read, as a line.
func Line(w io.Writer, tmpl *template.Template, v any) error { return execute(w, tmpl, v) }

func execute(w io.Writer, tmpl *template.Template, v any) error {
	var b bytes.Buffer
	if err := tmpl.Execute(&b, v); err != nil {
		return fmt.Errorf("template parsing error: %w", err)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// Parse reads a --format template with docker's functions; \t and \n written out are understood, as in docker.
func Parse(spec string) (*template.Template, error) {
	spec = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(spec)
	t, err := template.New("").Funcs(functions()).Parse(spec)
	if err != nil {
		return nil, fmt.Errorf("template parsing error: %w", err)
	}
	return t, nil
}

func functions() template.FuncMap {
	return template.FuncMap{
		"json":     jsonText,
		"split":    strings.Split,
		"join":     func(v any, sep string) string { return strings.Join(stringList(v), sep) },
		"title":    title,
		"lower":    strings.ToLower,
		"upper":    strings.ToUpper,
		"pad":      func(s string, pre, post int) string { return strings.Repeat(" ", pre) + s + strings.Repeat(" ", post) },
		"truncate": func(s string, n int) string { return string([]rune(s)[:min(n, len([]rune(s)))]) },
	}
}

func jsonText(v any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimRight(b.String(), "\n"), nil
}

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

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Objects prints what inspect prints: all objects as one indented JSON list, or each through a template.
func Objects(w io.Writer, spec string, objects []any) error {
	if spec == "" || spec == "json" {
		return indented(w, spec, objects)
	}
	tmpl, err := Parse(spec)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := object(w, tmpl, o); err != nil {
			return err
		}
	}
	return nil
}

func indented(w io.Writer, spec string, objects []any) error {
	if objects == nil {
		objects = []any{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if spec == "" {
		enc.SetIndent("", "    ")
	}
	return enc.Encode(objects)
}

// object tries the typed value first and then its JSON form, so that both {{.State.Status}} and fields that only the
// JSON has can be asked for.
func object(w io.Writer, tmpl *template.Template, o any) error {
	var b bytes.Buffer
	err := tmpl.Execute(&b, o)
	if err != nil {
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
		b.Reset()
		if tmpl.Option("missingkey=error").Execute(&b, m) != nil {
			return fmt.Errorf("template parsing error: %w", err)
		}
	}
	b.WriteByte('\n')
	_, werr := w.Write(b.Bytes())
	return werr
}
