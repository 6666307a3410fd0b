package build

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
)

// misses are the reasons of a build, as kind and text.
func misses(r BuildRecord) (list []Reason) {
	for _, s := range r.Steps {
		if s.Reason != nil {
			list = append(list, *s.Reason)
		}
	}
	return list
}

func value(s string) *string { return &s }

// TestEveryReason builds one Dockerfile, changes something, and builds again: each kind of reason comes with what differs.
func TestEveryReason(t *testing.T) {
	tests := []struct {
		name          string
		before, after string // after: before if empty
		change        func(l *lab)
		first, second Options
		want          []Reason // kind, part of the text, and where given name, old, new, cause
	}{
		{name: "never", before: "FROM base\nRUN echo 1\n", after: "FROM base\nRUN echo 1\nCOPY a /a\n", want: []Reason{{Kind: ReasonNever, Text: "never ran before"}}},
		{name: "forced", before: "FROM base\nRUN echo 1\n", second: Options{NoCache: true}, want: []Reason{{Kind: ReasonForced, Text: "--no-cache was given"}}},
		{name: "forced by stage", before: "FROM base AS x\nRUN echo 1\n", second: Options{NoCacheOf: []string{"x"}}, want: []Reason{{Kind: ReasonForced, Text: "--no-cache-filter"}}},
		{name: "gone", before: "FROM base\nRUN echo 1\n", change: func(l *lab) { l.prune(PruneOptions{All: true}) }, want: []Reason{{Kind: ReasonGone, Text: "ran before, but its result is not kept"}}},
		{name: "word", before: "FROM base\nRUN echo 1 2 3\n", after: "FROM base\nRUN echo 1 4 3\n", want: []Reason{{Kind: ReasonInstruction, Text: `was "2" and is "4"`, Old: "2", New: "4"}}},
		{name: "word more", before: "FROM base\nRUN echo 1\n", after: "FROM base\nRUN echo 1 4\n", want: []Reason{{Kind: ReasonInstruction, Text: `"4", is new`, New: "4"}}},
		{name: "word less", before: "FROM base\nRUN echo 1 4\n", after: "FROM base\nRUN echo 1\n", want: []Reason{{Kind: ReasonInstruction, Text: `"4", is gone`, Old: "4"}}},
		{name: "space", before: "FROM base\nRUN echo  1\n", after: "FROM base\nRUN echo 1\n", want: []Reason{{Kind: ReasonInstruction, Text: "the space between its words"}}},
		{name: "flag", before: "FROM base\nCOPY a /x\n", after: "FROM base\nCOPY --chmod=600 a /x\n", want: []Reason{{Kind: ReasonInstruction, Text: `"--chmod=600"`}}},
		{name: "argument", before: "FROM base\nARG v=1\nRUN echo 1\n", second: Options{Args: map[string]*string{"v": value("2")}},
			want: []Reason{{Kind: ReasonArg, Text: `build argument v changed from "1" to "2"`, Name: "v", Old: "1", New: "2"}}},
		{name: "argument in COPY", before: "FROM base\nARG f=a\nCOPY $f /x\n", second: Options{Args: map[string]*string{"f": value("b")}},
			want: []Reason{{Kind: ReasonArg, Text: `variable f changed from "a" to "b", and the instruction names it`, Name: "f"}}},
		{name: "argument in WORKDIR", before: "FROM base\nARG d=one\nWORKDIR /${d}\n", second: Options{Args: map[string]*string{"d": value("two")}},
			want: []Reason{{Kind: ReasonArg, Text: `variable d changed from "one" to "two"`, Name: "d"}}},
		{name: "argument in FROM", before: "ARG b=base\nFROM $b\nRUN echo 1\n", change: func(l *lab) { l.base("other", map[string]string{"other": "1"}, oci.ImageConfig{}) },
			second: Options{Args: map[string]*string{"b": value("other")}}, want: []Reason{{Kind: ReasonBase, Text: "the base changed: FROM meant base ("}}},
		{name: "base moved with its environment", before: "FROM base AS b\nFROM b\nENV E=1\nRUN echo 1\n", change: func(l *lab) {
			l.base("base", map[string]string{"moved": "1"}, oci.ImageConfig{Env: []string{"PATH=/bin", "LANG=D"}})
		}, want: []Reason{{Kind: ReasonBase, Text: "the base image changed: base moved from "}}},
		{name: "environment", before: "FROM base\nENV E=1\nRUN echo 1\n", after: "FROM base\nENV E=2\nRUN echo 1\n",
			want: []Reason{{Kind: ReasonEnv, Text: `environment variable E changed from "1" to "2"`, Name: "E", Old: "1", New: "2"}}},
		{name: "environment new", before: "FROM base\nRUN echo 1\n", after: "FROM base\nENV N=2\nRUN echo 1\n", want: []Reason{{Kind: ReasonEnv, Text: "environment variable N is new", Name: "N"}}},
		{name: "user", before: "FROM base\nRUN echo 1\n", after: "FROM base\nUSER app\nRUN echo 1\n", want: []Reason{{Kind: ReasonSetting, Text: `the user changed from "" to "app"`, Name: "user"}}},
		{name: "network", before: "FROM base\nRUN echo 1\n", second: Options{Network: "none"}, want: []Reason{{Kind: ReasonSetting, Text: "the network changed"}}},
		{name: "mount", before: "FROM base\nRUN --mount=type=tmpfs,target=/t echo 1\n", after: "FROM base\nRUN --mount=type=tmpfs,target=/u echo 1\n",
			want: []Reason{{Kind: ReasonMount, Text: "the mount at /u is new"}}},
		{name: "mounted file", before: "FROM base\nRUN --mount=type=bind,source=a,target=/m echo 1\n", change: func(l *lab) { l.write("a", "other") }, want: []Reason{{Kind: ReasonFiles, Text: "a changed from "}}},
		{name: "file", before: "FROM base\nCOPY . /x\n", change: func(l *lab) { l.write("a", "longer") }, want: []Reason{{Kind: ReasonFiles, Text: "from 1 to 6 bytes"}}},
		{name: "files", before: "FROM base\nCOPY . /x\n", change: func(l *lab) {
			for _, n := range []string{"n1", "n2", "n3", "n4", "n5"} {
				l.write(n, "")
			}
		}, want: []Reason{{Kind: ReasonFiles, Text: "n1 is new; n2 is new; n3 is new; and 2 more"}}},
		{name: "type", before: "FROM base\nCOPY . /x\n", change: func(l *lab) {
			must(l.t, os.Remove(filepath.Join(l.dir, "b")))
			must(l.t, os.Symlink("a", filepath.Join(l.dir, "b")))
		}, want: []Reason{{Kind: ReasonFiles, Text: "b was a file and is a symlink"}}},
		{name: "parent", before: "FROM base\nCOPY a /x\nRUN echo 1\n", change: func(l *lab) { l.write("a", "2") },
			want: []Reason{{Kind: ReasonFiles, Text: "a changed"}, {Kind: ReasonParent, Text: "COPY a /x was carried out anew", Cause: "COPY a /x"}}},
		{name: "parent in a stage below", before: "FROM base AS deps\nCOPY a /x\nFROM deps\nRUN echo 1\n", change: func(l *lab) { l.write("a", "2") },
			want: []Reason{{Kind: ReasonFiles, Text: "a changed"}, {Kind: ReasonParent, Text: "COPY a /x (stage deps, line 2) was carried out anew", Cause: "COPY a /x"}}},
		{name: "copied from a stage", before: "FROM base AS deps\nCOPY a /x\nFROM base\nCOPY --from=deps /x /y\n", change: func(l *lab) { l.write("a", "2") },
			want: []Reason{{Kind: ReasonFiles, Text: "a changed"}, {Kind: ReasonFiles, Text: "x changed from", Cause: "COPY a /x"}}},
		{name: "base moved", before: "FROM base\nCOPY a /x\nRUN echo 1\n", change: func(l *lab) {
			l.base("base", map[string]string{"moved": "1"}, oci.ImageConfig{Env: []string{"PATH=/bin", "LANG=C"}})
		}, want: []Reason{{Kind: ReasonBase, Text: "the base image changed: base moved from ", Name: "base"}, {Kind: ReasonBase, Text: "base moved from"}}},
		{name: "base of a stage below moved", before: "FROM base AS deps\nFROM deps\nCOPY a /x\n", change: func(l *lab) {
			l.base("base", map[string]string{"moved": "1"}, oci.ImageConfig{Env: []string{"PATH=/bin", "LANG=C"}})
		}, want: []Reason{{Kind: ReasonBase, Text: "the base image changed: base moved from "}}},
		{name: "another base", before: "FROM base\nCOPY a /x\n", after: "FROM scratch\nCOPY a /x\n", want: []Reason{{Kind: ReasonBase, Text: "FROM meant base ("}}},
		{name: "inserted", before: "FROM base\nRUN write /1 1\nRUN write /2 2\n", after: "FROM base\nRUN write /1 1\nRUN write /new new\nRUN write /2 2\n",
			want: []Reason{{Kind: ReasonNever}, {Kind: ReasonParent, Text: "RUN write /new new was carried out anew"}}},
		{name: "inserted before the first", before: "FROM base\nRUN write /1 1\n", after: "FROM base\nRUN write /0 0\nRUN write /1 1\n",
			want: []Reason{{Kind: ReasonNever}, {Kind: ReasonParent, Text: "RUN write /0 0 was carried out anew"}}},
		{name: "taken out", before: "FROM base\nRUN write /1 1\nRUN write /2 2\nRUN write /3 3\n", after: "FROM base\nRUN write /2 2\nRUN write /3 3\n",
			want: []Reason{{Kind: ReasonParent, Text: "RUN write /1 1 is not there any more"}, {Kind: ReasonParent, Text: "RUN write /1 1 is not there any more"}}},
		{name: "moved", before: "FROM base\nRUN write /1 1\nRUN write /2 2\n", after: "FROM base\nRUN write /2 2\nRUN write /1 1\n",
			want: []Reason{{Kind: ReasonParent, Text: "the tree below it changed"}, {Kind: ReasonParent, Text: "the tree below it changed"}}},
		{name: "two equal instructions", before: "FROM base\nRUN echo 1\nCOPY a /x\nRUN echo 1\n", change: func(l *lab) { l.write("a", "2") },
			want: []Reason{{Kind: ReasonFiles}, {Kind: ReasonParent, Text: "COPY a /x was carried out anew"}}},
		{name: "stage put in front", before: "FROM base AS one\nRUN write /1 1\n", after: "FROM base AS zero\nRUN write /0 0\nFROM base AS one\nRUN write /1 2\nCOPY --from=zero /0 /0\n",
			want: []Reason{{Kind: ReasonNever}, {Kind: ReasonInstruction, Text: `was "1" and is "2"`}, {Kind: ReasonNever}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.write("a", "1")
			l.write("b", "2")
			l.write(".dockerignore", "Dockerfile\n")
			tt.first.Parallel, tt.second.Parallel = 1, 1
			l.build(tt.before, tt.first)
			if tt.change != nil {
				tt.change(l)
			}
			if tt.after == "" {
				tt.after = tt.before
			}
			checkReasons(t, misses(l.build(tt.after, tt.second).Build), tt.want)
		})
	}
}

func checkReasons(t *testing.T, got, want []Reason) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d misses, want %d: %+v", len(got), len(want), got)
	}
	part := func(got, want string) bool { return want == "" || got == want }
	for i, g := range got {
		w := want[i]
		if g.Kind != w.Kind || !strings.Contains(g.Text, w.Text) || !part(g.Name, w.Name) || !part(g.Old, w.Old) || !part(g.New, w.New) || !part(g.Cause, w.Cause) {
			t.Errorf("miss %d: %+v\nwant %+v", i+1, g, w)
		}
	}
}

func TestFailedStepIsNoResult(t *testing.T) {
	l := newLab(t)
	if _, err := l.try("FROM base\nRUN exit 3\n", Options{}); err == nil {
		t.Fatal("no error")
	}
	res, err := l.try("FROM base\nRUN exit 3\n", Options{})
	if err == nil {
		t.Fatal("no error")
	}
	checkReasons(t, misses(res.Build), []Reason{{Kind: ReasonFailed, Text: "ran before and failed"}})
	checkReasons(t, misses(l.build("FROM base\nRUN exit 0\n", Options{}).Build), []Reason{{Kind: ReasonInstruction, Text: `was "3" and is "0"`}})
}

// TestAlternation goes to and fro between two branches: each step is compared with the run of its own branch.
func TestAlternation(t *testing.T) {
	l := newLab(t)
	const df = "FROM base\nCOPY src /src\nRUN echo 1\n"
	branch := func(name, main string) Result {
		for _, f := range []string{"a", "b", "c"} {
			l.write("src/"+f, name+f)
		}
		l.write("src/main", main)
		return l.build(df, Options{})
	}
	branch("one", "1")
	branch("two", "2")
	if res := branch("one", "1"); res.Misses != 0 {
		t.Errorf("back on the first branch: %d misses", res.Misses)
	}
	res := branch("two", "changed")
	if r := misses(res.Build)[0]; len(r.Files) != 1 || r.Files[0].Path != "src/main" {
		t.Errorf("compared with the other branch: %+v", r)
	}
	if r := misses(res.Build)[1]; r.At == nil || r.At.Text != "COPY src /src" {
		t.Errorf("the step above: %+v", r)
	}
}

// TestOtherDockerfilesCount finds a step that only another build of the home has.
func TestOtherDockerfilesCount(t *testing.T) {
	l := newLab(t)
	l.write("a", "1")
	l.build("FROM base\nRUN write /f 1\nRUN echo 2\n", Options{})
	l.dir = t.TempDir()
	res := l.build("FROM base\nENV E=1\nRUN echo 2\n", Options{})
	if s := res.Build.Steps[0]; s.Nearest == nil || s.Reason.Kind != ReasonEnv {
		t.Errorf("%+v", s.Reason)
	}
}

// TestRevertedStepBelow takes an old result, on which another step never ran: that is no new base.
func TestRevertedStepBelow(t *testing.T) {
	l := newLab(t)
	l.write("a", "1")
	l.build("FROM base\nCOPY a /a\nRUN echo 1\n", Options{})
	l.write("a", "2")
	l.build("FROM base\nCOPY a /a\nRUN echo 1\nRUN echo 2\n", Options{})
	l.write("a", "1")
	res := l.build("FROM base\nCOPY a /a\nRUN echo 1\nRUN echo 2\n", Options{})
	checkReasons(t, misses(res.Build), []Reason{{Kind: ReasonParent, Text: "the result of COPY a /a comes from another build", Cause: "COPY a /a"}})
}

func TestHitsSaySinceWhen(t *testing.T) {
	l := newLab(t)
	first := l.build("FROM base\nRUN write /a 1\n", Options{})
	second := l.build("FROM base\nRUN write /a 1\n", Options{})
	s := second.Build.Steps[0]
	if !s.Hit || s.From != first.Build.ID || s.Since.IsZero() || s.Bytes == 0 || second.Build.Saved.Bytes != s.Bytes {
		t.Errorf("%+v", s)
	}
}

// TestRecordExplainsAfterPrune asks for an old build when its results are gone.
func TestRecordExplainsAfterPrune(t *testing.T) {
	l := newLab(t)
	l.write("a", "1")
	const df = "FROM base AS one\nCOPY a /a\nRUN write /b 1\nFROM base\nCOPY --from=one /b /c\nRUN echo 1\n"
	l.build(df, Options{Parallel: 1})
	l.write("a", "2")
	made := l.build(df, Options{Parallel: 1}).Build
	l.prune(PruneOptions{All: true})
	found, err := l.builder.FindBuild(made.ID[:6], "")
	must(t, err)
	x, err := l.builder.Explain(found)
	must(t, err)
	if len(x.Chains) != 1 || x.Chains[0].First.Text != "COPY a /a" || len(x.Chains[0].Takes) != 1 {
		t.Errorf("chains: %+v", x.Chains)
	}
	parts := x.Build.Steps[0].Compare()
	differ := 0
	for _, p := range parts {
		if !p.Same {
			differ++
			if p.Name != "inputs" || p.Old == p.New || p.Old == "" {
				t.Errorf("part %+v", p)
			}
		}
	}
	if differ != 1 || len(parts) < 3 {
		t.Errorf("parts: %+v", parts)
	}
	if f := x.Build.Steps[0].Reason.Files; len(f) != 1 || f[0].Old.Size != 1 || f[0].Old.Content == f[0].New.Content {
		t.Errorf("files: %+v", f)
	}
}

func TestFindBuild(t *testing.T) {
	l := newLab(t)
	var none *NoBuildError
	if _, err := l.builder.FindBuild("last", ""); !errors.As(err, &none) || !strings.Contains(err.Error(), "nothing was built") {
		t.Errorf("error %v", err)
	}
	ref, err := oci.ParseRef("shop:v1")
	must(t, err)
	one := l.build("FROM base\nRUN write /a 1\n", Options{Tags: []oci.Ref{ref}})
	two := l.build("FROM base\nRUN write /a 2\n", Options{})
	for what, want := range map[string]string{"": two.Build.ID, "last": two.Build.ID, one.Build.ID: one.Build.ID, one.Build.ID[:8]: one.Build.ID, "shop:v1": one.Build.ID,
		"docker.io/library/shop:v1": one.Build.ID, one.Image.ID.String()[:19]: one.Build.ID} {
		if got, err := l.builder.FindBuild(what, ""); err != nil || got.ID != want {
			t.Errorf("%q is build %s (%v), want %s", what, got.ID, err, want)
		}
	}
	if got, err := l.builder.FindBuild("x", two.Image.ID); err != nil || got.ID != two.Build.ID {
		t.Errorf("by image: %s, %v", got.ID, err)
	}
	if _, err := l.builder.FindBuild("nothing", ""); !errors.As(err, &none) || !strings.Contains(err.Error(), one.Build.ID+" (docker.io/library/shop:v1)") {
		t.Errorf("error %v", err)
	}
	if _, err := two.Build.Find("COPY"); err == nil || !strings.Contains(err.Error(), "1 RUN write /a 2") {
		t.Errorf("error %v", err)
	}
	if got, err := two.Build.Find("run write"); err != nil || len(got) != 1 || got[0] != 0 {
		t.Errorf("step %v, %v", got, err)
	}
}
