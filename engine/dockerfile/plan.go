package dockerfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// PlanOptions say what is to be built. The zero value means the last stage, with no build arguments, for this machine.
type PlanOptions struct {
	Target        string            // name or number of a stage; empty: the last
	Args          map[string]string // --build-arg
	Platform      string            // what is built for, as in "linux/arm64": what TARGETPLATFORM holds; empty: BuildPlatform
	BuildPlatform string            // what RUN runs on: what BUILDPLATFORM holds; empty: this machine's containers
	All           bool              // plan the stages that the target does not need, too
}

// Plan is the stages that a target needs, each after those that it needs itself.
type Plan struct {
	File    *File
	Stages  []Stage  // in the order of the file; the last is the target, unless all were asked for
	Target  Platform // what is built for
	Build   Platform // what RUN runs on
	all     []Stage
	args    map[string]string
	globals map[string]string
}

// Stage is one FROM and what follows it.
type Stage struct {
	Index        int    // in the file, from 0
	Name         string // of AS, or empty
	Base         Base
	Platform     Platform // of its base: an image of that platform is asked for
	From         Instruction
	Instructions []Instruction
	Needs        []int // stages that have to be built before, sorted: the base, and what COPY and RUN --mount take files from
}

// Base is what a stage starts from: an earlier stage, an image, or nothing at all.
type Base struct {
	Stage   int    // index of the stage in the file, -1 if it is none
	Image   string // reference as written, expanded; empty for a stage or scratch
	Scratch bool
}

// Entitlement is a right that an instruction asks for, and that a build has only if its user granted it.
type Entitlement struct {
	Name string // "security.insecure" or "network.host"
	At   Instruction
}

// Plan resolves the global arguments, the bases, and which stages the target needs. Errors are *SyntaxError.
func (f *File) Plan(o PlanOptions) (*Plan, error) {
	p, target, err := f.begin(o)
	if err != nil {
		return nil, err
	}
	for i := range f.stages {
		st, err := p.resolveStage(i)
		if err != nil {
			return nil, err
		}
		p.all = append(p.all, st)
	}
	if p.Stages, err = p.connect(target, o.All); err != nil {
		return nil, err
	}
	return p, nil
}

// begin resolves what stands before the first FROM.
func (f *File) begin(o PlanOptions) (p *Plan, target int, err error) {
	p = &Plan{File: f, args: o.Args}
	if err := p.resolvePlatforms(o); err != nil {
		return nil, 0, err
	}
	if target, err = f.target(o.Target); err != nil {
		return nil, 0, err
	}
	p.globals = p.predefined(f.stages[target].from.Name)
	return p, target, p.resolveGlobals()
}

// Globals are the variables of the global scope: the predefined ones, and those of the ARGs before the first FROM.
type Globals struct{ plan *Plan }

// Globals resolves the global scope alone, as a check of the bases needs it. Errors are *SyntaxError.
func (f *File) Globals(o PlanOptions) (Globals, error) {
	p, _, err := f.begin(o)
	return Globals{p}, err
}

// Expansion is what a word came to, and the variables in it that had a value and that had none, sorted.
type Expansion struct {
	Result         string
	Known, Unknown []string
}

// Expand expands a word of a FROM.
func (g Globals) Expand(word string) (Expansion, error) {
	res, err := shell.NewLex(g.plan.File.escape).ProcessWordWithMatches(word, environ(g.plan.globals))
	return Expansion{res.Result, slices.Sorted(maps.Keys(res.Matched)), slices.Sorted(maps.Keys(res.Unmatched))}, err
}

// Names are the global variables, those without a value as well, sorted.
func (g Globals) Names() []string {
	names := maps.Clone(g.plan.globals)
	for _, in := range g.plan.File.args {
		for _, kv := range in.parse().(*Arg).Args {
			names[kv.Key] = ""
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Get gives a global variable's value, empty if it has none.
func (g Globals) Get(name string) string { return g.plan.globals[name] }

func (p *Plan) resolvePlatforms(o PlanOptions) (err error) {
	if o.BuildPlatform == "" {
		o.BuildPlatform = "linux/" + oci.Architecture()
	}
	if o.Platform == "" {
		o.Platform = o.BuildPlatform
	}
	if p.Build, err = ParsePlatform(o.BuildPlatform); err != nil {
		return p.File.at(1, 1, "", "platform of the build: "+err.Error())
	}
	if p.Target, err = ParsePlatform(o.Platform); err != nil {
		return p.File.at(1, 1, "", "--platform: "+err.Error())
	}
	return nil
}

// predefined are the arguments of the global scope that every build has. A stage sees them after an ARG of that name.
func (p *Plan) predefined(target string) map[string]string {
	if target == "" {
		target = "default"
	}
	args := map[string]string{"TARGETSTAGE": target}
	for side, pl := range map[string]Platform{"BUILD": p.Build, "TARGET": p.Target} {
		args[side+"PLATFORM"] = pl.String()
		args[side+"OS"], args[side+"OSVERSION"], args[side+"ARCH"], args[side+"VARIANT"] = pl.OS, pl.OSVersion, pl.Architecture, pl.Variant
	}
	for name := range args {
		if v, given := p.args[name]; given {
			args[name] = v
		}
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
				return p.File.Errorf(in, *kv.Value, "%v", wordError(err))
			}
			p.globals[kv.Key] = v
		}
	}
	return nil
}

// Epoch is the SOURCE_DATE_EPOCH that the build has: of --build-arg, else of an ARG before the first FROM. Empty: none.
func (p *Plan) Epoch() string {
	if v, ok := p.args["SOURCE_DATE_EPOCH"]; ok {
		return v
	}
	return p.globals["SOURCE_DATE_EPOCH"]
}

func (p *Plan) resolveStage(i int) (Stage, error) {
	s := p.File.stages[i]
	st := Stage{Index: i, Name: s.from.Name, From: s.at, Instructions: s.instructions, Base: Base{Stage: -1}}
	name, unset, err := shell.NewLex(p.File.escape).ProcessWord(s.from.BaseName, environ(p.globals))
	if err != nil {
		return st, p.File.Errorf(s.at, s.from.BaseName, "%v", wordError(err))
	}
	if strings.TrimSpace(name) == "" {
		return st, p.File.Errorf(s.at, s.from.BaseName, "base name (%s) should not be blank%s", s.from.BaseName, missing(unset))
	}
	own, err := p.stagePlatform(s)
	if err != nil {
		return st, err
	}
	switch base, ok := p.File.find(name, i); {
	case ok:
		st.Base.Stage, st.Platform = base, p.all[base].Platform
	case name == "scratch":
		st.Base.Scratch, st.Platform = true, p.Target
	default:
		st.Base.Image, st.Platform = name, own
		if _, err := oci.ParseRef(name); err != nil {
			return st, p.File.Errorf(s.at, s.from.BaseName, "base name %q: %v", name, err)
		}
	}
	return st, nil
}

// missing names the variables that no global ARG gives a value.
func missing(unset map[string]struct{}) string {
	if len(unset) == 0 {
		return ""
	}
	return ": no ARG before the first FROM gives " + strings.Join(slices.Sorted(maps.Keys(unset)), ", ") + " a value"
}

// stagePlatform is what FROM --platform says, or the build's target.
func (p *Plan) stagePlatform(s stage) (Platform, error) {
	if s.from.Platform == "" {
		return p.Target, nil
	}
	word, unset, err := shell.NewLex(p.File.escape).ProcessWord(s.from.Platform, environ(p.globals))
	if err != nil {
		return Platform{}, p.File.Errorf(s.at, "--platform", "%v", wordError(err))
	}
	if word == "" {
		return Platform{}, p.File.Errorf(s.at, "--platform", "empty platform value from expression %s%s", s.from.Platform, missing(unset))
	}
	pl, err := ParsePlatform(word)
	if err != nil {
		return Platform{}, p.File.Errorf(s.at, "--platform", "parse platform %s: %v", s.from.Platform, err)
	}
	return pl, nil
}

// HasGlobal tells whether the global scope gives name a value.
func (p *Plan) HasGlobal(name string) bool {
	_, ok := p.globals[name]
	return ok
}

// Stage gives a stage of the file, planned or not: a trigger of a base image may need one that nothing else does.
func (p *Plan) Stage(index int) Stage { return p.all[index] }

// Entitlements are the rights that the planned stages ask for. Triggers of base images come on top: ask EntitlementOf.
func (p *Plan) Entitlements() []Entitlement {
	var out []Entitlement
	for _, st := range p.Stages {
		for _, in := range st.Instructions {
			out = append(out, EntitlementsOf(in)...)
		}
	}
	return out
}

// EntitlementsOf are the rights that one instruction asks for.
func EntitlementsOf(in Instruction) []Entitlement {
	c, ok := in.parse().(*Run)
	if !ok {
		return nil
	}
	var out []Entitlement
	if Security(c) == "insecure" {
		out = append(out, Entitlement{"security.insecure", in})
	}
	if Network(c) == "host" {
		out = append(out, Entitlement{"network.host", in})
	}
	return out
}
