package dockerfile

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// edge is one reason for a stage to need another.
type edge struct {
	stage int // that is needed
	in    Instruction
	word  string // what in in names it
	verb  string // "copy" or "mount"
}

// find looks for a named stage before limit. Of two of one name the later counts.
func (f *File) find(name string, limit int) (int, bool) {
	for i := min(limit, len(f.stages)) - 1; i >= 0; i-- {
		if n := f.stages[i].from.Name; n != "" && strings.EqualFold(n, name) {
			return i, true
		}
	}
	return 0, false
}

// CopySource tells which stage a COPY --from=name in stage index means; not ok: name is an image. As with docker, names of later stages
// count, though files can't be copied from them: Plan refuses that.
func (f *File) CopySource(name string, index int) (stage int, ok bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, n >= 0 && n < min(index, len(f.stages))
	}
	return f.find(name, len(f.stages))
}

// source is what a RUN --mount from=name means.
func (f *File) source(name string) Source {
	if name == "" {
		return Source{Stage: -1}
	}
	if i, ok := f.find(name, len(f.stages)); ok {
		return Source{Stage: i}
	}
	if name == "scratch" {
		return Source{Stage: -1, Scratch: true}
	}
	return Source{Stage: -1, Image: name}
}

// stageName is how messages name a stage: as docker does, if it has no name.
func (f *File) stageName(i int) string {
	if n := f.stages[i].from.Name; n != "" {
		return n
	}
	return "stage-" + strconv.Itoa(i)
}

func (f *File) target(name string) (int, error) {
	if name == "" {
		return len(f.stages) - 1, nil
	}
	if i, ok := f.CopySource(name, len(f.stages)); ok {
		return i, nil
	}
	var names []string
	for i := range f.stages {
		names = append(names, f.stageName(i))
	}
	first := f.stages[0].at
	return 0, f.at(first.Line, first.EndLine, "", "target stage "+strconv.Quote(name)+" could not be found"+
		suggest(strings.ToLower(name), "", names)+": the stages are "+strings.Join(names, ", "))
}

// connect finds out which stages each stage needs, and gives those that the target needs.
func (p *Plan) connect(target int, all bool) ([]Stage, error) {
	edges := make([][]edge, len(p.all))
	for i := range p.all {
		var err error
		if edges[i], err = p.edges(i); err != nil {
			return nil, err
		}
	}
	if err := p.checkCircles(edges); err != nil {
		return nil, err
	}
	needed := map[int]bool{}
	if err := p.need(target, edges, needed); err != nil {
		return nil, err
	}
	var out []Stage
	for i := range p.all {
		p.all[i].Needs = needs(p.all[i].Base.Stage, edges[i])
		if all && !needed[i] {
			if err := p.need(i, edges, needed); err != nil {
				return nil, err
			}
		}
	}
	for i, st := range p.all {
		if needed[i] {
			out = append(out, st)
		}
	}
	return out, nil
}

func needs(base int, edges []edge) []int {
	found := map[int]bool{}
	if base >= 0 {
		found[base] = true
	}
	for _, e := range edges {
		found[e.stage] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// edges lists what stage i takes from others, apart from its base, also by the ONBUILDs of a stage that it starts from.
func (p *Plan) edges(i int) ([]edge, error) {
	st := p.all[i]
	var out []edge
	if st.Base.Stage >= 0 {
		var onbuild []string
		for _, in := range p.all[st.Base.Stage].Instructions {
			if c, ok := in.parse().(*Onbuild); ok {
				onbuild = append(onbuild, c.Expression)
			}
		}
		triggers, err := p.File.Triggers(st.From, onbuild)
		if err != nil {
			return nil, err
		}
		for _, in := range triggers {
			found, err := p.edgesOf(in)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
	}
	for _, in := range st.Instructions {
		found, err := p.edgesOf(in)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func (p *Plan) edgesOf(in Instruction) ([]edge, error) {
	switch c := in.parse().(type) {
	case *Copy:
		if c.From == "" {
			return nil, nil
		}
		if n, err := strconv.Atoi(c.From); err == nil {
			if n < 0 || n >= len(p.all) {
				return nil, p.File.Errorf(in, "--from="+c.From, "invalid stage index %d: the file has stages 0 to %d", n, len(p.all)-1)
			}
			return []edge{{n, in, "--from=" + c.From, "copy"}}, nil
		}
		if i, ok := p.File.find(c.From, len(p.all)); ok {
			return []edge{{i, in, "--from=" + c.From, "copy"}}, nil
		}
	case *Run:
		var out []edge
		for _, m := range instructions.GetMounts(c) {
			if i := p.File.source(m.From).Stage; i >= 0 {
				out = append(out, edge{i, in, "from=" + m.From, "mount"})
			}
		}
		return out, nil
	}
	return nil, nil
}

// checkCircles refuses stages that need themselves, whoever needs them.
func (p *Plan) checkCircles(edges [][]edge) error {
	for i := range p.all {
		for _, e := range edges[i] {
			if e.stage < i || !p.reaches(e.stage, i, edges, map[int]bool{}) {
				continue
			}
			msg := "circular dependency detected on stage: " + p.File.stageName(i)
			if e.stage != i {
				msg += ": it needs " + p.File.stageName(e.stage) + ", which needs it"
			}
			return p.File.at(e.in.Line, e.in.EndLine, e.word, msg)
		}
	}
	return nil
}

func (p *Plan) reaches(from, to int, edges [][]edge, seen map[int]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	if b := p.all[from].Base.Stage; b >= 0 && p.reaches(b, to, edges, seen) {
		return true
	}
	return slices.ContainsFunc(edges[from], func(e edge) bool { return p.reaches(e.stage, to, edges, seen) })
}

// need marks i and what it needs. What a stage needs stands before it in the file.
func (p *Plan) need(i int, edges [][]edge, needed map[int]bool) error {
	if needed[i] {
		return nil
	}
	needed[i] = true
	if b := p.all[i].Base.Stage; b >= 0 {
		if err := p.need(b, edges, needed); err != nil {
			return err
		}
	}
	for _, e := range edges[i] {
		if e.stage >= i {
			return p.File.later(e, i)
		}
		if err := p.need(e.stage, edges, needed); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) later(e edge, i int) error {
	return f.Errorf(e.in, e.word, "cannot %s from stage %q, it needs to be defined before current stage %q: move its FROM further up", e.verb, f.stageName(e.stage), f.stageName(i))
}

// TriggerNeeds lists the stages that triggers of a base image need in st, which no plan could know before the image was there. Each may
// need others itself: Stage gives those that are not planned.
func (p *Plan) TriggerNeeds(st Stage, triggers []Instruction) ([]int, error) {
	var all []edge
	for _, in := range triggers {
		found, err := p.edgesOf(in)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if e.stage >= st.Index {
				return nil, p.File.later(e, st.Index)
			}
		}
		all = append(all, found...)
	}
	return needs(-1, all), nil
}

// Triggers parses the ONBUILD instructions of a base image or stage, as they run after the FROM at from.
func (f *File) Triggers(from Instruction, onbuild []string) ([]Instruction, error) {
	var out []Instruction
	for _, text := range onbuild {
		in, wrong := f.trigger(from, text)
		if wrong != nil {
			wrong.Msg = "ONBUILD " + text + " of the base: " + wrong.Msg
			return nil, wrong
		}
		out = append(out, in)
	}
	return out, nil
}

func (f *File) trigger(from Instruction, text string) (Instruction, *SyntaxError) {
	res, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return Instruction{}, f.Errorf(from, "", "%v", err)
	}
	if len(res.AST.Children) != 1 {
		return Instruction{}, f.Errorf(from, "", "onbuild trigger should be a single expression")
	}
	n := res.AST.Children[0]
	in := instructionOf(n)
	n.StartLine, n.EndLine = from.Line, from.EndLine
	in.Line, in.EndLine, in.Trigger = from.Line, from.EndLine, true
	parsed, err := typed(n)
	if err != nil {
		return in, f.locate(err, from.Line, from.EndLine)
	}
	if in.Name == "FROM" || in.Name == "ONBUILD" || in.Name == "MAINTAINER" {
		return in, f.Errorf(from, "", "%s isn't allowed as an ONBUILD trigger", in.Name)
	}
	if err := f.supported(in, parsed); err != nil {
		if wrong, ok := err.(*SyntaxError); ok {
			return in, wrong
		}
		return in, f.Errorf(from, "", "%v", err)
	}
	return in, nil
}
