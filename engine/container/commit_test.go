package container_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/oci"
)

func TestCommit(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}, Env: []string{"A=1"}})
	c := b.create("web")
	b.start("web")
	b.keys[c.ID]["etc/new"] = "hello"
	ref, err := oci.ParseRef("made:1")
	b.must(err)
	img, err := b.Commit(b.ctx, "web", container.CommitOptions{Refs: []oci.Ref{ref}, Author: "me", Message: "why",
		Changes: []string{`CMD ["echo", "hi"]`, `env B="two words" C=3`, "EXPOSE 80 53/udp", "LABEL x=y", "WORKDIR /srv", "WORKDIR app", "USER 5", "ENTRYPOINT run it"}})
	b.must(err)
	got, err := b.images.Resolve(b.ctx, "made:1")
	b.must(err)
	if got.ID != img.ID || len(got.Layers) != 2 || got.Layers[0].DiffID != b.img.Layers[0].DiffID || got.Layers[1].DiffID != got.Layers[1].Descriptor.Digest {
		t.Errorf("image: %+v", got)
	}
	want := oci.ImageConfig{User: "5", Env: []string{"A=1", "B=two words", "C=3"}, Cmd: []string{"echo", "hi"}, WorkingDir: "/srv/app",
		Entrypoint: []string{"/bin/sh", "-c", "run it"}, Labels: map[string]string{"x": "y"}, ExposedPorts: map[string]struct{}{"80/tcp": {}, "53/udp": {}}}
	if d := cmp.Diff(want, got.Config.Config); d != "" {
		t.Error(d)
	}
	h := got.Config.History
	if last := h[len(h)-1]; last.Comment != "why" || last.Author != "me" || last.CreatedBy != "sleep" || got.Config.Author != "me" {
		t.Errorf("history: %+v", h)
	}
	if d := cmp.Diff([]string{"created running 0 false", "running paused 0 false", "paused running 0 false"}, b.events.kinds("container.state")); d != "" {
		t.Error(d)
	}
}

func TestEmptyCommitMakesAnEmptyLayer(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	b.create("web")
	img, err := b.Commit(b.ctx, "web", container.CommitOptions{})
	b.must(err)
	const empty = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef" // docker's empty layer
	if d := cmp.Diff(empty, img.Layers[1].DiffID.String()); d != "" {
		t.Error(d)
	}
}

func TestBadChanges(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	b.create("web")
	for _, change := range []string{"RUN x", "ENV", "ENV A", "ENV =x", `ENV A="x`, "EXPOSE seven", "", "STOPSIGNAL no", `LABEL a=b c`} {
		if _, err := b.Commit(b.ctx, "web", container.CommitOptions{Changes: []string{change}}); err == nil {
			t.Errorf("change %q was taken", change)
		}
	}
}

func TestExport(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	b.create("web")
	var out bytes.Buffer
	b.must(b.Export(b.ctx, "web", &out))
	if out.Len() != 512 {
		t.Errorf("archive has %d bytes, want 512", out.Len())
	}
	if d := cmp.Diff([]string{"", "512"}, b.events.kinds("container.export")); d != "" {
		t.Error(d)
	}
}
