package dockerfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// parse types the instruction anew, so that expansion never changes the file. The node was parsed before: no error is left.
func (in Instruction) parse() any {
	c, err := instructions.ParseInstruction(in.node)
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
	plan *Plan
	vars environ
	args []Variable // declared ARGs with a value, in order of declaration
}

// Scope starts a stage on a base whose environment is env ("K=v").
func (p *Plan) Scope(env []string) *Scope {
	s := &Scope{plan: p, vars: environ{}}
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		s.vars[k] = v
	}
	return s
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
	word := func(w string) (string, error) {
		out, _, err := lex.ProcessWord(w, s.vars)
		return out, err
	}
	if ex, ok := cmd.(instructions.SupportsSingleWordExpansion); ok {
		if err := ex.Expand(word); err != nil {
			return nil, s.plan.File.locate(err, in.Line, in.EndLine)
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
	out, _, err := lex.ProcessWord(w, s.vars)
	return out, err
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
	for _, kv := range c.Args {
		value, ok, err := s.argValue(kv)
		if err != nil {
			return nil, s.plan.File.Errorf(in, *kv.Value, "%v", err)
		}
		if !ok {
			words = append(words, kv.Key)
			continue
		}
		words = append(words, kv.Key+"="+value)
		s.vars[kv.Key] = value
		s.args = slices.DeleteFunc(s.args, func(v Variable) bool { return v.Name == kv.Key })
		s.args = append(s.args, Variable{kv.Key, value})
	}
	return words, nil
}

func (s *Scope) argValue(kv instructions.KeyValuePairOptional) (string, bool, error) {
	if v, ok := s.plan.args[kv.Key]; ok {
		return v, true, nil
	}
	if kv.Value == nil {
		v, ok := s.plan.globals[kv.Key]
		return v, ok, nil
	}
	v, _, err := shell.NewLex(s.plan.File.escape).ProcessWord(*kv.Value, s.vars)
	return v, true, err
}

// Args are the declared ARGs, in order, with the value that a RUN sees: a later ENV of the same name wins.
func (s *Scope) Args() []Variable {
	out := slices.Clone(s.args)
	for i := range out {
		out[i].Value = s.vars[out[i].Name]
	}
	return out
}

// Proxies are the proxy variables given by --build-arg. Every RUN sees them, no cache key and no history does: they may
// hold passwords.
func (p *Plan) Proxies() []Variable {
	var out []Variable
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"} {
		for _, n := range []string{name, strings.ToLower(name)} {
			if v, ok := p.args[n]; ok {
				out = append(out, Variable{n, v})
			}
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
	for _, v := range p.Proxies() {
		asked[v.Name] = true
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.args)) {
		if !asked[name] && name != "SOURCE_DATE_EPOCH" && !strings.HasPrefix(name, "BUILDKIT_") { // the builder takes these
			out = append(out, name)
		}
	}
	return out
}

// Script is the shell script of a RUN whose line is line and whose here-documents are files. A lone here-document is the
// script itself; otherwise they stand below the line, where the shell reads them.
func Script(line string, files []InlineFile) (string, error) {
	if parser.MustParseHeredoc(line) == nil {
		var b strings.Builder
		b.WriteString(line)
		for _, f := range files {
			b.WriteString("\n" + f.Data + f.Name)
		}
		return b.String(), nil
	}
	script := files[0].Data
	if files[0].Chomp {
		script = parser.ChompHeredocContent(script)
	}
	if strings.HasPrefix(script, "#!") && !strings.HasPrefix(script, "#!/bin/sh\n") {
		first, _, _ := strings.Cut(script, "\n")
		return "", fmt.Errorf("a here-document with an interpreter of its own (%s) is not supported by this builder: pass it to the interpreter, as in RUN python3 <<EOF", first)
	}
	return script, nil
}
