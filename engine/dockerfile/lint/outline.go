package lint

import (
	"bytes"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// Outline is what the build of a target takes from outside.
type Outline struct {
	Name        string // of the target; empty: it has none
	Description string // the comment above its FROM, if that begins with the name
	Args        []OutlineArg
	Secrets     []OutlineMount
	SSH         []OutlineMount
	Cache       []OutlineMount
}

// OutlineArg is a build argument that the target or a stage that it needs declares.
type OutlineArg struct {
	Name, Value, Description string
	Line, EndLine            int
}

// OutlineMount is a secret, an agent or a cache that a RUN asks for.
type OutlineMount struct {
	Name          string
	Required      bool
	Line, EndLine int
}

// Target is a stage that can be built.
type Target struct {
	Name, Description, Base, Platform string
	Default                           bool // what is built if no target is named
	Line, EndLine                     int
}

// Targets lists the stages of a Dockerfile. Errors are *dockerfile.SyntaxError.
func Targets(name string, text []byte) ([]Target, error) {
	if _, err := dockerfile.Parse(name, text); err != nil {
		return nil, err
	}
	stages, _ := parseStages(text)
	var out []Target
	for i, st := range stages {
		out = append(out, Target{Name: st.Name, Description: st.DocComment, Base: st.BaseName, Platform: st.Platform, Default: i == len(stages)-1,
			Line: first(st.Location), EndLine: last(st.Location)})
	}
	return out, nil
}

// parseStages reads a text that package dockerfile has read without an error.
func parseStages(text []byte) ([]instructions.Stage, []instructions.ArgCommand) {
	res, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, nil
	}
	stages, args, err := instructions.Parse(res.AST, linter.New(&linter.Config{}))
	if err != nil {
		return nil, nil
	}
	return stages, args
}

func first(at []parser.Range) int {
	if len(at) == 0 {
		return 1
	}
	return at[0].Start.Line
}

func last(at []parser.Range) int {
	if len(at) == 0 {
		return 1
	}
	return at[len(at)-1].End.Line
}

// OutlineOf lists what the target takes from outside, in the order of the file. Errors are *dockerfile.SyntaxError.
func OutlineOf(name string, text []byte, o Options) (Outline, error) {
	f, err := dockerfile.Parse(name, text)
	if err != nil {
		return Outline{}, err
	}
	po := dockerfile.PlanOptions{Target: o.Target, Args: o.Args, Platform: o.Platform, BuildPlatform: o.BuildPlatform}
	plan, err := f.Plan(po)
	if err != nil {
		return Outline{}, err
	}
	c := &checker{options: o, file: f, rules: linter.New(&linter.Config{})}
	var global []instructions.ArgCommand
	c.stages, global = parseStages(text)
	w := &walk{checker: c, plan: plan, done: map[int]*state{}}
	for _, st := range plan.Stages {
		if err := w.stage(st); err != nil {
			return Outline{}, err
		}
	}
	globals, err := f.Globals(po)
	if err != nil {
		return Outline{}, err
	}
	target := c.stages[plan.Stages[len(plan.Stages)-1].Index]
	out := Outline{Name: target.Name, Description: target.DocComment}
	g := &gatherer{Outline: &out, seen: map[string]bool{}, wanted: map[string]bool{}}
	g.stages(w, globals)
	g.globals(global, globals)
	out.sort()
	return out, nil
}

// gatherer fills an Outline. Of one name the first counts: the target's own stage comes first.
type gatherer struct {
	*Outline
	seen   map[string]bool // "kind name"
	wanted map[string]bool // global arguments that a FROM or an ARG without a value uses
}

func (g *gatherer) new(kind, name string) bool {
	key := kind + " " + name
	if g.seen[key] {
		return false
	}
	g.seen[key] = true
	return true
}

func (g *gatherer) stages(w *walk, globals dockerfile.Globals) {
	for _, planned := range slices.Backward(w.plan.Stages) {
		st := w.stages[planned.Index]
		for _, word := range []string{st.BaseName, st.Platform} {
			e, err := globals.Expand(word)
			if err != nil {
				continue
			}
			for _, name := range e.Known {
				g.wanted[name] = true
			}
		}
		for _, s := range w.done[planned.Index].steps {
			if arg, ok := s.cmd.(*dockerfile.Arg); ok {
				g.declared(w, s, arg)
			}
			for _, m := range s.mounts {
				g.mount(m, s)
			}
		}
	}
}

func (g *gatherer) declared(w *walk, s step, arg *dockerfile.Arg) {
	for i, kv := range arg.Args {
		_, given := w.options.Args[kv.Key]
		if kv.Value == nil && !given {
			g.wanted[kv.Key] = true
			if w.plan.HasGlobal(kv.Key) {
				continue
			}
		}
		if g.new("arg", kv.Key) {
			g.Args = append(g.Args, OutlineArg{kv.Key, s.values[i], kv.DocComment, s.in.Line, s.in.EndLine})
		}
	}
}

func (g *gatherer) mount(m dockerfile.Mount, s step) {
	found := OutlineMount{m.ID, m.Required, s.in.Line, s.in.EndLine}
	if !g.new(m.Type, m.ID) {
		return
	}
	switch m.Type {
	case dockerfile.MountSecret:
		g.Secrets = append(g.Secrets, found)
	case dockerfile.MountSSH:
		g.SSH = append(g.SSH, found)
	case dockerfile.MountCache:
		g.Cache = append(g.Cache, found)
	}
}

// globals adds the global arguments that are wanted, and those that their defaults want.
func (g *gatherer) globals(cmds []instructions.ArgCommand, globals dockerfile.Globals) {
	for _, cmd := range slices.Backward(cmds) {
		for _, kv := range slices.Backward(cmd.Args) {
			if !g.wanted[kv.Key] || !g.new("arg", kv.Key) {
				continue
			}
			g.Args = append(g.Args, OutlineArg{kv.Key, globals.Get(kv.Key), kv.DocComment, first(cmd.Location()), last(cmd.Location())})
			if kv.Value == nil {
				continue
			}
			if e, err := globals.Expand(*kv.Value); err == nil {
				for _, name := range e.Known {
					g.wanted[name] = true
				}
			}
		}
	}
}

func (o *Outline) sort() {
	slices.SortStableFunc(o.Args, func(a, b OutlineArg) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, list := range [][]OutlineMount{o.Secrets, o.SSH, o.Cache} {
		slices.SortStableFunc(list, func(a, b OutlineMount) int { return a.Line - b.Line })
	}
}
