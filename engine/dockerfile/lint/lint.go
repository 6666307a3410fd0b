package lint

import (
	"bytes"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/oci"
)

// Options say what is checked. Without a target every stage is.
type Options struct {
	Target                  string
	Args                    map[string]string // --build-arg
	Platform, BuildPlatform string            // as in dockerfile.PlanOptions

	// Ignored tells whether the ignore file leaves out a path of the context, and of ".", whether it leaves out all. Nil: there is none.
	Ignored func(path string) bool
	// Base gives the config of a base image; not ok: it is not here. Nil: none is.
	Base func(name string, p dockerfile.Platform) (img oci.Image, ok bool)
}

// Finding is one thing that a rule found.
type Finding struct {
	Rule        string
	Description string // what the rule says
	URL         string // docker's page about the rule; empty for a rule of our own
	Message     string // what is wrong here
	Help        string // how to mend it
	Line        int    // first line, from 1
	EndLine     int    // last line
	Advice      bool   // a rule of our own: no warning of docker's
}

// Report is what a check found.
type Report struct {
	Findings []Finding // by line; of one line, docker's first
	Err      error     // a *dockerfile.SyntaxError that ended the check, or nil
	Strict   bool      // "# check=error=true": a warning of docker's fails a build
}

// Warnings are the findings of docker's rules.
func (r Report) Warnings() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Advice })
}

// Advice are the findings of our own rules.
func (r Report) Advice() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return !f.Advice })
}

// Violation is the error of a build whose Dockerfile asks for one where there are warnings, or nil. It points at the first. name and text
// are those that were checked.
func (r Report) Violation(name string, text []byte) error {
	found := r.Warnings()
	if !r.Strict || len(found) == 0 {
		return nil
	}
	var rules []string
	for _, f := range found {
		rules = append(rules, f.Rule)
	}
	slices.Sort(rules)
	line := ""
	if lines := strings.Split(string(text), "\n"); found[0].Line <= len(lines) {
		line = strings.TrimSuffix(lines[found[0].Line-1], "\r")
	}
	return &dockerfile.SyntaxError{File: name, Line: found[0].Line, Col: 1 + len(line) - len(strings.TrimLeft(line, " \t")), Source: line,
		Msg: "lint violation found for rules: " + strings.Join(slices.Compact(rules), ", ") +
			": \"# check=error=true\" makes warnings errors, docker build --check shows them"}
}

// checker is one check on its way.
type checker struct {
	options  Options
	rules    *linter.Linter
	file     *dockerfile.File
	stages   []instructions.Stage
	findings []Finding
}

// Check checks the Dockerfile text; name appears in errors. A mistake in it ends the check, with what was found until then.
func Check(name string, text []byte, o Options) Report {
	c := &checker{options: o}
	c.rules = linter.New(&linter.Config{Warn: c.warn})
	f, err := dockerfile.Parse(name, text)
	if f != nil {
		c.rules = linter.New(c.config(f.Check))
		c.file = f
	}
	c.parse(text)
	if err == nil {
		err = c.check()
	}
	r := Report{Findings: c.findings, Err: err, Strict: f != nil && f.Check.Error}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		switch {
		case a.Line != b.Line:
			return a.Line - b.Line
		case a.Advice != b.Advice && b.Advice:
			return -1
		case a.Advice != b.Advice:
			return 1
		}
		return 0
	})
	r.Findings = slices.CompactFunc(r.Findings, func(a, b Finding) bool { return a == b }) // a base's trigger may run in several stages
	return r
}

func (c *checker) config(d dockerfile.Check) *linter.Config {
	return &linter.Config{Warn: c.warn, SkipAll: d.SkipAll, SkipRules: d.Skip, ExperimentalAll: d.AllRules, ExperimentalRules: d.Experimental}
}

// warn takes what a rule found.
func (c *checker) warn(rule, description, url, msg string, at []parser.Range) {
	f := Finding{Rule: rule, Description: description, URL: url, Message: msg, Help: help[rule], Advice: strings.HasPrefix(rule, prefix)}
	for i, r := range at {
		if i == 0 || r.Start.Line < f.Line {
			f.Line = r.Start.Line
		}
		f.EndLine = max(f.EndLine, r.Start.Line, r.End.Line)
	}
	c.findings = append(c.findings, f)
}

// parse has the reference parser look, whose rules see the text as it is written.
func (c *checker) parse(text []byte) {
	res, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return // Parse of package dockerfile says where
	}
	for _, w := range res.Warnings {
		if w.URL == linter.RuleNoEmptyContinuation.URL && w.Location != nil {
			c.rules.Run(&linter.RuleNoEmptyContinuation, []parser.Range{*w.Location}, linter.RuleNoEmptyContinuation.Format())
		}
	}
	if c.stages, _, err = instructions.Parse(res.AST, c.rules); err != nil {
		c.stages = nil
	}
}

// check looks at the file as a whole, then walks through its stages as a build would.
func (c *checker) check() error {
	c.stageNames()
	c.casing()
	if err := c.froms(); err != nil {
		return err
	}
	plan, err := c.file.Plan(dockerfile.PlanOptions{Target: c.options.Target, Args: c.options.Args, Platform: c.options.Platform,
		BuildPlatform: c.options.BuildPlatform, All: c.options.Target == ""})
	if err != nil {
		return err
	}
	w := &walk{checker: c, plan: plan, done: map[int]*state{}}
	for _, st := range plan.Stages {
		if err := w.stage(st); err != nil {
			return err
		}
	}
	return w.advise()
}
