package lint

import (
	"encoding/json"
	"errors"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// The shapes of docker buildx build --call=check|outline|targets,format=json: frontend/subrequests of BuildKit.
type (
	document struct {
		Warnings   []warning   `json:"warnings"`
		Sources    []source    `json:"sources"`
		BuildError *buildError `json:"buildError,omitempty"`
		Advice     []warning   `json:"advice,omitempty"` // ours
	}
	warning struct {
		Rule        string   `json:"ruleName"`
		Description string   `json:"description,omitempty"`
		URL         string   `json:"url,omitempty"`
		Detail      string   `json:"detail,omitempty"`
		Location    location `json:"location"`
		Help        string   `json:"help,omitempty"` // ours
	}
	source struct {
		Filename string `json:"filename,omitempty"`
		Data     []byte `json:"data,omitempty"`
		Language string `json:"language,omitempty"`
	}
	buildError struct {
		Message  string   `json:"message"`
		Location location `json:"location"`
	}
	location struct {
		Ranges []lineRange `json:"ranges,omitempty"`
	}
	lineRange struct {
		Start position `json:"start"`
		End   position `json:"end"`
	}
	position struct {
		Line      int `json:"line,omitempty"`
		Character int `json:"character,omitempty"`
	}
)

// lines is one range a line, as BuildKit has it.
func lines(from, to int) location {
	var l location
	for n := from; n <= to; n++ {
		l.Ranges = append(l.Ranges, lineRange{position{Line: n}, position{Line: n}})
	}
	return l
}

func warnings(fs []Finding) []warning {
	out := []warning{}
	for _, f := range fs {
		out = append(out, warning{f.Rule, f.Description, f.URL, f.Message, lines(f.Line, f.EndLine), f.Help})
	}
	return out
}

// JSON is the report as docker's --call=check,format=json has it, with the findings of our own rules under "advice".
func (r Report) JSON(name string, text []byte) ([]byte, error) {
	d := document{Warnings: warnings(r.Warnings()), Sources: []source{{name, text, "Dockerfile"}}, Advice: warnings(r.Advice())}
	if r.Err != nil {
		d.BuildError = &buildError{Message: r.Err.Error()}
		if at := (*dockerfile.SyntaxError)(nil); errors.As(r.Err, &at) {
			d.BuildError = &buildError{at.Msg, lines(at.Line, at.Line)}
		}
	}
	return json.MarshalIndent(d, "", "  ")
}

// JSON is the outline as docker's --call=outline,format=json has it.
func (o Outline) JSON(text []byte) ([]byte, error) {
	type arg struct {
		Name        string   `json:"name"`
		Description string   `json:"description,omitempty"`
		Value       string   `json:"value,omitempty"`
		Location    location `json:"location"`
	}
	type mount struct {
		Name     string   `json:"name"`
		Required bool     `json:"required,omitempty"`
		Location location `json:"location"`
	}
	type cache struct {
		ID       string   `json:"ID"`
		Location location `json:"location"`
	}
	var d struct {
		Name        string   `json:"name,omitempty"`
		Description string   `json:"description,omitempty"`
		Args        []arg    `json:"args,omitempty"`
		Secrets     []mount  `json:"secrets,omitempty"`
		SSH         []mount  `json:"ssh,omitempty"`
		Cache       []cache  `json:"cache,omitempty"`
		Sources     [][]byte `json:"sources,omitempty"`
	}
	d.Name, d.Description, d.Sources = o.Name, o.Description, [][]byte{text}
	for _, a := range o.Args {
		d.Args = append(d.Args, arg{a.Name, a.Description, a.Value, lines(a.Line, a.EndLine)})
	}
	for _, m := range o.Secrets {
		d.Secrets = append(d.Secrets, mount{m.Name, m.Required, lines(m.Line, m.EndLine)})
	}
	for _, m := range o.SSH {
		d.SSH = append(d.SSH, mount{m.Name, m.Required, lines(m.Line, m.EndLine)})
	}
	for _, m := range o.Cache {
		d.Cache = append(d.Cache, cache{m.Name, lines(m.Line, m.EndLine)})
	}
	return json.MarshalIndent(d, "", "  ")
}

// TargetsJSON are the targets as docker's --call=targets,format=json has them.
func TargetsJSON(targets []Target, text []byte) ([]byte, error) {
	type target struct {
		Name        string   `json:"name,omitempty"`
		Default     bool     `json:"default,omitempty"`
		Description string   `json:"description,omitempty"`
		Base        string   `json:"base,omitempty"`
		Platform    string   `json:"platform,omitempty"`
		Location    location `json:"location"`
	}
	var d struct {
		Targets []target `json:"targets"`
		Sources [][]byte `json:"sources"`
	}
	d.Sources = [][]byte{text}
	for _, t := range targets {
		d.Targets = append(d.Targets, target{t.Name, t.Default, t.Description, t.Base, t.Platform, lines(t.Line, t.EndLine)})
	}
	return json.MarshalIndent(d, "", "  ")
}
