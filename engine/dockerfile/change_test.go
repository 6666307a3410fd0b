package dockerfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/oci"
)

func TestChange(t *testing.T) {
	c := oci.ImageConfig{Env: []string{"A=1"}, Cmd: []string{"old"}, Shell: []string{"/bin/ash", "-c"}}
	err := Change(&c, []string{
		"env B=$A/x", "LABEL b=${B} quoted=\"two words\"", "EXPOSE 80 53/udp", "VOLUME /a /b", `VOLUME ["/c"]`, "WORKDIR srv", "WORKDIR $B",
		"USER 5", "ENTRYPOINT run it", `HEALTHCHECK --retries=2 CMD ["ok"]`, "ONBUILD RUN echo $A", "STOPSIGNAL TERM",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := oci.ImageConfig{
		Env: []string{"A=1", "B=1/x"}, Shell: []string{"/bin/ash", "-c"}, Labels: map[string]string{"b": "1/x", "quoted": "two words"},
		ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}}, Volumes: map[string]struct{}{"/a": {}, "/b": {}, "/c": {}},
		WorkingDir: "/srv/1/x", User: "5", Entrypoint: []string{"/bin/ash", "-c", "run it"}, OnBuild: []string{"RUN echo $A"}, StopSignal: "TERM",
		Healthcheck: &oci.HealthConfig{Test: []string{"CMD", "ok"}, Retries: 2},
	}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
}

func TestEntrypointKeepsOnlyACommandOfTheSameChange(t *testing.T) {
	for _, tt := range []struct {
		changes []string
		want    []string
	}{
		{[]string{`CMD ["new"]`, `ENTRYPOINT ["e"]`}, []string{"new"}},
		{[]string{`ENTRYPOINT ["e"]`, `CMD ["new"]`}, []string{"new"}},
		{[]string{`ENTRYPOINT ["e"]`}, nil},
	} {
		c := oci.ImageConfig{Cmd: []string{"old"}}
		if err := Change(&c, tt.changes); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, c.Cmd); d != "" {
			t.Errorf("%q: %s", tt.changes, d)
		}
	}
}

func TestChangeRefuses(t *testing.T) {
	for change, want := range map[string]string{
		"RUN x":           "run is not a valid change command",
		"from scratch":    "from is not a valid change command",
		"Bogus x":         "bogus is not a valid change command",
		"ENV":             "ENV requires at least one argument",
		"ENV A":           "ENV must have two arguments",
		"EXPOSE seven":    "invalid containerPort: seven",
		"STOPSIGNAL no":   "invalid signal no",
		"LABEL a=b c":     "can't find = in \"c\"",
		"":                "no instructions",
		"CMD x\nRUN y":    "run is not a valid change command",
		"ONBUILD ONBUILD": "isn't allowed",
	} {
		err := Change(&oci.ImageConfig{}, []string{change})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Change(%q) = %v, want %q", change, err, want)
		}
	}
}

func FuzzChange(f *testing.F) {
	for _, s := range []string{"CMD x", "ENV a=b", "EXPOSE 1-2", "LABEL a=\"b", "ONBUILD RUN x", "USER $X", "CMD <<E\nx\nE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, change string) {
		c := oci.ImageConfig{}
		if Change(&c, []string{change}) != nil {
			return
		}
		if _, err := (oci.Image{Config: c}).Encode(); err != nil {
			t.Fatalf("%q: %v", change, err)
		}
	})
}
