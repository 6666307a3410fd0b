package dockerfile

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// parse types the instruction anew, so that expansion never changes the file. The node was parsed before: no error is left.
func (in Instruction) parse() any {
	c, err := typed(in.node)
	if err != nil {
		return nil
	}
	return c
}

// environ is variables for the lexer.
type environ map[string]string

// Get returns a variable.
func (e environ) Get(k string) (string, bool) { v, ok := e[k]; return v, ok }

// Keys lists the variables.
func (e environ) Keys() []string { return slices.Sorted(maps.Keys(e)) }

// Variable is one name with its value.
type Variable struct{ Name, Value string }

// Scope is the variables that hold at one point of a stage: ENV of the image and of the stage, and ARGs declared so far.
// It belongs to one stage and one goroutine.
type Scope struct {
	plan      *Plan
	index     int // of the stage
	dir       string
	vars      environ
	args      []declared // in order of declaration
	undefined map[string]struct{}
}

// declared is an ARG that was declared, with or without a value.
type declared struct {
	Variable
	set bool
}

// Scope starts st on a base whose environment is env ("K=v"). If the base is a stage, base is its scope at its end: what it declared
// holds in st as well. Otherwise base is nil.
func (p *Plan) Scope(st Stage, env []string, base *Scope) *Scope {
	s := &Scope{plan: p, index: st.Index, dir: "/", vars: environ{}}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		s.vars[k] = v
	}
	if base != nil {
		s.vars, s.args, s.dir = maps.Clone(base.vars), slices.Clone(base.args), base.dir
	}
	return s
}

// SetWorkdir says which folder relative targets of mounts start at.
func (s *Scope) SetWorkdir(dir string) {
	if dir != "" {
		s.dir = dir
	}
}

// Undefined are the variables that the last Expand or Declare asked for and that nothing defines, sorted. An ARG without a value defines.
func (s *Scope) Undefined() []string { return slices.Sorted(maps.Keys(s.undefined)) }

// Value is what a variable holds, empty if nothing does.
func (s *Scope) Value(name string) string { return s.vars[name] }

// Names are the variables that hold, sorted.
func (s *Scope) Names() []string { return s.vars.Keys() }

func (s *Scope) expand(lex *shell.Lex, word string) (string, error) {
	out, unset, err := lex.ProcessWord(word, s.vars)
	for name := range unset {
		if !forScanner(name) && !slices.ContainsFunc(s.args, func(a declared) bool { return a.Name == name }) {
			s.undefined[name] = struct{}{}
		}
	}
	return out, err
}

// Expand returns the command of in with the variables expanded that docker expands there, each in its own way. RUN, CMD
// and ENTRYPOINT are left to the shell that runs them.
func (s *Scope) Expand(in Instruction) (Command, error) {
	cmd, ok := in.parse().(Command)
	if !ok {
		return nil, s.plan.File.Errorf(in, "", "%s can't stand here", in.Name)
	}
	if _, isArg := cmd.(*Arg); isArg {
		return cmd, nil // Declare expands, as the value may not be used at all
	}
	lex := shell.NewLex(s.plan.File.escape)
	s.undefined = map[string]struct{}{}
	word := func(w string) (string, error) { return s.expand(lex, w) }
	if ex, ok := cmd.(instructions.SupportsSingleWordExpansion); ok {
		if err := ex.Expand(word); err != nil {
			msg, _, _ := strings.Cut(err.Error(), " (did you mean") // that guess takes any of those that are equally near
			return nil, s.plan.File.guess(in.Line, in.EndLine, msg, "--mount")
		}
	}
	if ex, ok := cmd.(instructions.SupportsSingleWordExpansionRaw); ok {
		if err := ex.ExpandRaw(s.rawWord); err != nil {
			return nil, s.plan.File.locate(err, in.Line, in.EndLine)
		}
	}
	if ex, ok := cmd.(*Expose); ok {
		return s.expandPorts(in, lex, ex)
	}
	return cmd, nil
}

// rawWord expands inside a here-document: quotes are content there.
func (s *Scope) rawWord(w string) (string, error) {
	lex := shell.NewLex('\\')
	lex.SkipProcessQuotes = true
	return s.expand(lex, w)
}

// expandPorts splits after expansion: EXPOSE $PORTS may name several.
func (s *Scope) expandPorts(in Instruction, lex *shell.Lex, c *Expose) (Command, error) {
	var ports []string
	for _, p := range c.Ports {
		words, err := lex.ProcessWords(p, s.vars)
		if err != nil {
			return nil, s.plan.File.Errorf(in, p, "%v", err)
		}
		ports = append(ports, words...)
	}
	c.Ports = ports
	return c, nil
}

// SetEnv makes an ENV hold from here on.
func (s *Scope) SetEnv(name, value string) { s.vars[name] = value }

// Declare makes the ARGs of an instruction hold from here on: the value of --build-arg, else the default, else the global
// ARG of that name. It returns the words of the instruction with their values.
func (s *Scope) Declare(in Instruction, c *Arg) ([]string, error) {
	var words []string
	s.undefined = map[string]struct{}{}
	for _, kv := range c.Args {
		value, ok, err := s.argValue(kv)
		if err != nil {
			return nil, s.plan.File.Errorf(in, *kv.Value, "%v", err)
		}
		s.declare(declared{Variable{kv.Key, value}, ok})
		if !ok {
			words = append(words, kv.Key)
			continue
		}
		words = append(words, kv.Key+"="+value)
		if !forScanner(kv.Key) {
			s.vars[kv.Key] = value
		}
	}
	return words, nil
}

// declare keeps the place of a name that is declared again.
func (s *Scope) declare(d declared) {
	i := slices.IndexFunc(s.args, func(a declared) bool { return a.Name == d.Name })
	switch {
	case i < 0:
		s.args = append(s.args, d)
	case d.set:
		s.args[i] = d
	}
}

// forScanner tells whether an argument speaks to a scanner of the image and never gets into an environment.
func forScanner(name string) bool {
	return name == "BUILDKIT_SBOM_SCAN_CONTEXT" || name == "BUILDKIT_SBOM_SCAN_STAGE"
}

func (s *Scope) argValue(kv instructions.KeyValuePairOptional) (string, bool, error) {
	if v, ok := s.plan.args[kv.Key]; ok {
		return v, true, nil
	}
	if kv.Value == nil {
		v, ok := s.plan.globals[kv.Key]
		return v, ok, nil
	}
	v, err := s.expand(shell.NewLex(s.plan.File.escape), *kv.Value)
	return v, true, err
}

// Args are the declared ARGs that have a value, in order, with the value that a RUN sees: of an ARG and an ENV of one name, the later.
func (s *Scope) Args() []Variable {
	var out []Variable
	for _, a := range s.args {
		if v, ok := s.vars[a.Name]; ok && a.set && !forScanner(a.Name) {
			out = append(out, Variable{a.Name, v})
		}
	}
	return out
}

// RunText is how the history names a RUN that executes argv: the declared ARGs, counted, come first, those without a value as well.
func (s *Scope) RunText(argv []string) string {
	words := []string{"RUN"}
	if len(s.args) > 0 {
		words = append(words, "|"+strconv.Itoa(len(s.args)))
	}
	for _, a := range s.args {
		v, ok := s.vars[a.Name]
		if !ok {
			v = a.Value
		}
		words = append(words, a.Name+"="+v)
	}
	return strings.Join(append(words, argv...), " ")
}

// Proxies are the proxy variables given by --build-arg, in capitals and in small letters, however they were given. Every RUN sees them,
// no cache key and no history does: they may hold passwords.
func (p *Plan) Proxies() []Variable {
	var out []Variable
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"} {
		value, found := "", false
		for _, k := range slices.Sorted(maps.Keys(p.args)) {
			if strings.EqualFold(k, name) {
				value, found = p.args[k], true
			}
		}
		if found {
			out = append(out, Variable{name, value}, Variable{strings.ToLower(name), value})
		}
	}
	return out
}

// Unused names the build arguments that no ARG of the planned stages asks for, sorted.
func (p *Plan) Unused() []string {
	asked := map[string]bool{}
	note := func(in Instruction) {
		if arg, ok := in.parse().(*Arg); ok {
			for _, kv := range arg.Args {
				asked[kv.Key] = true
			}
		}
	}
	for _, in := range p.File.args {
		note(in)
	}
	for _, st := range p.Stages {
		for _, in := range st.Instructions {
			note(in)
		}
	}
	for name := range p.args {
		if _, ok := p.predefined("")[name]; ok || isProxy(name) {
			asked[name] = true
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.args)) {
		if !asked[name] && name != "SOURCE_DATE_EPOCH" && !strings.HasPrefix(name, "BUILDKIT_") { // the builder takes these
			out = append(out, name)
		}
	}
	return out
}

func isProxy(name string) bool {
	switch strings.ToUpper(name) {
	case "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY":
		return true
	}
	return false
}
