package build

import (
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/dockerfile/lint"
)

// TestLintInput: the checks know the ignore file, the arguments and the base images that are here.
func TestLintInput(t *testing.T) {
	l := newLab(t)
	l.write("Dockerfile", "FROM base\nARG x\nCOPY a.log b.txt /\nENV A=$PATH B=$nope\n")
	l.write(".dockerignore", "*.log\n")
	in, err := l.builder.LintInput(t.Context(), Options{ContextDir: l.dir, Platform: "linux/amd64", Args: map[string]*string{"x": new("1")}})
	if err != nil {
		t.Fatal(err)
	}
	var rules []string
	for _, f := range lint.Check(in.Name, in.Text, in.Options).Warnings() {
		rules = append(rules, f.Rule+" "+f.Message)
	}
	want := `CopyIgnoredFile Attempting to Copy file "a.log" that is excluded by .dockerignore; UndefinedVar Usage of undefined variable '$nope'`
	if got := strings.Join(rules, "; "); got != want || in.Options.Args["x"] != "1" {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestChecksThatFailABuild: "# check=error=true" ends a build before its first step, but only for what docker's rules find.
func TestChecksThatFailABuild(t *testing.T) {
	l := newLab(t)
	_, err := l.try("# check=error=true\nFROM base\nWORKDIR x\nRUN mark\n", Options{Platform: "linux/amd64"})
	if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:3:1: lint violation found for rules: WorkdirRelativePath:") {
		t.Errorf("build: %v", err)
	}
	l.write("a", "a")
	l.build("# check=error=true\nFROM base\nWORKDIR /x\nADD a /a\n", Options{Platform: "linux/amd64"})
	l.build("# check=error=true;skip=WorkdirRelativePath\nFROM base\nWORKDIR x\n", Options{Platform: "linux/amd64"})
	l.build("FROM base\n# check=skip=UndefinedVar\nLABEL a=$nope\nWORKDIR x\n", Options{Platform: "linux/amd64"})
}
