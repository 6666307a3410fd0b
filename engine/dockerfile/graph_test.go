package dockerfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNeeds(t *testing.T) {
	f := parse(t, `FROM base AS deps
FROM scratch AS gen
COPY x /
FROM scratch AS seed
FROM deps AS build
COPY --from=tools:1 / /
RUN --mount=from=gen,target=/g --mount=type=cache,target=/c,from=seed true
FROM base AS docs
COPY --from=0 / /
FROM gen AS last
COPY --from=3 /a /a
COPY --from=DOCS /b /b
`)
	for target, want := range map[string]map[string][]int{
		"":      {"deps": {}, "gen": {}, "seed": {}, "build": {0, 1, 2}, "docs": {0}, "last": {1, 3, 4}},
		"docs":  {"deps": {}, "docs": {0}},
		"3":     {"deps": {}, "gen": {}, "seed": {}, "build": {0, 1, 2}},
		"gen":   {"gen": {}},
		"Build": {"deps": {}, "gen": {}, "seed": {}, "build": {0, 1, 2}},
	} {
		p, err := f.Plan(PlanOptions{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]int{}
		for _, st := range p.Stages {
			got[st.Name] = append([]int{}, st.Needs...)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("target %q (-want +got):\n%s", target, d)
		}
	}
	p, err := f.Plan(PlanOptions{Target: "gen", All: true})
	if err != nil || len(p.Stages) != 6 {
		t.Errorf("all stages: %d, %v, want 6", len(p.Stages), err)
	}
}

// TestNeedsOfTriggers: what an ONBUILD of a stage in the file copies is known at once, that of an image when it is there.
func TestNeedsOfTriggers(t *testing.T) {
	f := parse(t, "FROM a AS art\nFROM a AS base\nONBUILD COPY --from=art /x /x\nONBUILD RUN --mount=from=art,target=/y true\nFROM base\nRUN z\n")
	p, err := f.Plan(PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{0, 1}, p.Stages[len(p.Stages)-1].Needs); d != "" {
		t.Error(d)
	}
	f = parse(t, "FROM a AS art\nFROM a AS more\nCOPY --from=art / /\nFROM b\nFROM c AS late\n")
	if p, err = f.Plan(PlanOptions{Target: "2"}); err != nil || len(p.Stages) != 1 {
		t.Fatalf("%d stages, %v, want one", len(p.Stages), err)
	}
	triggers, err := f.Triggers(p.Stages[0].From, []string{"COPY --from=more /x /", "RUN x", "COPY --from=0 /x /"})
	if err != nil {
		t.Fatal(err)
	}
	needs, err := p.TriggerNeeds(p.Stages[0], triggers)
	if d := cmp.Diff([]int{0, 1}, needs); d != "" || err != nil {
		t.Error(err, d)
	}
	if d := cmp.Diff([]int{0}, p.Stage(1).Needs); d != "" {
		t.Errorf("a stage that was not planned: %s", d)
	}
	late, err := f.Triggers(p.Stages[0].From, []string{"COPY --from=late /x /"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.TriggerNeeds(p.Stages[0], late); err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:4:1: cannot copy from stage \"late\"") {
		t.Errorf("trigger that copies from a later stage: %v", err)
	}
}

func TestGraphErrors(t *testing.T) {
	for text, want := range map[string]string{
		"FROM a AS x\nCOPY --from=x / /":                                                         "2:6: circular dependency detected on stage: x\n   2 | COPY --from=x / /",
		"FROM a\nCOPY --from=0 / /":                                                              "2:6: circular dependency detected on stage: stage-0",
		"FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nCOPY --from=x / /":                         "2:6: circular dependency detected on stage: x: it needs y, which needs it",
		"FROM a AS x\nRUN --mount=from=y,target=/y true\nFROM x AS y":                            "2:13: circular dependency detected on stage: x: it needs y, which needs it",
		"FROM a AS x\nCOPY --from=y / /\nFROM b AS y":                                            "", // not needed
		"FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nFROM x":                                    `2:6: cannot copy from stage "y", it needs to be defined before current stage "x": move its FROM further up`,
		"FROM a AS x\nRUN --mount=target=/y,from=y true\nFROM b AS y\nFROM x":                    `2:23: cannot mount from stage "y", it needs to be defined before current stage "x"`,
		"FROM a\nCOPY --from=7 / /":                                                              "2:6: invalid stage index 7: the file has stages 0 to 0",
		"FROM a\nCOPY --from=-1 / /":                                                             "2:6: invalid stage index -1: the file has stages 0 to 0",
		"FROM 0":                                                                                 "", // an image of that name, as with docker
		"FROM a AS x\nONBUILD COPY --from=y / /\nFROM x\nFROM b AS y\nFROM 1":                    "",
		"FROM a AS x\nONBUILD COPY --from=y / /\nFROM x AS z\nFROM b AS y\nFROM z":               `3:1: cannot copy from stage "y", it needs to be defined before current stage "z"`,
		"FROM a AS x\nONBUILD FOO y\nFROM x":                                                     "3:1: ONBUILD FOO y of the base: unknown instruction: FOO\n   3 | FROM x",
		"FROM a AS x\nONBUILD COPY --form=y a b\nFROM x":                                         "3:1: ONBUILD COPY --form=y a b of the base: unknown flag: --form",
		"FROM a\nCOPY --from=$x / /":                                                             "2:6: variables are not expanded in COPY --from: give a stage a name with FROM $x AS name, and copy from that name",
		"FROM a AS d\nFROM b AS d\nFROM c\nCOPY --from=d / /\nRUN --mount=from=d,target=/d true": "",
	} {
		f, err := Parse("Dockerfile", []byte(text+"\n"))
		if err == nil {
			_, err = f.Plan(PlanOptions{})
		}
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), "Dockerfile:"+want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestTriggersRefuse(t *testing.T) {
	f := parse(t, "FROM a\n# c\n  FROM base\n")
	for onbuild, want := range map[string]string{
		"FROM x":                   "FROM isn't allowed as an ONBUILD trigger",
		"ONBUILD RUN x":            "ONBUILD isn't allowed as an ONBUILD trigger",
		"MAINTAINER x":             "MAINTAINER isn't allowed as an ONBUILD trigger",
		"RUN a\nRUN b":             "onbuild trigger should be a single expression",
		"":                         "file with no instructions",
		"COPY x":                   "COPY requires at least two arguments",
		"COPY --from=$x / /":       "variables are not expanded",
		"RUN --device=x true":      "RUN --device is not supported",
		"RUN --mount=target=/ x":   "invalid mount target",
		"RUN <<EOF\nx":             "unterminated heredoc",
		"ENV a":                    "ENV must have two arguments",
		"RUN --mount=wrong=1 true": "unexpected key 'wrong'",
	} {
		_, err := f.Triggers(f.stages[1].at, []string{"RUN fine", onbuild})
		if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:3:3: ONBUILD "+onbuild+" of the base: "+want) || !strings.HasSuffix(err.Error(), "\n   3 |   FROM base") {
			t.Errorf("%q: %v, want %q", onbuild, err, want)
		}
	}
}
