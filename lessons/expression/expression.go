// Package expression evaluates what lessons and exercises ask about an engine: expressions over its state before and after, and over the
// events of its trace.
//
// It is not a language of its own (expr-lang/expr is), and it asks no engine: all it knows is folded from events.
//
// Invariants: an expression has no effect; the same events and variables give the same value.
package expression

import (
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/world"
)

// Expr is the source of an expression and where it stands.
type Expr struct {
	Source string
	Line   int
}

// state is a World as expressions see it: its fields, and its questions under lower-case names.
type state struct {
	world.World
	Image      func(name string) world.Image        `expr:"image"`
	Container  func(name string) world.Container    `expr:"container"`
	Exists     func(name string) bool               `expr:"exists"` // an image or a container has that name
	Layer      func(diffID string) world.Layer      `expr:"layer"`
	Blob       func(digest string) world.Blob       `expr:"blob"`
	Change     func(name, path string) world.Change `expr:"change"` // of a container's writable layer
	Network    func(name string) world.Network      `expr:"network"`
	Volume     func(name string) world.Volume       `expr:"volume"`
	Cached     func(key string) bool                `expr:"cached"` // the result of a build step with that key is kept
	Sharers    func(diffID string) int              `expr:"sharers"`
	LayersSize func() int64                         `expr:"layers_size"`
}

func stateOf(w world.World) state {
	return state{
		World: w, Image: w.Image, Container: w.Container, Layer: w.Layer, Blob: w.Blob, Network: w.Network, Volume: w.Volume, Cached: w.Cached, Sharers: w.Sharers, LayersSize: w.LayersSize,
		Exists: func(name string) bool { return w.Image(name).Exists || w.Container(name).Exists },
		Change: func(name, path string) world.Change { return w.Container(name).Change(path) },
	}
}

// Roots is what expressions may name. The embedded state is the present one, so that image("x") is the same as
// now.image("x").
type Roots struct {
	state
	Before state            `expr:"before"`
	After  state            `expr:"after"`
	Now    state            `expr:"now"`
	Trace  []map[string]any `expr:"trace"`  // events of the step just run: attributes, seq, at_ms, kind, phase, error
	Lesson []map[string]any `expr:"lesson"` // events since the lesson began
	Vars   map[string]any   `expr:"vars"`
	KiB    int              `expr:"KiB"`
	MiB    int              `expr:"MiB"`
}

// NewRoots prepares the roots for a step: events are all since the start, those from index first on belong to the step.
func NewRoots(events []trace.Event, first int, vars map[string]any) Roots {
	all := make([]map[string]any, len(events))
	for i, e := range events {
		all[i] = eventFields(e)
	}
	after := stateOf(world.Fold(events))
	return Roots{
		state: after, Before: stateOf(world.Fold(events[:first])), After: after, Now: after,
		Trace: all[first:], Lesson: all, Vars: vars, KiB: 1 << 10, MiB: 1 << 20,
	}
}

// At returns the roots with another present state.
func (v Roots) At(w world.World) Roots {
	v.state = stateOf(w)
	v.Now = v.state
	return v
}

func eventFields(e trace.Event) map[string]any {
	m := make(map[string]any, len(e.Attrs)+7)
	for _, a := range e.Attrs {
		switch a.Value.Type() {
		case "string":
			m[a.Key] = a.Value.Str()
		case "int":
			m[a.Key] = int(a.Value.Int())
		case "bool":
			m[a.Key] = a.Value.Bool()
		case "list":
			m[a.Key] = a.Value.List()
		}
	}
	m["at_ms"] = int(e.At.Milliseconds())
	m["seq"], m["kind"], m["phase"], m["span"], m["parent"] = int(e.Seq), e.Kind, string(e.Phase), int(e.Span), int(e.Parent)
	m["error"] = e.Err
	return m
}

// Compile proves an expression without values. roots is a Roots or a struct that embeds one; its values don't matter.
func Compile(source string, roots any, options ...expr.Option) error {
	_, err := expr.Compile(source, append(options, expr.Env(roots))...)
	return err
}

// Evaluate returns the value of an expression over roots, a Roots or a struct that embeds one.
func Evaluate(source string, roots any) (any, error) {
	program, err := expr.Compile(source, expr.Env(roots))
	if err != nil {
		return nil, fmt.Errorf("compile %q: %s", source, FirstLine(err))
	}
	value, err := expr.Run(program, roots)
	if err != nil {
		return nil, fmt.Errorf("evaluate %q: %s", source, FirstLine(err))
	}
	return value, nil
}

// Holds evaluates a condition. A value that is neither true nor false is an error.
func Holds(source string, env any) (bool, error) {
	value, err := Evaluate(source, env)
	if err != nil {
		return false, err
	}
	is, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("evaluate %q: the value is %s; expected true or false", source, Show(value))
	}
	return is, nil
}

// Reasons says why a condition is false: for each of its parts joined by and that is false, both sides of the
// comparison, or the part itself.
func Reasons(source string, env any) []string {
	tree, err := parser.Parse(source)
	if err != nil {
		return nil
	}
	var out []string
	for _, part := range conjuncts(tree.Node) {
		if is, err := Holds(part.String(), env); err == nil && is {
			continue
		}
		out = append(out, reason(part, env))
	}
	return out
}

func conjuncts(n ast.Node) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && (b.Operator == "&&" || b.Operator == "and") {
		return append(conjuncts(b.Left), conjuncts(b.Right)...)
	}
	return []ast.Node{n}
}

func reason(part ast.Node, env any) string {
	text := part.String() + " is not true"
	b, ok := part.(*ast.BinaryNode)
	if !ok || b.Operator == "||" || b.Operator == "or" {
		return text
	}
	for _, side := range []ast.Node{b.Left, b.Right} {
		if isConstant(side) {
			continue
		}
		if value, err := Evaluate(side.String(), env); err == nil {
			text += "; " + side.String() + " is " + Show(value)
		}
	}
	return text
}

func isConstant(n ast.Node) bool {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode, *ast.BoolNode, *ast.NilNode, *ast.ConstantNode:
		return true
	}
	return false
}
