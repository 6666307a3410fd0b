package dockerfile

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/oci"
)

func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "Dockerfile:1:1: the file is empty: it needs at least a FROM instruction"},
		{"blank", " \n\n", "Dockerfile:1:1: the file is empty: it needs at least a FROM instruction"},
		{"comments only", "# hi\n", "Dockerfile:1:1: file with no instructions\n   1 | # hi"},
		{"binary", "FROM a\x00", "Dockerfile:1:1: the line holds a zero byte: it is not text\n   1 | FROM a\x00"},
		{"Latin-1", "FROM a\nRUN \xe4", "Dockerfile:2:1: the line is not UTF-8 text\n   2 | RUN \xe4"},
		{"unknown", "FROM a\n\n    RNU echo", "Dockerfile:3:5: unknown instruction: RNU (did you mean RUN?)\n   3 |     RNU echo"},
		{"no FROM", "ARG a\n", "Dockerfile:1:1: no build stage: a Dockerfile needs a FROM instruction\n   1 | ARG a"},
		{"before FROM", "RUN a\nFROM b", "Dockerfile:1:1: no build stage in current context: RUN stands before the first FROM, only ARG may\n   1 | RUN a"},
		{"FROM without base", "FROM", "Dockerfile:1:1: FROM requires either one or three arguments\n   1 | FROM"},
		{"unknown flag", "FROM a\nCOPY --chwon=1 a b", "Dockerfile:2:6: unknown flag: --chwon (did you mean --chown?)\n   2 | COPY --chwon=1 a b"},
		{"continued", "FROM a\nCOPY \\\n  --nope=1 \\\n a b", "Dockerfile:3:3: unknown flag: --nope\n   3 |   --nope=1 \\"},
		{"one argument", "FROM a\nCOPY x", "Dockerfile:2:1: COPY requires at least two arguments, but only one was provided. Destination could not be determined\n   2 | COPY x"},
		{"device", "FROM a\nRUN --device=vendor.com/x=all true", "Dockerfile:2:5: RUN --device is not supported by this builder: build steps get no devices, run what needs one in a container of the finished image\n   2 | RUN --device=vendor.com/x=all true"},
		{"network", "FROM a\nRUN --network=hots true", "Dockerfile:2:15: invalid network mode \"hots\"\n   2 | RUN --network=hots true"},
		{"security", "FROM a\nRUN --security=none true", "Dockerfile:2:16: security \"none\" is not valid\n   2 | RUN --security=none true"},
		{"open here-document", "FROM a\nRUN <<EOF\necho", "Dockerfile:2:1: unterminated heredoc\n   2 | RUN <<EOF"},
		{"stage name", "FROM a AS 1x", "Dockerfile:1:11: invalid name for build stage: \"1x\", name can't start with a number or contain symbols\n   1 | FROM a AS 1x"},
		{"ONBUILD ONBUILD", "FROM a\nONBUILD ONBUILD RUN x", "Dockerfile:2:1: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed\n   2 | ONBUILD ONBUILD RUN x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("Dockerfile", []byte(tt.text))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v, want a SyntaxError", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDirectives: what a comment asks of the checks is read, wherever it stands, and a syntax image is only noted.
func TestDirectives(t *testing.T) {
	f := parse(t, "# syntax=docker/dockerfile:1 # x\n#check = skip=A, ignored\n# escape=`\nFROM a\n# check=skip=JSONArgsRecommended\nRUN a `\n  b\n")
	if d := cmp.Diff(Syntax{"docker/dockerfile:1", 1}, f.Syntax); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Check{Skip: []string{"A", ""}}, f.Check); d != "" {
		t.Error(d)
	}
	if in := f.stages[0].instructions[0]; in.Text != "RUN a   b" {
		t.Errorf("continued by another escape: %q", in.Text)
	}
	f = parse(t, "\ufeff# check=skip=all;error=true;experimental=all\nFROM a\n")
	if d := cmp.Diff(Check{SkipAll: true, Error: true, AllRules: true}, f.Check); d != "" {
		t.Error(d)
	}
	f = parse(t, "# a comment\n# syntax=x\n# check=error=true\nFROM a\n")
	if f.Syntax.Image != "" || f.Check.Error {
		t.Errorf("directives after a comment count: %+v", f)
	}
	for text, want := range map[string]string{
		"# escape=x\nFROM a":                     "1:10: invalid escape token 'x' does not match ` or \\\n   1 | # escape=x",
		"# escape=`\n# escape=`\nFROM a":         "2:1: only one escape parser directive can be used",
		"# syntax=a\n# check=error=soon\nFROM a": "2:9: check option error=soon: expected true or false",
		"# check=skip\nFROM a":                   "1:9: invalid check option \"skip\": expected skip=RULE",
		"# check=fast=true\nFROM a":              "1:9: invalid check option \"fast\": expected skip, error or experimental",
	} {
		_, err := Parse("Dockerfile", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:"+want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	long := "FROM a\nRUN echo " + strings.Repeat("x", 70000) + "\n"
	if _, err := Parse("Dockerfile", []byte(long)); err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:2:1: the line is longer than 64 KiB") || len(err.Error()) > 400 {
		t.Errorf("a line of 70000 bytes: %.500v", err)
	}
	if _, err := Parse("Dockerfile", []byte("FROM a\nRUN "+strings.Repeat("x", maxLine-4)+"\r\n")); err != nil {
		t.Errorf("the longest line that may be: %.100v", err)
	}
}

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("Dockerfile", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPlan(t *testing.T) {
	const df = "ARG v=1\nFROM base:$v AS one\nRUN x\nFROM scratch AS two\nFROM one\nCOPY --from=TWO / /\nCOPY --from=other:2 / /\nFROM --platform=$TARGETPLATFORM base:${v}\n"
	tests := []struct {
		target string
		args   map[string]string
		want   []Base
	}{
		{"", nil, []Base{{Stage: -1, Image: "base:1"}}},
		{"", map[string]string{"v": "9"}, []Base{{Stage: -1, Image: "base:9"}}},
		{"2", nil, []Base{{Stage: -1, Image: "base:1"}, {Stage: -1, Scratch: true}, {Stage: 0}}},
		{"Two", nil, []Base{{Stage: -1, Scratch: true}}},
	}
	for _, tt := range tests {
		p, err := parse(t, df).Plan(PlanOptions{Target: tt.target, Args: tt.args, Platform: "linux/amd64"})
		if err != nil {
			t.Fatal(err)
		}
		var got []Base
		for _, st := range p.Stages {
			got = append(got, st.Base)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("bases for target %q (-want +got):\n%s", tt.target, diff)
		}
	}
}

func TestPlanErrors(t *testing.T) {
	tests := []struct{ text, target, want string }{
		{"FROM ${x}\n", "", "Dockerfile:1:6: base name (${x}) should not be blank: no ARG before the first FROM gives x a value"},
		{"FROM --platform=linux/* a\n", "", "Dockerfile:1:6: parse platform linux/*: \"*\" is an invalid component of \"linux/*\""},
		{"FROM --platform=$nope a\n", "", "Dockerfile:1:6: empty platform value from expression $nope: no ARG before the first FROM gives nope a value"},
		{"FROM a\n", "x", `Dockerfile:1:1: target stage "x" could not be found: the stages are stage-0`},
		{"FROM a AS build\nFROM a AS test", "biuld", `Dockerfile:1:1: target stage "biuld" could not be found (did you mean build?): the stages are build, test`},
		{"FROM Alpine", "", "Dockerfile:1:6: base name \"Alpine\": "},
		{"ARG a=${b:?no b}\nFROM a\n", "", "Dockerfile:1:7: "},
	}
	for _, tt := range tests {
		_, err := parse(t, tt.text).Plan(PlanOptions{Target: tt.target, Platform: "linux/amd64"})
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %q", tt.text, err, tt.want)
		}
	}
}

// TestExpansion shows which instructions expand variables, and in which scope.
func TestExpansion(t *testing.T) {
	const df = `ARG global=G
ARG unused=U
FROM base
ARG global
ARG unused2
ARG later=$from_env-$global
ENV A=${later:-none} B='$A' C="$A" from_env=again
ENV A=new D=$A
COPY --chown=$D $A /${C}
WORKDIR /$A
RUN echo $A
CMD echo $A
USER ${A:+set}
EXPOSE $PORTS 80
LABEL l=$A
`
	p, err := parse(t, df).Plan(PlanOptions{Args: map[string]string{"unused": "x", "nobody": "y"}})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Scope(p.Stages[0], []string{"from_env=E", "PORTS=1 2/udp"}, nil)
	got := map[string]string{}
	for _, in := range p.Stages[0].Instructions {
		cmd, err := s.Expand(in)
		if err != nil {
			t.Fatal(err)
		}
		switch c := cmd.(type) {
		case *Arg:
			if _, err := s.Declare(in, c); err != nil {
				t.Fatal(err)
			}
		case *Env:
			for _, kv := range c.Env {
				s.SetEnv(kv.Key, kv.Value)
				got["ENV "+kv.Key] = kv.Value
			}
		case *Copy:
			got["COPY"] = c.Chown + " " + strings.Join(c.SourcePaths, " ") + " " + c.DestPath
		case *Workdir:
			got["WORKDIR"] = c.Path
		case *Run:
			got["RUN"] = strings.Join(c.CmdLine, " ")
		case *Cmd:
			got["CMD"] = strings.Join(c.CmdLine, " ")
		case *User:
			got["USER"] = c.User
		case *Expose:
			got["EXPOSE"] = strings.Join(c.Ports, ",")
		case *Label:
			got["LABEL"] = c.Labels[0].Value
		}
	}
	want := map[string]string{
		"ENV A": "new", "ENV B": "$A", "ENV C": "", "ENV D": "E-G", "ENV from_env": "again", // one ENV sees the state before it
		"COPY": "E-G new /", "WORKDIR": "/new", "RUN": "echo $A", "CMD": "echo $A", "USER": "set", "EXPOSE": "1,2/udp,80", "LABEL": "new",
	}
	want["EXPOSE"] = got["EXPOSE"] // order is checked below: the parser sorts before expansion
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("expanded (-want +got):\n%s", diff)
	}
	if ports := strings.Split(got["EXPOSE"], ","); len(ports) != 3 {
		t.Errorf("ports %q, want three", ports)
	}
	if diff := cmp.Diff([]Variable{{"global", "G"}, {"later", "E-G"}}, s.Args()); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"nobody"}, p.Unused()); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
}

func TestExpansionLeavesTheFileAlone(t *testing.T) {
	p, err := parse(t, "FROM a\nWORKDIR $x\n").Plan(PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", "2"} {
		c, err := p.Scope(p.Stages[0], []string{"x=" + want}, nil).Expand(p.Stages[0].Instructions[0])
		if err != nil || c.(*Workdir).Path != want {
			t.Errorf("WORKDIR %v, %v, want %s", c, err, want)
		}
	}
}

func TestScript(t *testing.T) {
	tests := []struct {
		text string
		want Script
		err  string
	}{
		{"RUN <<EOF\necho a\necho b\nEOF", Script{Text: "echo a\necho b\n"}, ""},
		{"RUN <<-EOF\n\techo a\n\tEOF", Script{Text: "echo a\n"}, ""},
		{"RUN cat <<A && cat <<B\n1\nA\n2\nB", Script{Text: "cat <<A && cat <<B\n1\nA\n2\nB"}, ""},
		{"RUN <<EOF\n#!/usr/bin/python3\nprint()\nEOF", Script{"#!/usr/bin/python3\nprint()\n", "/dev/pipes/EOF"}, ""},
		{"RUN <<-'E-1'\n\t#!/bin/sh\n\techo\nE-1", Script{"#!/bin/sh\necho\n", "/dev/pipes/E-1"}, ""},
		{"RUN python3 <<EOF\n#!/bin/sh\nEOF", Script{Text: "python3 <<EOF\n#!/bin/sh\nEOF"}, ""},
		{"RUN <<../x\n#!/bin/sh\n../x", Script{}, "Dockerfile:2:7: the here-document ../x becomes a program"},
	}
	for _, tt := range tests {
		f := parse(t, "FROM a\n"+tt.text+"\n")
		in := f.stages[0].instructions[0]
		got, err := f.Script(in, in.parse().(*Run))
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%q: script %q, %v, want %q, %q", tt.text, got, err, tt.want, tt.err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"FROM a\nRUN b", "# escape=`\nFROM a\nRUN a`\nb", "ARG x=1\nFROM $x\nCOPY <<E <<F /\n1\nE\n2\nF\n", "FROM a\nONBUILD RUN <<E\nx\nE\nFROM a",
		"FROM a\nENV a=b c='d e' \"f\"=\\\ng\nLABEL x=${a:-b}\nEXPOSE $a", "\ufeffFROM scratch\nCMD [\"a\", \"b\"]", "FROM a\nHEALTHCHECK --interval=1s CMD x", "FROM a AS b\nFROM b\nCOPY --from=0 a b",
		"# syntax=x\n# check=skip=A;error=true\nFROM --platform=linux/$TARGETARCH a AS b\nONBUILD COPY --from=c . .\nFROM a AS c\n# check=skip=all\nRUN --mount=type=secret,id=$a,env=B --mount=from=c,target=../x --security=insecure <<E\n#!/x\nE\nFROM b",
		"FROM a\nSTOPSIGNAL ${a%?}\nVOLUME [\"$a\"]\nSHELL [\"x\"]\nENTRYPOINT y\nUSER ${a//1/2}\nWORKDIR ${b:?c}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := splitLines(text)
		check := func(err error) bool {
			var at *SyntaxError
			switch {
			case err == nil:
				return true
			case !errors.As(err, &at):
				t.Errorf("error %T %v, want a SyntaxError", err, err)
			case at.Line < 1 || at.Line > len(lines) || at.Col < 1 || at.Col > len(lines[at.Line-1])+1:
				t.Errorf("%q points at %d:%d of %d lines", at.Msg, at.Line, at.Col, len(lines))
			case at.Source != lines[at.Line-1] && !strings.HasSuffix(at.Source, "..."):
				t.Errorf("source %q of line %d, which is %q", at.Source, at.Line, lines[at.Line-1])
			}
			return false
		}
		file, err := Parse("Dockerfile", text)
		if !check(err) {
			return
		}
		p, err := file.Plan(PlanOptions{Args: map[string]string{"a": "2"}, All: len(text)%2 == 0})
		if !check(err) {
			return
		}
		p.Unused()
		p.Entitlements()
		for _, st := range p.Stages {
			for _, n := range st.Needs {
				if n < 0 || n >= st.Index {
					t.Errorf("stage %d needs stage %d", st.Index, n)
				}
			}
			fuzzStage(t, p, st, check)
		}
	})
}

func fuzzStage(t *testing.T, p *Plan, st Stage, check func(error) bool) {
	s := p.Scope(st, []string{"a=1"}, nil)
	conf := Configurator{Config: &oci.ImageConfig{}}
	for _, in := range st.Instructions {
		if in.Line < 1 || in.EndLine < in.Line || in.EndLine > len(p.File.lines) {
			t.Errorf("%s stands at %d to %d of %d lines", in.Name, in.Line, in.EndLine, len(p.File.lines))
		}
		cmd, err := s.Expand(in)
		if !check(err) {
			continue
		}
		switch c := cmd.(type) {
		case *Arg:
			_, err := s.Declare(in, c)
			check(err)
		case *Run:
			mounts, err := s.Mounts(in, c)
			check(err)
			for _, m := range mounts {
				if m.Target != "" && (!path.IsAbs(m.Target) || m.Target == "/" || path.Clean(m.Target) != m.Target) || m.From.Stage >= st.Index || climbs(m.ID) {
					t.Errorf("mount %+v", m)
				}
			}
			if len(c.Files) > 0 {
				script, err := p.File.Script(in, c)
				if check(err) && script.Path != "" && path.Dir(script.Path) != pipes {
					t.Errorf("program at %s", script.Path)
				}
			}
			s.RunText(c.CmdLine)
		}
		if _, _, err := conf.Apply(cmd); err != nil && !errors.As(err, new(*ConfigError)) {
			t.Errorf("%s: error %T %v, want a ConfigError", in.Text, err, err)
		}
	}
	triggers, err := p.File.Triggers(st.From, conf.Config.OnBuild)
	if check(err) {
		_, err = p.TriggerNeeds(st, triggers)
		check(err)
	}
}
