package userland_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// Programs start threads and use the clock through their Env alone, so that a machine with a clock of its own knows of all that
// they wait for. Only the operating system's side and the default in threads.go may do otherwise.
func TestThreadsAndClockAreTheMachines(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "os") || name == "threads.go" {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if what := forbidden(n); what != "" {
				t.Errorf("%s: %s", files.Position(n.Pos()), what)
			}
			return true
		})
	}
}

func forbidden(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "a go statement"
	case *ast.SelectorExpr:
		pkg, ok := n.X.(*ast.Ident)
		if !ok {
			return ""
		}
		switch name := pkg.Name + "." + n.Sel.Name; name {
		case "time.Sleep", "time.After", "time.AfterFunc", "time.NewTimer", "time.NewTicker", "time.Tick", "time.Since", "time.Until",
			"os.Getenv", "os.Getuid", "os.Getpid", "os.Stdin", "os.Stdout", "os.Stderr", "os.Getwd":
			return name
		case "time.Now":
			return name
		}
	}
	return ""
}
