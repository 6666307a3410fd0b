package lessons

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/learn-containers/learn/lessons/expression"
	"mvdan.cc/sh/v3/syntax"
)

// Prove checks what can be checked without an engine: every template names a variable, every command is valid shell
// and every expression compiles. The error is an *Error at the fault. Authors and tests call it; Play finds the same
// faults when it comes to them.
func (l Lesson) Prove() error {
	filled, vars, err := l.play(1)
	if err != nil {
		return err
	}
	for _, s := range filled.Steps {
		if _, err := parseCommand(s.Command); err != nil {
			return &Error{File: l.File, Line: s.Line, Text: fmt.Sprintf("the command is no valid shell: %v", err)}
		}
		for _, b := range append(append([]Block(nil), s.Before...), s.After...) {
			if err := l.proveBlock(b, vars); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l Lesson) proveBlock(b Block, vars map[string]any) error {
	var exprs []Expr
	var kind []expr.Option
	switch {
	case b.Predict != nil:
		if err := l.proveExpr(b.Predict.Key, vars, expr.AsInt()); err != nil {
			return err
		}
		for _, p := range b.Predict.Proof {
			exprs = append(exprs, p.Expr)
		}
	case b.Evidence != nil:
		exprs = append(exprs, b.Evidence.Key)
	case b.Check != nil:
		exprs, kind = b.Check.exprs(), []expr.Option{expr.AsBool()}
	}
	for _, x := range exprs {
		if err := l.proveExpr(x, vars, kind...); err != nil {
			return err
		}
	}
	return nil
}

func (c *Check) exprs() []Expr {
	var out []Expr
	for _, x := range []Expr{c.Now, c.Ever, forEach(c.Only)} {
		if x.Source != "" {
			out = append(out, x)
		}
	}
	return out
}

// forEach turns the condition on one event into one on the step's events.
func forEach(only Expr) Expr {
	if only.Source != "" {
		only.Source = "all(trace, " + only.Source + ")"
	}
	return only
}

func (l Lesson) proveExpr(x Expr, vars map[string]any, kind ...expr.Option) error {
	if err := expression.Compile(x.Source, expression.Roots{}, kind...); err != nil {
		return &Error{File: l.File, Line: x.Line, Text: fmt.Sprintf("expression %q: %s", x.Source, expression.FirstLine(err))}
	}
	for _, name := range expression.VarsIn(x.Source) {
		if _, ok := vars[name]; !ok {
			return &Error{File: l.File, Line: x.Line, Text: fmt.Sprintf("expression %q names vars.%s; expected a variable of the front matter", x.Source, name)}
		}
	}
	return nil
}

func parseCommand(command string) (*syntax.File, error) {
	return syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(command), "")
}
