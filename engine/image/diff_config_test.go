package image

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func fieldLines(list []DiffField) []string {
	lines := []string{}
	for _, f := range list {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s>%s", f.Kind, f.Field, f.Key, f.A, f.B))
	}
	return lines
}

func TestDiffConfig(t *testing.T) {
	seven, later := 7, monday.Add(time.Minute)
	set := func(keys ...string) map[string]struct{} {
		m := map[string]struct{}{}
		for _, k := range keys {
			m[k] = struct{}{}
		}
		return m
	}
	for _, c := range []struct {
		name string
		a, b oci.ImageConfig
		want []string
	}{
		{"nothing", oci.ImageConfig{}, oci.ImageConfig{}, []string{}},
		{"empty is none", oci.ImageConfig{Cmd: []string{}}, oci.ImageConfig{}, []string{}},
		{"variables", oci.ImageConfig{Env: []string{"A=1", "B=2", "E="}}, oci.ImageConfig{Env: []string{"A=x=y", "C=3"}},
			[]string{"C Env A: 1>x=y", "D Env B: 2>", "A Env C: >3", "D Env E: >"}},
		{"order of variables", oci.ImageConfig{Env: []string{"A=1", "B=2"}}, oci.ImageConfig{Env: []string{"B=2", "A=1"}},
			[]string{`C Env : ["A=1","B=2"]>["B=2","A=1"]`}},
		{"lists", oci.ImageConfig{Entrypoint: []string{"a"}, Cmd: []string{"b", "<c>"}, Shell: []string{"sh"}},
			oci.ImageConfig{Cmd: []string{"b <c>"}, Shell: []string{"bash"}, OnBuild: []string{"RUN x"}},
			[]string{`D Entrypoint : ["a"]>`, `C Cmd : ["b","<c>"]>["b <c>"]`, `C Shell : ["sh"]>["bash"]`, `A OnBuild : >["RUN x"]`}},
		{"words", oci.ImageConfig{WorkingDir: "/a", User: "u"}, oci.ImageConfig{WorkingDir: "/b", StopSignal: "INT", StopTimeout: &seven},
			[]string{"C WorkingDir : /a>/b", "D User : u>", "A StopSignal : >INT", "A StopTimeout : >7"}},
		{"sets", oci.ImageConfig{ExposedPorts: set("80/tcp", "53/udp"), Volumes: set("/v")}, oci.ImageConfig{ExposedPorts: set("80/tcp"), Volumes: set("/w")},
			[]string{"D ExposedPorts 53/udp: >", "D Volumes /v: >", "A Volumes /w: >"}},
		{"labels", oci.ImageConfig{Labels: map[string]string{"a": "1", "b": ""}}, oci.ImageConfig{Labels: map[string]string{"a": "2"}},
			[]string{"C Labels a: 1>2", "D Labels b: >"}},
		{"health", oci.ImageConfig{Healthcheck: &oci.HealthConfig{Test: []string{"NONE"}}}, oci.ImageConfig{Healthcheck: &oci.HealthConfig{Test: []string{"CMD", "x"}, Retries: 3}},
			[]string{`C Healthcheck : {"Test":["NONE"]}>{"Test":["CMD","x"],"Retries":3}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			d := w.diffOf(w.quickly(oci.Image{Config: c.a, Created: &monday}), w.quickly(oci.Image{Config: c.b, Created: &later}))
			if diff := cmp.Diff(c.want, fieldLines(d.Config)); diff != "" {
				t.Error(diff)
			}
			if len(d.ConfigTimes) != 1 || d.ConfigTimes[0].Field != "Created" {
				t.Errorf("times %v", d.ConfigTimes)
			}
		})
	}
}

func TestDiffHistory(t *testing.T) {
	later := monday.Add(time.Second)
	step := func(text string, at *time.Time) v1.History {
		return v1.History{CreatedBy: text, Created: at, EmptyLayer: true}
	}
	w := newWorkshop(t)
	a := w.quickly(oci.Image{History: []v1.History{step("ADD", &monday), step("RUN 1", &monday), step("CMD", &monday)}})
	b := w.quickly(oci.Image{History: []v1.History{step("ADD", &monday), step("RUN 2", &later), step("ENV", &later), step("CMD", &later)}})
	d, err := w.Diff(w.ctx, a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"D History 2: RUN 1 (no layer)>", "A History 2: >RUN 2 (no layer)", "A History 3: >ENV (no layer)"}
	if diff := cmp.Diff(want, fieldLines(d.Config)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"C History 4: 2023-11-14T22:13:20Z>2023-11-14T22:13:21Z"}, fieldLines(d.ConfigTimes)); diff != "" {
		t.Error(diff)
	}
}

// TestDiffUnknownFields: what the engine doesn't know is compared, too, and how JSON is written is not.
func TestDiffUnknownFields(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		want       []string
		reencoded  bool
	}{
		{"top", `{"os":"linux","architecture":"amd64","docker_version":"1","rootfs":{"type":"layers"}}`,
			`{"os":"linux","architecture":"amd64","docker_version": "2","rootfs":{"type":"layers"}}`, []string{`C Other docker_version: "1">"2"`}, false},
		{"settings", `{"os":"linux","architecture":"amd64","config":{"Hostname":"x","Image":null},"rootfs":{"type":"layers"}}`,
			`{"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers"}}`, []string{`D Config.Other Hostname: "x">`}, false},
		{"spaces and order", `{"os":"linux","architecture":"amd64","x":{"a": 1},"rootfs":{"type":"layers"}}`,
			`{"architecture":"amd64","os":"linux","x": {"a":1},"rootfs":{"type":"layers"}}`, []string{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorkshop(t)
			d := w.diffOf(w.ofConfig(c.a), w.ofConfig(c.b))
			if diff := cmp.Diff(c.want, fieldLines(d.Config)); diff != "" {
				t.Error(diff)
			}
			if d.Reencoded != c.reencoded || d.Differs(true) == c.reencoded {
				t.Errorf("reencoded %v, differs %v: %s", d.Reencoded, d.Differs(true), d.Verdict())
			}
		})
	}
}
