package dockerfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/oci"
)

func TestParsePlatform(t *testing.T) {
	here := oci.Architecture()
	for s, want := range map[string]string{
		"linux/amd64": "linux/amd64", "Linux/x86_64": "linux/amd64", "linux/x86-64/v1": "linux/amd64", "linux/amd64/v2": "linux/amd64/v2",
		"linux/arm64": "linux/arm64", "linux/aarch64": "linux/arm64", "linux/arm64/v8": "linux/arm64/v8", "linux/arm64/8": "linux/arm64/v8",
		"linux/arm": "linux/arm", "linux/arm/v7": "linux/arm/v7", "linux/arm/7": "linux/arm/v7", "linux/armhf": "linux/arm", "linux/armel": "linux/arm/v6",
		"linux/arm/v6": "linux/arm/v6", "linux/i386": "linux/386", "macos/arm64": "darwin/arm64", "windows(10.0.17763)/amd64": "windows(10.0.17763)/amd64",
		"linux": "linux/" + here, "arm64": "linux/arm64", "aarch64": "linux/arm64", "riscv64": "linux/riscv64", "linux/unheard-of": "linux/unheard-of",
		"": "", "nonsense": "", "linux/": "", "/amd64": "", "linux/a/b/c": "", "linux/*": "", "linux amd64": "", "windows(1": "", "win(1)x/amd64": "", "linux/amd64,linux/arm64": "",
	} {
		p, err := ParsePlatform(s)
		if err != nil {
			if want != "" || !strings.Contains(err.Error(), `"`) {
				t.Errorf("%q: %v", s, err)
			}
			continue
		}
		if p.String() != want {
			t.Errorf("%q is %s, want %q", s, p, want)
		}
	}
	for _, pair := range [][2]string{{"linux/arm64", "linux/arm64/v8"}, {"linux/arm", "linux/arm/v7"}, {"linux/amd64", "linux/x86_64/v1"}} {
		a, _ := ParsePlatform(pair[0])
		b, _ := ParsePlatform(pair[1])
		if !a.Same(b) || !b.Same(a) {
			t.Errorf("%s and %s are not the same", a, b)
		}
	}
	a, _ := ParsePlatform("linux/arm/v6")
	if b, _ := ParsePlatform("linux/arm"); a.Same(b) {
		t.Errorf("%s and %s are the same", a, b)
	}
	if s := (Platform{}).String(); s != "unknown" {
		t.Errorf("no platform is %q", s)
	}
}

func TestPlatforms(t *testing.T) {
	const df = `ARG os=linux
FROM --platform=$BUILDPLATFORM a AS build
FROM --platform=$os/s390x a AS big
FROM a AS plain
FROM build AS child
FROM scratch AS none
FROM --platform=${TARGETOS}/$TARGETARCH b
COPY --from=build / /
COPY --from=big / /
COPY --from=plain / /
COPY --from=child / /
COPY --from=none / /
`
	p, err := parse(t, df).Plan(PlanOptions{Platform: "linux/aarch64", BuildPlatform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, st := range p.Stages {
		got = append(got, st.Platform.String())
	}
	want := []string{"linux/amd64", "linux/s390x", "linux/arm64", "linux/amd64", "linux/arm64", "linux/arm64"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if p.Target.String() != "linux/arm64" || p.Build.String() != "linux/amd64" {
		t.Errorf("target %s, build %s", p.Target, p.Build)
	}
	if _, err := parse(t, "FROM a\n").Plan(PlanOptions{Platform: "a,b"}); err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:1:1: --platform: \"a,b\"") {
		t.Errorf("list of platforms: %v", err)
	}
}
