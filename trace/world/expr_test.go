package world

import (
	"testing"

	"github.com/expr-lang/expr"

	"github.com/learn-containers/learn/trace/vocab"
)

// Lessons ask their questions of a World in expressions; these are the forms that lessons use.
func TestWorldInExpressions(t *testing.T) {
	w := Fold(story(t, func(s *teller) {
		s.image("aaa1", 500, "L1")
		s.tag("docker.io/library/fat:latest", "aaa1", "")
		s.whiteout("step1", "/tmp/pkg")
		s.commit("step1", "L2", "chain2", 20, nil)
		s.image("bbb2", 520, "L1", "L2")
		s.tag("docker.io/library/slim:latest", "bbb2", "")
		s.container("c1", "tim", "bbb2")
		s.copyUp("c1", "/greeting", 4096, 6)
		s.state("c1", "created", "exited", 3)
		s.fact(vocab.ContainerRemove, str("container", "c9"))
	}))
	env := map[string]any{"after": w, "image": w.Image, "container": w.Container}
	for _, code := range []string{
		`image("slim").size >= image("fat").size`,
		`last(image("fat").layers).diff_id in map(image("slim").layers, .diff_id)`,
		`any(image("slim").layers, any(.whiteouts, # == "/tmp/pkg"))`,
		`image("slim").exists and not image("none").exists`,
		`after.Image("slim").size == 520 and len(after.images) == 2`,
		`container("tim").exit_code == 3 and container("tim").state == "exited"`,
		`one(container("tim").changes, .path == "/greeting" and .kind == "C" and .changed_bytes == 6)`,
		`container("tim").Change("/greeting").layer == "L1"`,
		`after.Sharers("L1") == 2 and after.refs["docker.io/library/fat:latest"] == "sha256:aaa1"`,
	} {
		program, err := expr.Compile(code, expr.Env(env), expr.AsBool())
		if err != nil {
			t.Errorf("%s: %v", code, err)
			continue
		}
		if got, err := expr.Run(program, env); err != nil || got != true {
			t.Errorf("%s: %v, %v", code, got, err)
		}
	}
}
