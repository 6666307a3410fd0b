package docker

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/build"
)

func check(t *testing.T, text string, call buildCall) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := &App{Out: &out}
	in := build.LintInput{Name: "Dockerfile", Text: []byte(text)}
	var err error
	switch call.name {
	case "targets":
		err = app.printTargets(in, call)
	case "outline":
		err = app.printOutline(in, call)
	default:
		err = app.printCheck(in, call)
	}
	return out.String(), err
}

func TestCheckReport(t *testing.T) {
	const two = `Check complete, 2 warnings have been found!

WARNING: StageNameCasing - https://docs.docker.com/go/dockerfile/rule/stage-name-casing/
Stage name 'B' should be lowercase
Dockerfile:1
--------------------
   1 | >>> FROM scratch AS B
   2 |     
   3 |     ENV a \
--------------------
To mend it: write the stage's name in small letters.

WARNING: LegacyKeyValueFormat - https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/
"ENV key=value" should be used instead of legacy "ENV key value" format
Dockerfile:3
--------------------
   2 |     
   3 | >>> ENV a \
   4 | >>>   b
   5 |     WORKDIR /x
--------------------
To mend it: put = between name and value, and quotes around a value with blanks.

Advice on layers and the cache: 1

ADVICE: LearnLostShellState - Each RUN is a new shell: its folder and variables end with it
cd at the end of a RUN has no effect on what follows
Dockerfile:6
--------------------
   4 |       b
   5 |     WORKDIR /x
   6 | >>> RUN cd y
   7 |     
--------------------
To mend it: use WORKDIR for a folder and ENV for a variable.
`
	got, err := check(t, "FROM scratch AS B\n\nENV a \\\n  b\nWORKDIR /x\nRUN cd y\n", buildCall{name: "check"})
	if d := cmp.Diff(two, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	exit := (*exitError)(nil)
	if !errors.As(err, &exit) || exit.code != 1 || exit.err != nil {
		t.Errorf("exit %+v", err)
	}
	if got, err = check(t, "FROM scratch\n", buildCall{name: "check"}); err != nil || got != "Check complete, no warnings found.\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err = check(t, "FROM scratch\nRUN cd y\n", buildCall{name: "check"}); err != nil || !strings.Contains(got, "no warnings found.\n\nAdvice on layers and the cache: 1\n") {
		t.Errorf("advice alone: %q, %v", got, err)
	}
	got, err = check(t, "FROM scratch as b\nFOO\n", buildCall{name: "check"})
	if !errors.As(err, &exit) || exit.code != 1 || !strings.HasPrefix(err.Error(), "Dockerfile:2:1: unknown instruction: FOO") || !strings.HasPrefix(got, "Check complete, 1 warning has been found!\n\nWARNING: FromAsCasing") {
		t.Errorf("%q, %v", got, err)
	}
	got, err = check(t, "FROM scratch\nCMD x\n", buildCall{name: "check", json: true})
	if !errors.As(err, &exit) || !strings.Contains(got, `"ruleName": "JSONArgsRecommended"`) || strings.Contains(got, "Check complete") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTargetsAndOutline(t *testing.T) {
	const df = "# a the first\nFROM scratch AS a\n# x what for\nARG x=1\nRUN --mount=type=secret,id=s,required --mount=type=ssh true\nFROM a\n"
	got, err := check(t, df, buildCall{name: "targets"})
	if err != nil || got != "TARGET    DESCRIPTION\na         the first\n(default) \n" {
		t.Errorf("%q, %v", got, err)
	}
	got, err = check(t, df, buildCall{name: "outline"})
	if want := "BUILD ARG   VALUE   DESCRIPTION\nx           1       what for\n\nSECRET   REQUIRED\ns        true\n\nSSH       REQUIRED\ndefault   \n\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for _, name := range []string{"targets", "outline"} {
		if got, err = check(t, df, buildCall{name: name, json: true}); err != nil || !strings.HasPrefix(got, "{\n") || !strings.HasSuffix(got, "}\n") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err = check(t, "FOO", buildCall{name: name}); err == nil {
			t.Errorf("%s of a Dockerfile that is none", name)
		}
	}
}

func TestParseCall(t *testing.T) {
	for _, tt := range []struct {
		word  string
		check bool
		want  buildCall
		ok    bool
		err   string
	}{
		{"", false, buildCall{}, false, ""}, {"build", false, buildCall{name: "build"}, false, ""},
		{"", true, buildCall{name: "check"}, true, ""}, {"check", true, buildCall{name: "check"}, true, ""}, {"lint", false, buildCall{name: "check"}, true, ""},
		{"outline,format=json", false, buildCall{"outline", true}, true, ""}, {"targets,format=text", false, buildCall{name: "targets"}, true, ""},
		{"outline", true, buildCall{}, false, "exclude each other"}, {"fly", false, buildCall{}, false, "expected build, check, outline or targets"},
		{"check,format=xml", false, buildCall{}, false, "invalid --call"}, {"check,json", false, buildCall{}, false, "invalid --call"},
	} {
		got, ok, err := parseCall(tt.word, tt.check)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: %v, want %q", tt.word, err, tt.err)
		}
		if err == nil && (got != tt.want || ok != tt.ok) {
			t.Errorf("%q: %v %v, want %v %v", tt.word, got, ok, tt.want, tt.ok)
		}
	}
}
