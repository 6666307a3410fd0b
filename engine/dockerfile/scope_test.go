package dockerfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/oci"
)

// outcome is what a walk through the planned stages leaves of the last.
type outcome struct {
	config  oci.ImageConfig
	scope   *Scope
	history []string
}

// carryOut does what a builder does with instructions that make no tree. Every base image has the environment env.
func carryOut(text string, o PlanOptions, env ...string) (outcome, error) {
	f, err := Parse("Dockerfile", []byte(text))
	if err != nil {
		return outcome{}, err
	}
	p, err := f.Plan(o)
	if err != nil {
		return outcome{}, err
	}
	done := map[int]outcome{}
	var last outcome
	for _, st := range p.Stages {
		if last, err = carryOutStage(p, st, done, env); err != nil {
			return last, err
		}
		done[st.Index] = last
	}
	return last, nil
}

func carryOutStage(p *Plan, st Stage, done map[int]outcome, env []string) (outcome, error) {
	out := outcome{config: oci.ImageConfig{Env: append([]string{}, env...)}}
	var base *Scope
	if b, ok := done[st.Base.Stage]; ok {
		out.config, base = b.config, b.scope
		out.config.Env = append([]string{}, b.config.Env...)
	}
	triggers, err := p.File.Triggers(st.From, out.config.OnBuild)
	if err != nil {
		return out, err
	}
	out.config.OnBuild = nil
	out.scope = p.Scope(st, out.config.Env, base)
	conf := Configurator{Config: &out.config}
	for _, in := range append(triggers, st.Instructions...) {
		cmd, err := out.scope.Expand(in)
		if err != nil {
			return out, err
		}
		switch c := cmd.(type) {
		case *Arg:
			words, err := out.scope.Declare(in, c)
			if err != nil {
				return out, err
			}
			out.history = append(out.history, "ARG "+strings.Join(words, " "))
			continue
		case *Run:
			out.history = append(out.history, out.scope.RunText(conf.CommandLine(c.CmdLine, c.PrependShell)))
			continue
		case *Env:
			for _, kv := range c.Env {
				out.scope.SetEnv(kv.Key, kv.Value)
			}
		}
		text, _, err := conf.Apply(cmd)
		if err != nil {
			return out, err
		}
		out.history = append(out.history, text)
	}
	return out, nil
}

// TestModifiers: every form of a variable, as the reference's lexer and the shell have it.
func TestModifiers(t *testing.T) {
	env := []string{"set=value", "empty=", "path=/usr/local/bin/x.tar.gz", "s=a.b.a", "star=a*b", "n=1"}
	for word, want := range map[string]string{
		"$set": "value", "${set}": "value", "$unset": "", "${unset}": "", "$set.x": "value.x", "${set}x": "valuex", "$setx": "",
		"${set:-d}": "value", "${empty:-d}": "d", "${unset:-d}": "d", "${set-d}": "value", "${empty-d}": "", "${unset-d}": "d",
		"${set:+d}": "d", "${empty:+d}": "", "${unset:+d}": "", "${set+d}": "d", "${empty+d}": "d", "${unset+d}": "",
		"${set:?no}": "value", "${set?no}": "value", "${empty?no}": "",
		"${unset:-${empty:-$set}}": "value", "${unset:-$set}/x": "value/x", "${unset:-}": "",
		"${path#*/}": "usr/local/bin/x.tar.gz", "${path##*/}": "x.tar.gz", "${path%.*}": "/usr/local/bin/x.tar", "${path%%.*}": "/usr/local/bin/x",
		"${path#/usr}": "/local/bin/x.tar.gz", "${path#x}": "/usr/local/bin/x.tar.gz", "${path%/?.*}": "/usr/local/bin", "${star#a\\*}": "b",
		"${s/a/x}": "x.b.a", "${s//a/x}": "x.b.x", "${s/./}": "ab.a", "${s//./}": "aba", "${s/?b/x}": "ax.a", "${s/z/x}": "a.b.a", "${path//\\//_}": "_usr_local_bin_x.tar.gz",
		"\\$set": "$set", "\\${set}": "${set}", "$$": "", "$": "$", "a$": "a$", "'$set'": "'value'", "$1x": "x", "${n}${n}": "11", "$n$n": "11",
	} {
		out, err := carryOut("FROM a\nENV OUT=\""+word+"\"\n", PlanOptions{}, env...)
		if err != nil {
			t.Errorf("%s: %v", word, err)
			continue
		}
		if got := out.scope.Value("OUT"); got != want {
			t.Errorf("%s is %q, want %q", word, got, want)
		}
	}
	for word, want := range map[string]string{
		"${unset:?not-there}": "unset: not-there", "${unset?gone}": "unset: gone", "${unset:?}": "unset: is not allowed to be unset", "${empty:?}": "empty: is not allowed to be empty",
		"${set": "missing '}'", "${}": "bad substitution", "${:x}": "bad substitution", "${set!x}": "unsupported modifier (!)", "${set:x}": "unsupported modifier (:x)",
		"${set:#x}": "unsupported modifier (:#)", "${set/x}": "missing '/' in ${}", "${set#\\x}": "invalid escape",
	} {
		_, err := carryOut("FROM a\n\nLABEL a=b \\\n  OUT="+word+"\n", PlanOptions{}, env...)
		if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:4:7: ") || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "\n   4 |   OUT="+word) {
			t.Errorf("%s: %v, want %q at 4:7", word, err, want)
		}
	}
}

// TestWhereVariablesExpand: in these instructions and flags, and in no others.
func TestWhereVariablesExpand(t *testing.T) {
	const df = `FROM a
ADD --chown=$v --chmod=$v --checksum=$v --exclude=$v $v https://$v /$v
COPY --chown=$v --chmod=$v --exclude=$v $v <<E <<'F' /$v
$v "q" \$v
E
$v
F
ENV $v=$v
LABEL $v=$v '$v'="$v"
WORKDIR $v
USER $v
VOLUME $v /$v
STOPSIGNAL $v
EXPOSE $v
RUN --mount=type=tmpfs,target=/$v echo $v
CMD echo $v
ENTRYPOINT ["$v"]
SHELL ["$v"]
HEALTHCHECK CMD $v
ONBUILD RUN $v
MAINTAINER $v
ARG $v
`
	p, err := parse(t, df).Plan(PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := p.Scope(p.Stages[0], []string{"v=9"}, nil)
	got := map[string]string{}
	for _, in := range p.Stages[0].Instructions {
		cmd, err := s.Expand(in)
		if err != nil {
			t.Fatal(err)
		}
		got[in.Name] = shown(t, s, in, cmd)
	}
	want := map[string]string{
		"ADD": "9 9 9 $v 9 https://9 /9", "COPY": "9 9 $v 9 /9 9 \"q\" $v\n $v\n", "ENV": "9=9", "LABEL": "9=9 $v=9", "WORKDIR": "9", "USER": "9", "VOLUME": "9 /9",
		"STOPSIGNAL": "9", "EXPOSE": "9", "RUN": "/9 echo $v", "CMD": "echo $v", "ENTRYPOINT": "$v", "SHELL": "$v", "HEALTHCHECK": "CMD-SHELL $v", "ONBUILD": "RUN $v", "MAINTAINER": "$v", "ARG": "$v",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func shown(t *testing.T, s *Scope, in Instruction, cmd Command) string {
	t.Helper()
	join := func(words ...string) string { return strings.Join(words, " ") }
	switch c := cmd.(type) {
	case *Add:
		return join(c.Chown, c.Chmod, c.Checksum, join(c.ExcludePatterns...), join(c.SourcePaths...), c.DestPath)
	case *Copy:
		return join(c.Chown, c.Chmod, join(c.ExcludePatterns...), join(c.SourcePaths...), c.DestPath, c.SourceContents[0].Data, c.SourceContents[1].Data)
	case *Env:
		return c.Env[0].String()
	case *Label:
		return join(c.Labels[0].String(), c.Labels[1].String())
	case *Workdir:
		return c.Path
	case *User:
		return c.User
	case *Volume:
		return join(c.Volumes...)
	case *StopSignal:
		return c.Signal
	case *Expose:
		return join(c.Ports...)
	case *Run:
		m, err := s.Mounts(in, c)
		if err != nil {
			t.Fatal(err)
		}
		return join(m[0].Target, join(c.CmdLine...))
	case *Cmd:
		return join(c.CmdLine...)
	case *Entrypoint:
		return join(c.CmdLine...)
	case *Shell:
		return join(c.Shell...)
	case *Healthcheck:
		return join(c.Health.Test...)
	case *Onbuild:
		return c.Expression
	case *Maintainer:
		return c.Maintainer
	case *Arg:
		return c.Args[0].Key
	}
	return ""
}

// TestArgScopes: which value a name has where, as BuildKit has it.
func TestArgScopes(t *testing.T) {
	args := func(kv ...string) PlanOptions {
		o := PlanOptions{Platform: "linux/arm64/v8", BuildPlatform: "linux/amd64", Args: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			o.Args[kv[i]] = kv[i+1]
		}
		return o
	}
	tests := []struct {
		name, text string
		o          PlanOptions
		want       string
	}{
		{"global, not declared", "ARG x=1\nFROM a\nENV OUT=$x", args(), ""},
		{"global, declared", "ARG x=1\nFROM a\nARG x\nENV OUT=$x", args(), "1"},
		{"own default wins over the global one", "ARG x=1\nFROM a\nARG x=2\nENV OUT=$x", args(), "2"},
		{"given wins over both", "ARG x=1\nFROM a\nARG x=2\nENV OUT=$x", args("x", "3"), "3"},
		{"given, not declared", "FROM a\nENV OUT=$x", args("x", "3"), ""},
		{"given empty", "FROM a\nARG x=2\nENV OUT=${x-unset}", args("x", ""), ""},
		{"declared without a value", "FROM a\nARG x\nENV OUT=${x-unset}", args(), "unset"},
		{"before its declaration", "FROM a\nENV OUT=${x-unset}\nARG x=1", args(), "unset"},
		{"several in one", "FROM a\nARG x=1 y=2 z\nENV OUT=$x$y$z", args("z", "3"), "123"},
		{"one after the other in one ARG", "FROM a\nARG x=1 y=$x\nENV OUT=$y", args(), "1"},
		{"one after the other in one ENV", "FROM a\nENV x=1\nENV x=2 OUT=$x", args(), "1"},
		{"ENV after ARG wins", "FROM a\nARG x=1\nENV x=2\nENV OUT=$x", args("x", "3"), "2"},
		{"ARG after ENV wins", "FROM a\nENV x=1\nARG x=2\nENV OUT=$x", args(), "2"},
		{"ARG without a value leaves an ENV", "FROM a\nENV x=1\nARG x\nENV OUT=$x", args(), "1"},
		{"inherited with the stage", "FROM a AS b\nARG x=1\nFROM b\nENV OUT=$x", args(), "1"},
		{"inherited over two stages, given", "FROM a AS b\nARG x=1\nFROM b AS c\nFROM c\nENV OUT=$x", args("x", "2"), "2"},
		{"not inherited by a stage on the same image", "FROM a AS b\nARG x=1\nFROM a\nCOPY --from=b / /\nENV OUT=${x-unset}", args(), "unset"},
		{"inherited, redeclared", "ARG x=0\nFROM a AS b\nARG x=1\nFROM b\nARG x\nENV OUT=$x", args(), "0"},
		{"global default from another", "ARG x=1\nARG y=$x-2\nFROM a\nARG y\nENV OUT=$y", args("x", "9"), "9-2"},
		{"platform, not declared", "FROM a\nENV OUT=${TARGETARCH-unset}", args(), "unset"},
		{"platform, declared", "FROM a\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM\nENV OUT=$TARGETPLATFORM,$TARGETOS,$TARGETARCH,$TARGETVARIANT,$BUILDPLATFORM", args(), "linux/arm64/v8,linux,arm64,v8,linux/amd64"},
		{"platform, given", "FROM a\nARG TARGETARCH\nENV OUT=$TARGETARCH", args("TARGETARCH", "x"), "x"},
		{"platform, own default", "FROM a\nARG TARGETARCH=mine\nENV OUT=$TARGETARCH", args(), "mine"},
		{"platform in a global default", "ARG x=$TARGETARCH\nFROM a\nARG x\nENV OUT=$x", args(), "arm64"},
		{"name of the target", "FROM a AS named\nARG TARGETSTAGE\nENV OUT=$TARGETSTAGE", args(), "named"},
		{"name of no target", "FROM a\nARG TARGETSTAGE\nENV OUT=$TARGETSTAGE", args(), "default"},
		{"proxy is not in the scope", "FROM a\nENV OUT=${HTTP_PROXY-unset}", args("HTTP_PROXY", "p"), "unset"},
		{"proxy, declared", "FROM a\nARG HTTP_PROXY\nENV OUT=$HTTP_PROXY", args("HTTP_PROXY", "p"), "p"},
		{"epoch, declared", "FROM a\nARG SOURCE_DATE_EPOCH\nENV OUT=$SOURCE_DATE_EPOCH", args("SOURCE_DATE_EPOCH", "7"), "7"},
		{"a scanner's argument is in no environment", "FROM a\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nENV OUT=${BUILDKIT_SBOM_SCAN_STAGE-unset}", args(), "unset"},
		{"another BUILDKIT argument is", "FROM a\nARG BUILDKIT_X=true\nENV OUT=${BUILDKIT_X-unset}", args(), "true"},
		{"of the image", "FROM a\nENV OUT=$BASE", args(), "b"},
		{"a trigger's ARG", "FROM a AS b\nONBUILD ARG x=1\nONBUILD ENV OUT=$x\nFROM b", args(), "1"},
		{"triggers do not chain on", "FROM a AS b\nONBUILD ENV OUT=1\nFROM b AS c\nENV OUT=2\nFROM c", args(), "2"},
		{"quotes", "FROM a\nARG x=\"a b\" y='$x'\nENV OUT=\"$x $y\"", args(), "a b $x"},
		{"escape", "# escape=`\nFROM a\nARG x=1\nENV OUT=`$x\\$x", args(), "$x\\1"},
		{"legacy ENV", "FROM a\nARG x=1\nENV OUT  $x  y", args(), "1  y"},
	}
	for _, tt := range tests {
		out, err := carryOut(tt.text+"\n", tt.o, "BASE=b")
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := out.scope.Value("OUT"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestHistory: the texts are docker's.
func TestHistory(t *testing.T) {
	const df = `FROM a AS b
ARG none x=1
RUN early
FROM b
ARG y
ENV A=1 B="two words"
ENV x=5
ARG x=9
RUN echo $A
RUN ["echo", "x"]
SHELL ["/bin/bash", "-c"]
RUN late
CMD run it
ENTRYPOINT ["/e", "x"]
LABEL l="a b" m=$A
EXPOSE 81-82/udp 80
VOLUME ["/v", "/w x"]
WORKDIR /x/../y
WORKDIR z
USER 5:6
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --retries=2 CMD curl x
ARG BUILDKIT_SBOM_SCAN_STAGE=true
RUN []
`
	out, err := carryOut(df, PlanOptions{Args: map[string]string{"y": "Y"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ARG y=Y", "ENV A=1 B=two words", "ENV x=5", "ARG x=9",
		"RUN |3 none= x=9 y=Y /bin/sh -c echo $A", "RUN |3 none= x=9 y=Y echo x", "SHELL [/bin/bash -c]", "RUN |3 none= x=9 y=Y /bin/bash -c late",
		`CMD ["/bin/bash" "-c" "run it"]`, `ENTRYPOINT ["/e" "x"]`, "LABEL l=a b m=1", "EXPOSE [80/tcp 81/udp 82/udp]", "VOLUME [/v /w x]", "WORKDIR /y", "WORKDIR /y/z",
		"USER 5:6", "STOPSIGNAL SIGTERM", "HEALTHCHECK {Test:[CMD-SHELL curl x] Interval:5s Timeout:0s StartPeriod:0s StartInterval:0s Retries:2}", "ARG BUILDKIT_SBOM_SCAN_STAGE=true",
		"RUN |4 none= x=9 y=Y BUILDKIT_SBOM_SCAN_STAGE=true",
	}
	if d := cmp.Diff(want, out.history); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]Variable{{"x", "9"}, {"y", "Y"}}, out.scope.Args()); d != "" {
		t.Errorf("what RUN sees: %s", d)
	}
}

// TestForms: how the forms of an instruction that takes a command come out.
func TestForms(t *testing.T) {
	sh := []string{"/bin/sh", "-c"}
	for text, want := range map[string][]string{
		`CMD a b`: append(sh[:2:2], "a b"), `CMD ["a", "b c"]`: {"a", "b c"}, `CMD []`: {}, `CMD ["a", b]`: append(sh[:2:2], `["a", b]`), `CMD ['a']`: append(sh[:2:2], `['a']`),
		`CMD [ "a" ] x`: append(sh[:2:2], `[ "a" ] x`), `CMD ["\u00e9"]`: {"é"}, "CMD [\"a\", \\\n \"b\"]": {"a", "b"}, `CMD "a"`: append(sh[:2:2], `"a"`),
	} {
		out, err := carryOut("FROM a\n"+text+"\n", PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, out.config.Cmd); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for text, want := range map[string][]string{
		`HEALTHCHECK NONE`: {"NONE"}, `HEALTHCHECK CMD a b`: {"CMD-SHELL", "a b"}, `HEALTHCHECK cmd ["a", "b"]`: {"CMD", "a", "b"}, `HEALTHCHECK CMD [a]`: {"CMD-SHELL", "[a]"},
	} {
		out, err := carryOut("FROM a\n"+text+"\n", PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, out.config.Healthcheck.Test); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for text, want := range map[string]string{
		`CMD [1]`: "2:1: when using JSON array syntax, arrays must be comprised of strings only", `SHELL bash`: "2:1: SHELL requires the arguments to be in JSON form", `SHELL []`: "2:1: SHELL requires at least one argument",
		`HEALTHCHECK NONE x`: "2:1: HEALTHCHECK NONE takes no arguments", `HEALTHCHECK FOO x`: `2:13: Unknown type "FOO" in HEALTHCHECK (try CMD)`, `HEALTHCHECK CMD`: "2:1: Missing command after HEALTHCHECK CMD",
		`HEALTHCHECK --interval=1us CMD x`: "2:", `HEALTHCHECK --retries=-1 CMD x`: "2:", `HEALTHCHECK --interval=soon CMD x`: "2:", `USER`: "2:1: USER requires exactly one argument",
		`WORKDIR`: "2:1: WORKDIR requires exactly one argument", `VOLUME ["", "a"]`: "2:1: VOLUME specified can not be an empty string", `ENV =x`: "2:1: ENV names can not be blank", `ARG =x`: "2:1: ARG names can not be blank",
		`ARG`: "2:1: ARG requires at least one argument", `COPY <<E <<F`: "2:1: unterminated heredoc", `EXPOSE`: "2:1: EXPOSE requires at least one argument", `LABEL a`: "2:1: LABEL must have two arguments",
		`COPY --link=maybe a b`: "2:6: expecting boolean value for flag --link, not: maybe", `COPY --from a b`: "2:6: missing a value on flag: --from", `COPY --chown=a --chown=b c d`: "2:6: duplicate flag specified: --chown",
	} {
		_, err := carryOut("FROM a\n"+text+"\n", PlanOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:"+want) || !strings.HasSuffix(err.Error(), "\n   2 | "+text) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestProxies(t *testing.T) {
	p, err := parse(t, "FROM a\n").Plan(PlanOptions{Args: map[string]string{"http_proxy": "low", "HTTP_PROXY": "up", "No_Proxy": "n", "ftp": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Variable{{"HTTP_PROXY", "low"}, {"http_proxy", "low"}, {"NO_PROXY", "n"}, {"no_proxy", "n"}}
	if d := cmp.Diff(want, p.Proxies()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"ftp"}, p.Unused()); d != "" {
		t.Errorf("unused: %s", d)
	}
}

func TestEpoch(t *testing.T) {
	for _, tt := range []struct {
		text, given, want string
	}{{"FROM a\n", "", ""}, {"ARG SOURCE_DATE_EPOCH=5\nFROM a\n", "", "5"}, {"ARG SOURCE_DATE_EPOCH=5\nFROM a\n", "7", "7"}, {"FROM a\nARG SOURCE_DATE_EPOCH=5\n", "", ""}} {
		o := PlanOptions{Args: map[string]string{}}
		if tt.given != "" {
			o.Args["SOURCE_DATE_EPOCH"] = tt.given
		}
		p, err := parse(t, tt.text).Plan(o)
		if err != nil || p.Epoch() != tt.want {
			t.Errorf("%q with %q: %q, %v, want %q", tt.text, tt.given, p.Epoch(), err, tt.want)
		}
	}
}
