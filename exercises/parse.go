package exercises

import (
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/learn-containers/learn/lessons/expression"
	"github.com/learn-containers/learn/lessons/markdown"
)

const (
	headerKeys = "id, title, after, points, minutes, registry, limits and vars"
	script     = "commands.sh" // of an attempt: what is run in the folder
	maxFile    = 1 << 20       // of an attempt, bytes: whatever is larger is made by a command
)

// Parse reads the exercise in a folder: exercise.md, setup, solution and wrong. name is the folder's name, used in messages. The error is an
// *Error when it lies in exercise.md. Prove tells whether its expressions and templates are good, too.
func Parse(folder fs.FS, name string) (Exercise, error) {
	file := path.Join(name, "exercise.md")
	source, err := fs.ReadFile(folder, "exercise.md")
	if err != nil {
		return Exercise{}, fmt.Errorf("read exercise %s: %w", name, err)
	}
	p := newExerciseParser(file)
	if p.doc, err = markdown.Parse(file, source, headerKeys, "check", "hints"); err != nil {
		return Exercise{}, err
	}
	for _, step := range []func() error{p.header, p.body} {
		if err := step(); err != nil {
			return Exercise{}, err
		}
	}
	return p.x, p.x.readAttempts(folder, name)
}

// ParseHeader reads the front matter of the exercise in a folder, as Parse does, and nothing else.
func ParseHeader(folder fs.FS, name string) (Header, error) {
	file := path.Join(name, "exercise.md")
	source, err := fs.ReadFile(folder, "exercise.md")
	if err != nil {
		return Header{}, fmt.Errorf("read exercise %s: %w", name, err)
	}
	p := newExerciseParser(file)
	if p.doc, err = markdown.ParseHeader(file, source, headerKeys); err != nil {
		return Header{}, err
	}
	err = p.header()
	return p.x.Header, err
}

func newExerciseParser(file string) *exerciseParser {
	return &exerciseParser{ids: map[string]int{}, x: Exercise{Header: Header{Path: file, Points: 1, Number: leadingNumber(path.Dir(file))}}}
}

type exerciseParser struct {
	doc markdown.Document
	x   Exercise
	ids map[string]int // id of a check -> line
}

func (p *exerciseParser) header() error {
	for _, f := range p.doc.Header {
		if err := p.headerField(f); err != nil {
			return err
		}
	}
	switch {
	case !markdown.IsName(p.x.ID):
		return p.doc.Fail(1, "the id is %q; expected lower-case letters, digits and -", p.x.ID)
	case p.x.Title == "":
		return p.doc.Fail(1, "the exercise has no title; expected title: in the front matter")
	case p.x.After == "":
		return p.doc.Fail(1, "the exercise names no lesson; expected after: and a lesson's id")
	case p.x.Points < 1:
		return p.doc.Fail(1, "points: %d; expected 1 or more", p.x.Points)
	}
	return nil
}

func (p *exerciseParser) headerField(f markdown.Field) error {
	into := map[string]any{"id": &p.x.ID, "title": &p.x.Title, "after": &p.x.After, "points": &p.x.Points, "minutes": &p.x.Minutes, "registry": &p.x.Registry, "limits": &p.x.Limits}
	if f.Key == "vars" {
		return p.vars(f)
	}
	target, ok := into[f.Key]
	if !ok {
		return p.doc.Fail(f.Line, "unknown key %q; expected %s", f.Key, headerKeys)
	}
	if err := f.Value.Decode(target); err != nil {
		return p.doc.YAMLError(1, err)
	}
	return nil
}

func (p *exerciseParser) vars(f markdown.Field) error {
	fields, err := p.doc.Mapping(f.Value, 1)
	if err != nil {
		return err
	}
	for _, v := range fields {
		if v.Value.Kind != yaml.ScalarNode {
			return p.doc.Fail(v.Line, "variable %q is no plain value; expected rand(4, 9), word(), pick(\"a\", \"b\") or a value", v.Key)
		}
		p.x.Vars = append(p.x.Vars, expression.Var{Name: v.Key, Source: v.Value.Value, Line: v.Line})
	}
	return nil
}

func (p *exerciseParser) body() error {
	for _, part := range p.doc.Parts {
		var err error
		switch {
		case part.Heading != "":
			p.x.Text = append(p.x.Text, Text{part.Line, "## " + part.Heading})
		case part.Fence == nil:
			p.x.Text = append(p.x.Text, Text{part.Line, part.Prose})
		case part.Fence.Word == "check":
			err = p.check(*part.Fence)
		default:
			err = p.hints(*part.Fence)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case len(p.x.Text) == 0:
		return p.doc.Fail(1, "the exercise has no text; expected the task below the front matter")
	case len(p.x.Checks) == 0:
		return p.doc.Fail(1, "the exercise has no check; expected a check block")
	case len(p.x.Hints) == 0:
		return p.doc.Fail(1, "the exercise has no hints; expected a hints block")
	}
	return nil
}

// check parses a block that is YAML throughout.
func (p *exerciseParser) check(f markdown.Fence) error {
	if err := p.doc.Only(f, "id"); err != nil {
		return err
	}
	id := f.Attrs["id"]
	if !markdown.IsName(id) {
		return p.doc.Fail(f.Line, "id=%q of a check block; expected lower-case letters, digits and -", id)
	}
	if before, taken := p.ids[id]; taken {
		return p.doc.Fail(f.Line, "id=%s is taken by line %d; expected an id of its own", id, before)
	}
	p.ids[id] = f.Line
	fields, err := p.doc.Fields(f)
	if err != nil {
		return err
	}
	c := Check{ID: id, Line: f.Line}
	for _, field := range fields {
		if err := p.checkField(&c, field, f.Line); err != nil {
			return err
		}
	}
	if c.Says == "" || c.Now.Source+c.Ever.Source+c.Only.Source == "" {
		return p.doc.Fail(f.Line, "the check is incomplete; expected says: and at least one of now:, ever: and only:")
	}
	p.x.Checks = append(p.x.Checks, c)
	return nil
}

func (p *exerciseParser) checkField(c *Check, f markdown.Field, base int) (err error) {
	switch f.Key {
	case "says":
		c.Says = f.Value.Value
	case "run":
		c.Run = f.Value.Value
	case "now":
		c.Now = exprOf(f)
	case "ever":
		c.Ever = exprOf(f)
	case "only":
		c.Only = exprOf(f)
	case "event":
		c.Event = exprOf(f)
	case "file":
		c.File = exprOf(f)
	case "proof":
		c.Proof, err = p.proof(f, base)
	case "diagnose":
		c.Diagnose, err = p.diagnoses(f, base)
	default:
		return p.doc.Fail(f.Line, "unknown key %q of a check; expected says, run, now, ever, only, proof, event, file or diagnose", f.Key)
	}
	return err
}

func (p *exerciseParser) proof(f markdown.Field, base int) ([]Proof, error) {
	fields, err := p.doc.Mapping(f.Value, base)
	var out []Proof
	for _, field := range fields {
		out = append(out, Proof{field.Key, exprOf(field)})
	}
	return out, err
}

func (p *exerciseParser) diagnoses(f markdown.Field, base int) ([]Diagnosis, error) {
	if f.Value.Kind != yaml.SequenceNode {
		return nil, p.doc.Fail(f.Line, "diagnose: is no list; expected lines that start with \"- when:\"")
	}
	var out []Diagnosis
	for _, item := range f.Value.Content {
		fields, err := p.doc.Mapping(item, base)
		if err != nil {
			return nil, err
		}
		d, err := p.diagnosis(fields)
		if err != nil {
			return nil, err
		}
		if d.When.Source == "" || d.Says == "" || !isMisconception(d.Tag) {
			return nil, p.doc.Fail(base+item.Line, "the diagnosis is incomplete; expected when:, tag: with an id such as M-LAYER-COPY, and says:")
		}
		out = append(out, d)
	}
	return out, nil
}

func (p *exerciseParser) diagnosis(fields []markdown.Field) (d Diagnosis, err error) {
	for _, f := range fields {
		switch f.Key {
		case "when":
			d.When = exprOf(f)
		case "tag":
			d.Tag = f.Value.Value
		case "says":
			d.Says = f.Value.Value
		case "event":
			d.Event = exprOf(f)
		case "file":
			d.File = exprOf(f)
		default:
			return d, p.doc.Fail(f.Line, "unknown key %q of a diagnosis; expected when, tag, says, event or file", f.Key)
		}
	}
	return d, nil
}

// hints parses the ladder: at least two texts, then computed, then solution.
func (p *exerciseParser) hints(f markdown.Fence) error {
	if len(p.x.Hints) > 0 {
		return p.doc.Fail(f.Line, "a second hints block; expected one")
	}
	var list []string
	if err := yaml.Unmarshal([]byte(f.Body), &list); err != nil {
		return p.doc.YAMLError(f.Line, err)
	}
	for _, text := range list {
		p.x.Hints = append(p.x.Hints, Hint{Computed: text == "computed", Solution: text == "solution"})
		if last := &p.x.Hints[len(p.x.Hints)-1]; !last.Computed && !last.Solution {
			last.Text = text
		}
	}
	n := len(p.x.Hints)
	if n < 4 || !p.x.Hints[n-2].Computed || !p.x.Hints[n-1].Solution {
		return p.doc.Fail(f.Line, "the ladder of hints has not its four rungs; expected a list: where to look, the idea, computed, solution")
	}
	return nil
}

// readAttempts reads setup, solution and each folder of wrong.
func (x *Exercise) readAttempts(folder fs.FS, name string) error {
	var err error
	if x.Setup, err = readAttempt(folder, "setup", name); err != nil {
		return err
	}
	if x.Solution, err = readAttempt(folder, "solution", name); err != nil {
		return err
	}
	if len(x.Solution.Files) == 0 && x.Solution.Do == "" {
		return fmt.Errorf("read exercise %s: it has no solution; expected files or %s in its folder solution", name, script)
	}
	wrong, err := fs.ReadDir(folder, "wrong")
	if err != nil {
		return fmt.Errorf("read exercise %s: it has no folder wrong; expected one for each misconception that it diagnoses: %w", name, err)
	}
	for _, w := range wrong {
		if !w.IsDir() || !isMisconception(w.Name()) {
			return fmt.Errorf("read exercise %s: wrong/%s is no misconception; expected a folder whose name is an id such as M-LAYER-COPY", name, w.Name())
		}
		a, err := readAttempt(folder, path.Join("wrong", w.Name()), name)
		if err != nil {
			return err
		}
		a.Name = w.Name()
		x.Wrong = append(x.Wrong, a)
	}
	return nil
}

func readAttempt(folder fs.FS, dir, name string) (Attempt, error) {
	a := Attempt{Name: dir}
	if _, err := fs.Stat(folder, dir); err != nil {
		return a, nil
	}
	err := fs.WalkDir(folder, dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() || info.Size() > maxFile {
			return fmt.Errorf("%s is no regular file of at most %d bytes", p, maxFile)
		}
		data, err := fs.ReadFile(folder, p)
		if err != nil {
			return err
		}
		a.add(strings.TrimPrefix(p, dir+"/"), data)
		return nil
	})
	if err != nil {
		return a, fmt.Errorf("read exercise %s: %w", name, err)
	}
	sort.Slice(a.Files, func(i, j int) bool { return a.Files[i].Path < a.Files[j].Path })
	return a, nil
}

// add takes one file. An embedded file has no mode; one that begins as a script is one.
func (a *Attempt) add(name string, data []byte) {
	if name == script {
		a.Do = string(data)
		return
	}
	f := File{Path: name, Content: string(data), Mode: 0o644}
	if strings.HasPrefix(f.Content, "#!") {
		f.Mode = 0o755
	}
	a.Files = append(a.Files, f)
}

func exprOf(f markdown.Field) expression.Expr {
	return expression.Expr{Source: strings.TrimSpace(f.Value.Value), Line: f.Line}
}

func isMisconception(s string) bool {
	rest, ok := strings.CutPrefix(s, "M-")
	return ok && rest != "" && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

func leadingNumber(dir string) int {
	digits, _, _ := strings.Cut(path.Base(dir), "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
