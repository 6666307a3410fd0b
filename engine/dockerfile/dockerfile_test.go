package dockerfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSyntaxErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "Dockerfile: the file is empty: it needs at least a FROM instruction"},
		{"blank", " \n\n", "Dockerfile: the file is empty: it needs at least a FROM instruction"},
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
		{"mount", "FROM a\nRUN --mount=type=cache,target=/x true", "Dockerfile:2:5: RUN --mount is not supported by this builder: leave it out, or COPY what the command needs\n   2 | RUN --mount=type=cache,target=/x true"},
		{"network", "FROM a\nRUN --network=host true", "Dockerfile:2:5: RUN --network is not supported by this builder: RUN has no network here, --network=none and --network=default mean the same\n   2 | RUN --network=host true"},
		{"insecure", "FROM a\nRUN --security=insecure true", "Dockerfile:2:5: RUN --security is not supported by this builder: a build step never gets more rights than a container has\n   2 | RUN --security=insecure true"},
		{"download", "FROM a\nADD https://example.org/x /x", "Dockerfile:2:5: ADD of https://example.org/x is not supported by this builder: it takes files of the build context only\n   2 | ADD https://example.org/x /x"},
		{"open here-document", "FROM a\nRUN <<EOF\necho", "Dockerfile:2:1: unterminated heredoc\n   2 | RUN <<EOF"},
		{"stage name", "FROM a AS 1x", "Dockerfile:1:1: invalid name for build stage: \"1x\", name can't start with a number or contain symbols\n   1 | FROM a AS 1x"},
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
		{"FROM --platform=windows/amd64 a\n", "", "Dockerfile:1:6: FROM --platform=windows/amd64 is not supported by this builder: this machine is linux/amd64"},
		{"FROM a\n", "x", `Dockerfile: target stage "x" could not be found`},
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
	s := p.Scope([]string{"from_env=E", "PORTS=1 2/udp"})
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
		c, err := p.Scope([]string{"x=" + want}).Expand(p.Stages[0].Instructions[0])
		if err != nil || c.(*Workdir).Path != want {
			t.Errorf("WORKDIR %v, %v, want %s", c, err, want)
		}
	}
}

func TestScript(t *testing.T) {
	tests := []struct{ text, want, err string }{
		{"RUN <<EOF\necho a\necho b\nEOF", "echo a\necho b\n", ""},
		{"RUN <<-EOF\n\techo a\n\tEOF", "echo a\n", ""},
		{"RUN cat <<A && cat <<B\n1\nA\n2\nB", "cat <<A && cat <<B\n1\nA\n2\nB", ""},
		{"RUN <<EOF\n#!/usr/bin/python3\nprint()\nEOF", "", "an interpreter of its own (#!/usr/bin/python3)"},
	}
	for _, tt := range tests {
		in := parse(t, "FROM a\n"+tt.text+"\n").stages[0].instructions[0]
		run := in.parse().(*Run)
		got, err := Script(run.CmdLine[0], run.Files)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: script %q, %v, want %q, %q", tt.text, got, err, tt.want, tt.err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"FROM a\nRUN b", "# escape=`\nFROM a\nRUN a`\nb", "ARG x=1\nFROM $x\nCOPY <<E <<F /\n1\nE\n2\nF\n", "FROM a\nONBUILD RUN <<E\nx\nE\n",
		"FROM a\nENV a=b c='d e' \"f\"=\\\ng\nLABEL x=${a:-b}\nEXPOSE $a", "\ufeffFROM scratch\nCMD [\"a\", \"b\"]", "FROM a\nHEALTHCHECK --interval=1s CMD x", "FROM a AS b\nFROM b\nCOPY --from=0 a b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("Dockerfile", text)
		if err != nil {
			if !errors.As(err, new(*SyntaxError)) {
				t.Errorf("error %T %v, want a SyntaxError", err, err)
			}
			return
		}
		p, err := file.Plan(PlanOptions{Platform: "linux/amd64"})
		if err != nil {
			if !errors.As(err, new(*SyntaxError)) {
				t.Errorf("error %T %v, want a SyntaxError", err, err)
			}
			return
		}
		p.Unused()
		for _, st := range p.Stages {
			s := p.Scope([]string{"a=1"})
			for _, in := range st.Instructions {
				cmd, err := s.Expand(in)
				if err != nil {
					continue
				}
				if arg, ok := cmd.(*Arg); ok {
					_, _ = s.Declare(in, arg)
				}
				if in.Line < 1 || in.EndLine < in.Line || in.EndLine > len(file.lines) {
					t.Errorf("%s stands at %d to %d of %d lines", in.Name, in.Line, in.EndLine, len(file.lines))
				}
			}
		}
	})
}
