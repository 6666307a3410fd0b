package dockerfile

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// PlanOptions say what is to be built. The zero value means the last stage, with no build arguments.
type PlanOptions struct {
	Target   string            // name or number of a stage; empty: the last
	Args     map[string]string // --build-arg
	Platform string            // "linux/amd64": what FROM --platform may say and what TARGETPLATFORM holds
}

// Plan is the stages that a target needs, each after those that it needs itself.
type Plan struct {
	File    *File
	Stages  []Stage // the last is the target
	all     []Stage
	args    map[string]string
	globals map[string]string
}

// Stage is the stage at index in the file, whether the target needs it or not: a trigger of a base image may.
func (p *Plan) Stage(index int) Stage { return p.all[index] }

// Stage is one FROM and what follows it.
type Stage struct {
	Index        int    // in the file, from 0
	Name         string // of AS, or empty
	Base         Base
	From         Instruction
	Instructions []Instruction
}

// Base is what a stage starts from: an earlier stage, an image, or nothing at all.
type Base struct {
	Stage   int    // index of the stage in the file, -1 if it is none
	Image   string // reference as written, expanded; empty for a stage or scratch
	Scratch bool
}

// Plan resolves the global arguments, the bases, and which stages the target needs. Errors are *SyntaxError.
func (f *File) Plan(o PlanOptions) (*Plan, error) {
	p := &Plan{File: f, args: o.Args, globals: platformArgs(o.Platform)}
	if err := p.resolveGlobals(); err != nil {
		return nil, err
	}
	all := make([]Stage, 0, len(f.stages))
	for i := range f.stages {
		st, err := p.resolveStage(i, o.Platform)
		if err != nil {
			return nil, err
		}
		all = append(all, st)
	}
	target, err := f.target(o.Target)
	if err != nil {
		return nil, err
	}
	p.all = all
	needed := map[int]bool{}
	f.need(all, target, needed)
	for _, st := range all {
		if needed[st.Index] {
			p.Stages = append(p.Stages, st)
		}
	}
	return p, nil
}

// platformArgs are the arguments of the global scope that every build has.
func platformArgs(platform string) map[string]string {
	os, arch, _ := strings.Cut(platform, "/")
	arch, variant, _ := strings.Cut(arch, "/")
	args := map[string]string{}
	if platform == "" {
		return args
	}
	for _, side := range []string{"BUILD", "TARGET"} {
		args[side+"PLATFORM"], args[side+"OS"], args[side+"ARCH"], args[side+"VARIANT"] = platform, os, arch, variant
	}
	return args
}

func (p *Plan) resolveGlobals() error {
	lex := shell.NewLex(p.File.escape)
	for _, in := range p.File.args {
		arg := in.parse().(*Arg)
		for _, kv := range arg.Args {
			if v, given := p.args[kv.Key]; given {
				p.globals[kv.Key] = v
				continue
			}
			if kv.Value == nil {
				continue
			}
			v, _, err := lex.ProcessWord(*kv.Value, environ(p.globals))
			if err != nil {
				return p.File.Errorf(in, *kv.Value, "%v", err)
			}
			p.globals[kv.Key] = v
		}
	}
	return nil
}

func (p *Plan) resolveStage(i int, platform string) (Stage, error) {
	s := p.File.stages[i]
	st := Stage{Index: i, Name: s.from.Name, From: s.at, Instructions: s.instructions, Base: Base{Stage: -1}}
	lex := shell.NewLex(p.File.escape)
	name, unset, err := lex.ProcessWord(s.from.BaseName, environ(p.globals))
	if err != nil {
		return st, p.File.Errorf(s.at, s.from.BaseName, "%v", err)
	}
	if strings.TrimSpace(name) == "" {
		hint := ""
		if len(unset) > 0 {
			hint = ": no ARG before the first FROM gives " + strings.Join(slices.Sorted(maps.Keys(unset)), ", ") + " a value"
		}
		return st, p.File.Errorf(s.at, s.from.BaseName, "base name (%s) should not be blank%s", s.from.BaseName, hint)
	}
	want, _, err := lex.ProcessWord(s.from.Platform, environ(p.globals))
	if err != nil {
		return st, p.File.Errorf(s.at, "--platform", "%v", err)
	}
	if want != "" && platform != "" && want != platform {
		return st, p.File.Errorf(s.at, "--platform", "FROM --platform=%s is not supported by this builder: this machine is %s, leave the flag out", want, platform)
	}
	switch base, ok := p.File.find(name, i); {
	case ok:
		st.Base.Stage = base
	case name == "scratch":
		st.Base.Scratch = true
	default:
		st.Base.Image = name
	}
	return st, nil
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

// CopySource tells which stage a COPY --from=name in stage index means; not ok: name is an image.
func (f *File) CopySource(name string, index int) (stage int, ok bool) {
	if i, ok := f.find(name, index); ok {
		return i, true
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < index {
		return n, true
	}
	return 0, false
}

func (f *File) target(name string) (int, error) {
	last := len(f.stages) - 1
	if name == "" {
		return last, nil
	}
	if i, ok := f.CopySource(name, len(f.stages)); ok {
		return i, nil
	}
	return 0, &SyntaxError{File: f.Name, Msg: "target stage \"" + name + "\" could not be found"}
}

func (f *File) need(all []Stage, i int, needed map[int]bool) {
	if needed[i] {
		return
	}
	needed[i] = true
	if b := all[i].Base.Stage; b >= 0 {
		f.need(all, b, needed)
	}
	for _, in := range all[i].Instructions {
		c, ok := in.parse().(*Copy)
		if !ok || c.From == "" {
			continue
		}
		if src, ok := f.CopySource(c.From, i); ok {
			f.need(all, src, needed)
		}
	}
}
