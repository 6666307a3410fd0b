package lint

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/oci"
)

// base is an image that the tests know.
func base(name string, _ dockerfile.Platform) (oci.Image, bool) {
	switch name {
	case "base":
		return oci.Image{OS: "linux", Architecture: "amd64", Config: oci.ImageConfig{Env: []string{"PATH=/bin", "FROM_BASE=1"}, WorkingDir: "/there"}}, true
	case "shell":
		return oci.Image{OS: "linux", Architecture: "amd64", Config: oci.ImageConfig{Env: []string{"PATH=/bin"}, Shell: []string{"/bin/bash", "-c"}}}, true
	case "arm":
		return oci.Image{OS: "linux", Architecture: "arm64", Variant: "v8"}, true
	case "onbuild":
		return oci.Image{OS: "linux", Architecture: "amd64", Config: oci.ImageConfig{OnBuild: []string{"WORKDIR rel", "CMD x"}}}, true
	}
	return oci.Image{}, false
}

func options() Options {
	return Options{Platform: "linux/amd64", BuildPlatform: "linux/amd64", Base: base}
}

// found lists findings as "2-3 Rule: message".
func found(fs []Finding) []string {
	out := []string{}
	for _, f := range fs {
		at := fmt.Sprint(f.Line)
		if f.EndLine != f.Line {
			at += fmt.Sprint("-", f.EndLine)
		}
		out = append(out, at+" "+f.Rule+": "+f.Message)
	}
	return out
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"clean", "ARG V=1\nFROM base:$V AS one\nFROM base AS two\nARG V\nENV A=$V\nWORKDIR /x\nWORKDIR y\nCMD [\"a\"]\nEXPOSE 80/tcp 1-2\nLABEL a=$FROM_BASE\n", nil},
		{"StageNameCasing", "FROM base AS Build\n", []string{"1 StageNameCasing: Stage name 'Build' should be lowercase"}},
		{"FromAsCasing", "FROM base as one\nFROM base AS two\nfrom base as three\nFrom base as four\n", []string{
			"1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match",
			"3 ConsistentInstructionCasing: Command 'from' should match the case of the command majority (uppercase)",
			"4 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)"}},
		{"NoEmptyContinuation", "FROM base\nRUN a \\\n\n  b\nRUN a \\\n# fine\n  b\n", []string{"4 NoEmptyContinuation: Empty continuation line"}},
		{"ConsistentInstructionCasing", "from base\nrun a\nCMD [\"a\"]\nEntrypoint [\"a\"]\n", []string{
			"3 ConsistentInstructionCasing: Command 'CMD' should match the case of the command majority (lowercase)",
			"4 ConsistentInstructionCasing: Command 'Entrypoint' should match the case of the command majority (lowercase)"}},
		{"DuplicateStageName", "FROM base AS b\nFROM base AS B\n", []string{
			"2 StageNameCasing: Stage name 'B' should be lowercase", `2 DuplicateStageName: Duplicate stage name "b", stage names should be unique`}},
		{"ReservedStageName", "FROM base AS scratch\nFROM base AS context\n", []string{
			`1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"`,
			`2 ReservedStageName: Stage name should not use the same name as reserved stage "context"`}},
		{"JSONArgsRecommended", "FROM base\nCMD a\nFROM base\nENTRYPOINT a\nFROM base\nCMD [\"a\", b]\nFROM shell\nCMD a\nFROM base AS s\nSHELL [\"bash\"]\nENTRYPOINT a\nFROM s\nENTRYPOINT a\n", []string{
			"2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
			"4 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
			"6 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"}},
		{"MaintainerDeprecated", "FROM base\nMAINTAINER me\n", []string{"2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"}},
		{"UndefinedArgInFrom", "ARG version=1\nARG empty\nFROM base:${versoin:-1}$empty$other\nFROM --platform=linux/${BULIDARCH:-amd64} base\n", []string{
			"3 UndefinedArgInFrom: FROM argument 'other' is not declared", "3 UndefinedArgInFrom: FROM argument 'versoin' is not declared (did you mean version?)",
			"4 UndefinedArgInFrom: FROM argument 'BULIDARCH' is not declared (did you mean BUILDARCH?)"}},
		{"WorkdirRelativePath", "FROM base AS a\nWORKDIR x\nWORKDIR y\nFROM a\nWORKDIR z\nFROM base\nWORKDIR /x\nWORKDIR y\nFROM scratch\nARG D=/d\nWORKDIR $D\n", []string{
			`2 WorkdirRelativePath: Relative workdir "x" can have unexpected results if the base image changes`}},
		{"UndefinedVar", "FROM base\nARG declared\nENV A=$declared B=$FROM_BASE C=$FORM_BASE\nCOPY $x /\nLABEL l=${y:-1}\nRUN echo $z\nFROM unknown\nENV A=1\nLABEL a=$JAVA_HOME b=$PTAH c=$AA\nCOPY <<E /f\n$A$B\nE\n", []string{
			"3 UndefinedVar: Usage of undefined variable '$FORM_BASE' (did you mean $FROM_BASE?)", "4 UndefinedVar: Usage of undefined variable '$x' (did you mean $A?)",
			"5 UndefinedVar: Usage of undefined variable '$y' (did you mean $A?)", "9 UndefinedVar: Usage of undefined variable '$AA' (did you mean $A?)",
			"10-12 UndefinedVar: Usage of undefined variable '$B' (did you mean $A?)"}},
		{"MultipleInstructionsDisallowed", "FROM base AS a\nCMD [\"a\"]\nENTRYPOINT [\"a\"]\nHEALTHCHECK NONE\nCMD [\"b\"]\nHEALTHCHECK CMD x\nENTRYPOINT [\"b\"]\nFROM a\nCMD [\"c\"]\n", []string{
			"2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
			"3 MultipleInstructionsDisallowed: Multiple ENTRYPOINT instructions should not be used in the same stage because only the last one will be used",
			"4 MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used"}},
		{"LegacyKeyValueFormat", "FROM base\nENV a b\nLABEL c d\nENV a=b\n", []string{
			`2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format`,
			`3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format`}},
		{"InvalidBaseImagePlatform", "FROM arm\nFROM base\nFROM --platform=$BUILDPLATFORM arm\nFROM --platform=linux/arm64 arm AS arm64\nFROM unknown\n", []string{
			`1 InvalidBaseImagePlatform: Base image arm was pulled with platform "linux/arm64", expected "linux/amd64" for current build`,
			`3 InvalidBaseImagePlatform: Base image arm was pulled with platform "linux/arm64", expected "linux/amd64" for current build`}},
		{"RedundantTargetPlatform", "FROM --platform=$TARGETPLATFORM base\nFROM --platform=${TARGETPLATFORM} base\nFROM --platform=$BUILDPLATFORM base\nFROM --platform=$TARGETOS/$TARGETARCH base\n", []string{
			"1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
			"2 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior"}},
		{"SecretsUsedInArgOrEnv", "ARG TOKEN\nFROM base\nARG API_KEY\nARG secret_MESSAGE=1 AUTH\nENV DB_PASSWORD=1 PUBLIC_KEY=1 TOKEN_FILE=x KEYS=1 MONKEY=1\n", []string{
			`3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_KEY")`,
			`4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "secret_MESSAGE")`,
			`4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "AUTH")`,
			`5 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "DB_PASSWORD")`}},
		{"InvalidDefaultArgInFrom", "ARG TAG\nARG GOOD=base\nFROM base:${TAG}\nFROM $GOOD\nFROM base:${TAG:-x}\n", []string{
			"3 InvalidDefaultArgInFrom: Default value for ARG base:${TAG} results in empty or invalid base image name"}},
		{"FromPlatformFlagConstDisallowed", "FROM --platform=linux/amd64 base\nFROM --platform=linux/amd64 base AS b_amd64\nFROM --platform=linux base AS linux\n", []string{
			`1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"`}},
		{"InvalidDefinitionDescription is not asked for", "# bar this is foo\nARG foo=1\nFROM base\n", nil},
		{"InvalidDefinitionDescription", "# check=experimental=InvalidDefinitionDescription\n# bar this is foo\nARG foo=1\n# foo this is foo\nARG foo\n# x\nFROM base AS y\n# other\n\nARG foo a\n", []string{
			"3 InvalidDefinitionDescription: Comment for ARG should follow the format: `# foo <description>`",
			"7 InvalidDefinitionDescription: Comment for FROM should follow the format: `# y <description>`",
			"10 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`"}},
		{"ExposeProtoCasing", "FROM base\nEXPOSE 80/TCP\nEXPOSE 53/udp 54/Udp\n", []string{
			"2 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
			"3 ExposeProtoCasing: Defined protocol '54/Udp' in EXPOSE instruction should be lowercase"}},
		{"ExposeInvalidFormat", "FROM base\nEXPOSE 80 8080:80 127.0.0.1:80:80\n", []string{
			"2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
			"2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '8080:80'"}},
		{"triggers", "FROM onbuild\nCMD [\"y\"]\n", []string{
			`1 WorkdirRelativePath: Relative workdir "rel" can have unexpected results if the base image changes`,
			"1 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
			"1 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used"}},
		{"skip", "# check=skip=JSONArgsRecommended,UndefinedVar\nFROM base\nCMD $x\nLABEL a=$x\nWORKDIR x\n", []string{
			`5 WorkdirRelativePath: Relative workdir "x" can have unexpected results if the base image changes`}},
		{"skip all", "# check=skip=all\nfrom base AS X\nCMD x\n", nil},
		{"skip one place", "FROM base\n# check=skip=UndefinedVar\nLABEL a=$x\nLABEL a=$y\n", []string{"4 UndefinedVar: Usage of undefined variable '$y'"}},
		{"skip in a FROM", "# check=skip=all\n# x\n# check=skip=StageNameCasing\nFROM base AS X\n", nil},
		{"every stage", "FROM base AS a\nCMD a\nFROM base AS b\nCMD b\n", []string{
			"2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
			"4 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options()
			o.Args = map[string]string{"TAG": "1"}
			r := Check("Dockerfile", []byte(tt.text), o)
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if tt.want == nil {
				tt.want = []string{}
			}
			if d := cmp.Diff(tt.want, found(r.Warnings())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, f := range r.Findings {
				if f.Description == "" || f.Help == "" || f.URL == "" && !f.Advice && f.Rule != "InvalidBaseImagePlatform" {
					t.Errorf("%s has description %q, help %q, address %q", f.Rule, f.Description, f.Help, f.URL)
				}
			}
		})
	}
}

func TestTargetOnly(t *testing.T) {
	o := options()
	o.Target = "b"
	r := Check("Dockerfile", []byte("FROM base AS a\nCMD a\nFROM base AS b\nCMD b\nFROM base\nCMD c\n"), o)
	if d := cmp.Diff([]string{"4 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals"}, found(r.Warnings())); d != "" {
		t.Error(d)
	}
}

func TestCopyIgnoredFile(t *testing.T) {
	const df = "FROM base\nCOPY a.txt sub/b.log /x/\nADD skip/deep /y\nADD https://example.org/a.log git@example.org:a.log /z\nCOPY . /all\nCOPY --from=base /a.log /\n"
	copying, adding := "CopyIgnoredFile: Attempting to Copy file ", "CopyIgnoredFile: Attempting to Add file "
	const end = " that is excluded by .dockerignore"
	for _, tt := range []struct {
		patterns []string
		want     []string
	}{
		{nil, []string{}},
		{[]string{"**/*.log", "skip"}, []string{"2 " + copying + `"sub/b.log"` + end, "3 " + adding + `"skip/deep"` + end}},
		{[]string{"*.log", "!x"}, []string{}},
		{[]string{"**/*.log", "!keep.log"}, []string{}},
		{[]string{"a.txt", "**"}, []string{"2 " + copying + `"a.txt"` + end, "2 " + copying + `"sub/b.log"` + end, "3 " + adding + `"skip/deep"` + end, "5 " + copying + `"."` + end}},
	} {
		o := options()
		var err error
		if o.Ignored, err = Ignored(tt.patterns); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, found(Check("Dockerfile", []byte(df), o).Warnings())); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.patterns, d)
		}
	}
	if _, err := Ignored([]string{"[a"}); err == nil {
		t.Error("a pattern that is none is taken")
	}
}

func TestErrorsEndACheck(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "Dockerfile:1:1: the file is empty",
		"FROM base AS X\nFOO":               "Dockerfile:2:1: unknown instruction: FOO",
		"FROM base AS X\nENV a=${b:?no}":    "Dockerfile:2:7: ",
		"FROM base AS X\nEXPOSE x":          "Dockerfile:2:8: ",
		"# check=what\nFROM base AS X":      "Dockerfile:1:9: invalid check option \"what\"",
		"FROM base AS X\nCOPY --from=1 / /": "Dockerfile:2:6: invalid stage index 1",
		"ARG a=${b:?no b}\nFROM base AS X":  "Dockerfile:1:7: ",
		"FROM ${a:?no} AS X":                "Dockerfile:1:6: ",
	} {
		r := Check("Dockerfile", []byte(text), options())
		if !errors.As(r.Err, new(*dockerfile.SyntaxError)) || !strings.HasPrefix(r.Err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, r.Err, want)
		}
		if text != "" && len(r.Findings) == 0 {
			t.Errorf("%q: nothing was found before the error", text)
		}
	}
}

func TestStrict(t *testing.T) {
	violation := func(text string) error {
		return Check("Dockerfile", []byte(text), options()).Violation("Dockerfile", []byte(text))
	}
	err := violation("# check=error=true\nFROM base\n  CMD x\nWORKDIR x\nCMD x\n")
	if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:3:3: lint violation found for rules: JSONArgsRecommended, MultipleInstructionsDisallowed, WorkdirRelativePath:") || !strings.HasSuffix(err.Error(), "\n   3 |   CMD x") {
		t.Errorf("violation %v", err)
	}
	for _, text := range []string{"FROM base\nCMD x\n", "# check=error=true\nFROM base\n", "# check=error=true\nFROM base\nRUN cd x\n", "# check=error=true;skip=all\nFROM base\nCMD x\n"} {
		if err := violation(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
