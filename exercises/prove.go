package exercises

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"mvdan.cc/sh/v3/syntax"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/expression"
)

// Prove checks what can be checked without an engine: templates, scripts, expressions and the names of lessons and misconceptions, and that at
// least two misconceptions have a wrong attempt which a check can tell. The error is an *Error at the fault, where it lies in exercise.md.
func (x Exercise) Prove(all []lessons.Header, catalogue map[string]lessons.Misconception) error {
	t, err := x.Task(1)
	if err != nil {
		return err
	}
	if err := x.proveNames(all, catalogue); err != nil {
		return err
	}
	for _, a := range append([]Attempt{t.Setup, t.Solution}, t.Wrong...) {
		if err := parses(a.Do); err != nil {
			return fmt.Errorf("%s: %s/%s is no valid shell: %w", x.Path, a.Name, script, err)
		}
	}
	for _, c := range t.Checks {
		if err := x.proveCheck(c, t.Values); err != nil {
			return err
		}
	}
	return nil
}

func (x Exercise) proveNames(all []lessons.Header, catalogue map[string]lessons.Misconception) error {
	if _, err := lessons.Find(all, x.After); err != nil {
		return x.fault(1, "after: %s names no lesson: %v", x.After, err)
	}
	told := map[string]bool{}
	for _, c := range x.Checks {
		for _, d := range c.Diagnose {
			if _, ok := catalogue[d.Tag]; !ok {
				return x.fault(d.When.Line, "tag %s is not in the catalogue of misconceptions", d.Tag)
			}
			told[d.Tag] = true
		}
	}
	if len(x.Wrong) < 2 {
		return x.fault(1, "the exercise has %d folders in wrong; expected at least two misconceptions", len(x.Wrong))
	}
	for _, w := range x.Wrong {
		if !told[w.Name] {
			return x.fault(1, "wrong/%s has no diagnosis; expected a check with tag: %s", w.Name, w.Name)
		}
	}
	return nil
}

func (x Exercise) fault(line int, format string, args ...any) error {
	return &Error{File: x.Path, Line: line, Text: fmt.Sprintf(format, args...)}
}

func (x Exercise) proveCheck(c Check, vars map[string]any) error {
	if err := parses(c.Run); err != nil {
		return x.fault(c.Line, "run: of check %s is no valid shell: %v", c.ID, err)
	}
	for _, e := range []expression.Expr{c.Now, c.Ever, forEach(c.Only)} {
		if err := x.proveExpr(e, vars, expr.AsBool()); err != nil {
			return err
		}
	}
	for _, p := range c.Proof {
		if err := x.proveExpr(p.Expr, vars); err != nil {
			return err
		}
	}
	for _, e := range []expression.Expr{c.Event, c.File} {
		if err := x.proveExpr(e, vars); err != nil {
			return err
		}
	}
	for _, d := range c.Diagnose {
		if err := x.proveDiagnosis(d, vars); err != nil {
			return err
		}
	}
	return nil
}

func (x Exercise) proveDiagnosis(d Diagnosis, vars map[string]any) error {
	if err := x.proveExpr(d.When, vars, expr.AsBool()); err != nil {
		return err
	}
	list := []expression.Expr{d.Event, d.File}
	for _, source := range computed(d.Says) {
		list = append(list, expression.Expr{Source: source, Line: d.When.Line})
	}
	for _, e := range list {
		if err := x.proveExpr(e, vars); err != nil {
			return err
		}
	}
	return nil
}

func (x Exercise) proveExpr(e expression.Expr, vars map[string]any, kind ...expr.Option) error {
	if e.Source == "" {
		return nil
	}
	if err := expression.Compile(e.Source, Roots{}, kind...); err != nil {
		return x.fault(e.Line, "expression %q: %s", e.Source, expression.FirstLine(err))
	}
	for _, name := range expression.VarsIn(e.Source) {
		if _, ok := vars[name]; !ok {
			return x.fault(e.Line, "expression %q names vars.%s; expected a variable of the front matter", e.Source, name)
		}
	}
	return nil
}

func parses(script string) error {
	_, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "")
	return err
}
