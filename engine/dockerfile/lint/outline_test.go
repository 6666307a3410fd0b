package lint

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/dockerfile"
)

const described = `# V which base to take
ARG V=1
ARG unused=2
ARG TAG=$V-x
# build makes the program
FROM base:$TAG AS build
# who asked for it
ARG who=me
ARG V
RUN --mount=type=secret,id=tok,required --mount=type=cache,target=/c --mount=type=ssh true
FROM base AS other
ARG only=here
RUN --mount=type=secret,id=hidden true
# final is what runs
FROM base AS final
ARG who=you
ARG TARGETARCH
COPY --from=build / /
RUN --mount=type=secret,id=tok --mount=type=ssh,id=git true
`

func TestOutline(t *testing.T) {
	o := options()
	o.Args = map[string]string{"who": "them"}
	got, err := OutlineOf("Dockerfile", []byte(described), o)
	if err != nil {
		t.Fatal(err)
	}
	want := Outline{Name: "final", Description: "is what runs",
		Args:    []OutlineArg{{"V", "1", "which base to take", 2, 2}, {"TAG", "1-x", "", 4, 4}, {"who", "them", "", 16, 16}},
		Secrets: []OutlineMount{{"tok", false, 19, 19}}, SSH: []OutlineMount{{"default", false, 10, 10}, {"git", false, 19, 19}}, Cache: []OutlineMount{{"/c", false, 10, 10}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	o.Target = "other"
	if got, err = OutlineOf("Dockerfile", []byte(described), o); err != nil || len(got.Args) != 1 || got.Args[0].Value != "here" || len(got.Secrets) != 1 || got.Secrets[0].Name != "hidden" {
		t.Errorf("outline of other: %+v, %v", got, err)
	}
	for _, text := range []string{"FOO", "FROM a\nCOPY --from=3 / /", "FROM a\nENV x=${y:?z}"} {
		if _, err := OutlineOf("Dockerfile", []byte(text), options()); !errors.As(err, new(*dockerfile.SyntaxError)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTargets(t *testing.T) {
	got, err := Targets("Dockerfile", []byte(described+"# check=skip=all\nFROM --platform=$BUILDPLATFORM final\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Target{{"build", "makes the program", "base:$TAG", "", false, 6, 6}, {"other", "", "base", "", false, 11, 11}, {"final", "is what runs", "base", "", false, 15, 15},
		{"", "", "final", "$BUILDPLATFORM", true, 21, 21}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if _, err := Targets("Dockerfile", []byte("FOO")); !errors.As(err, new(*dockerfile.SyntaxError)) {
		t.Errorf("error %v", err)
	}
}

// TestJSON: the names of the fields are docker's.
func TestJSON(t *testing.T) {
	text := []byte("FROM base\nCMD a\nRUN cd \\\n b\n")
	doc, err := Check("Dockerfile", text, options()).JSON("Dockerfile", text)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Warnings []struct {
			RuleName, Description, URL, Detail string
			Location                           struct {
				Ranges []struct{ Start, End struct{ Line int } }
			}
		}
		Sources []struct {
			Filename, Language string
			Data               []byte
		}
		Advice     []struct{ RuleName, Help string }
		BuildError *struct{ Message string }
	}
	if err := json.Unmarshal(doc, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Warnings) != 1 || len(got.Sources) != 1 || len(got.Advice) != 1 || got.BuildError != nil {
		t.Fatalf("%s", doc)
	}
	w := got.Warnings[0]
	if w.RuleName != "JSONArgsRecommended" || w.URL != "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/" || w.Description == "" || w.Detail == "" || w.Location.Ranges[0].Start.Line != 2 {
		t.Errorf("%+v", w)
	}
	if s := got.Sources[0]; s.Filename != "Dockerfile" || s.Language != "Dockerfile" || string(s.Data) != string(text) {
		t.Errorf("%+v", s)
	}
	doc, err = Check("Dockerfile", []byte("FROM base\nFOO"), options()).JSON("Dockerfile", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc, &got); err != nil || got.BuildError == nil || got.BuildError.Message != "unknown instruction: FOO" {
		t.Errorf("%v: %s", err, doc)
	}
	o, err := OutlineOf("Dockerfile", []byte(described), options())
	if err != nil {
		t.Fatal(err)
	}
	doc, err = o.JSON(text)
	var outline struct {
		Name string
		Args []struct{ Name, Value, Description string }
		SSH  []struct{ Name string }
	}
	if err = errors.Join(err, json.Unmarshal(doc, &outline)); err != nil || outline.Name != "final" || len(outline.Args) != 3 || len(outline.SSH) != 2 {
		t.Errorf("%v: %s", err, doc)
	}
	targets, err := Targets("Dockerfile", []byte(described))
	if err != nil {
		t.Fatal(err)
	}
	doc, err = TargetsJSON(targets, text)
	var list struct {
		Targets []struct {
			Name    string
			Default bool
		}
	}
	if err = errors.Join(err, json.Unmarshal(doc, &list)); err != nil || len(list.Targets) != 3 || !list.Targets[2].Default {
		t.Errorf("%v: %s", err, doc)
	}
}
