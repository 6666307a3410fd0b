package lessons

import (
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/world"
)

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

// environment is what expressions may name. The embedded state is the present one, so that image("x") is the same as
// now.image("x").
type environment struct {
	state
	Before state            `expr:"before"`
	After  state            `expr:"after"`
	Now    state            `expr:"now"`
	Trace  []map[string]any `expr:"trace"`  // events of the step just run: attributes, seq, kind, phase, error
	Lesson []map[string]any `expr:"lesson"` // events since the lesson began
	Vars   map[string]any   `expr:"vars"`
	KiB    int              `expr:"KiB"`
	MiB    int              `expr:"MiB"`
}

// environmentOf prepares the roots for a step: events are all of the lesson, those from first on belong to the step.
func environmentOf(events []trace.Event, first int, vars map[string]any) environment {
	all := make([]map[string]any, len(events))
	for i, e := range events {
		all[i] = eventFields(e)
	}
	after := stateOf(world.Fold(events))
	return environment{
		state: after, Before: stateOf(world.Fold(events[:first])), After: after, Now: after,
		Trace: all[first:], Lesson: all, Vars: vars, KiB: 1 << 10, MiB: 1 << 20,
	}
}

// at returns the environment with another present state.
func (v environment) at(w world.World) environment {
	v.state = stateOf(w)
	v.Now = v.state
	return v
}

func eventFields(e trace.Event) map[string]any {
	m := make(map[string]any, len(e.Attrs)+6)
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
	m["seq"], m["kind"], m["phase"], m["span"], m["parent"] = int(e.Seq), e.Kind, string(e.Phase), int(e.Span), int(e.Parent)
	m["error"] = e.Err
	return m
}

// compile proves an expression without values.
func compile(x Expr, options ...expr.Option) error {
	_, err := expr.Compile(x.Source, append(options, expr.Env(environment{}))...)
	return err
}

func evaluate(source string, env environment) (any, error) {
	program, err := expr.Compile(source, expr.Env(environment{}))
	if err != nil {
		return nil, fmt.Errorf("compile %q: %s", source, firstLine(err))
	}
	value, err := expr.Run(program, env)
	if err != nil {
		return nil, fmt.Errorf("evaluate %q: %s", source, firstLine(err))
	}
	return value, nil
}

func holds(source string, env environment) (bool, error) {
	value, err := evaluate(source, env)
	if err != nil {
		return false, err
	}
	is, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("evaluate %q: the value is %s; expected true or false", source, show(value))
	}
	return is, nil
}

// reasons says why a condition is false: for each of its parts joined by and that is false, both sides of the
// comparison, or the part itself.
func reasons(source string, env environment) []string {
	tree, err := parser.Parse(source)
	if err != nil {
		return nil
	}
	var out []string
	for _, part := range conjuncts(tree.Node) {
		if is, err := holds(part.String(), env); err == nil && is {
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

func reason(part ast.Node, env environment) string {
	text := part.String() + " is not true"
	b, ok := part.(*ast.BinaryNode)
	if !ok || b.Operator == "||" || b.Operator == "or" {
		return text
	}
	for _, side := range []ast.Node{b.Left, b.Right} {
		if isConstant(side) {
			continue
		}
		if value, err := evaluate(side.String(), env); err == nil {
			text += "; " + side.String() + " is " + show(value)
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
