package oci

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"pgregory.net/rapid"
)

func TestChainIDMatchesTheSpecification(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var diffs []digest.Digest
		for _, s := range rapid.SliceOfN(rapid.String(), 0, 8).Draw(t, "layers") {
			diffs = append(diffs, digest.FromString(s))
		}
		if got, want := ChainID(diffs), identity.ChainID(append([]digest.Digest(nil), diffs...)); got != want {
			t.Fatalf("ChainID = %s, want %s", got, want)
		}
		want := identity.ChainIDs(append([]digest.Digest(nil), diffs...))
		if got := ChainIDs(diffs); len(diffs) > 0 && !cmp.Equal(got, want) {
			t.Fatal(cmp.Diff(want, got))
		}
	})
}

func TestCheckDigest(t *testing.T) {
	good := "sha256:" + strings.Repeat("0af", 21) + "0"
	if err := CheckDigest(digest.Digest(good)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "sha256:", "sha256:../../x", "sha256:" + strings.Repeat("A", 64), "sha256:" + strings.Repeat("a", 63),
		"sha512:" + strings.Repeat("a", 128), "md5:" + strings.Repeat("a", 32), good + "0", strings.Repeat("a", 64)} {
		if CheckDigest(digest.Digest(bad)) == nil {
			t.Errorf("CheckDigest(%q) accepts it", bad)
		}
	}
}

func TestShortID(t *testing.T) {
	if got := ShortID(digest.FromString("")); got != "e3b0c44298fc" {
		t.Errorf("ShortID = %q", got)
	}
	if got := ShortID("x"); got != "x" {
		t.Errorf("ShortID = %q", got)
	}
}

const config = `{"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Cmd":["sh"],"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":1000000000},` +
	`"OnBuild":["RUN x"],"Shell":["/bin/sh","-c"],"StopTimeout":3},"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}`

func TestImageKeepsDockersFields(t *testing.T) {
	img, err := ParseImage([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	out, err := img.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal([]byte(config), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	manifest := func(b string) error { _, err := ParseManifest([]byte(b)); return err }
	index := func(b string) error { _, err := ParseIndex([]byte(b)); return err }
	image := func(b string) error { _, err := ParseImage([]byte(b)); return err }
	ok := `{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":1}`
	for _, tc := range []struct {
		name  string
		parse func(string) error
		in    string
		want  string
	}{
		{"both", manifest, `{"config":` + ok + `,"layers":[],"manifests":[]}`, "list"},
		{"index as manifest", manifest, `{"mediaType":"` + MediaTypeIndex + `","config":` + ok + `}`, "list"},
		{"manifest as index", index, `{"layers":[],"manifests":[]}`, "manifest"},
		{"no config", manifest, `{"layers":[]}`, "config"},
		{"negative size", manifest, `{"config":{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":-1}}`, "size is -1"},
		{"traversal", manifest, `{"config":` + ok + `,"layers":[{"digest":"sha256:../../x","size":1}]}`, "layers[0]"},
		{"upper case", index, `{"manifests":[{"digest":"sha256:` + strings.Repeat("A", 64) + `","size":1}]}`, "manifests[0]"},
		{"unknown algorithm", index, `{"manifests":[{"digest":"sha512:` + strings.Repeat("a", 128) + `","size":1}]}`, "only sha256"},
		{"huge", manifest, strings.Repeat(" ", MaxJSON+1), "at most"},
		{"bad diff id", image, `{"rootfs":{"type":"layers","diff_ids":["x"]}}`, "diff_ids[0]"},
		{"rootfs type", image, `{"rootfs":{"type":"tree"}}`, "rootfs type"},
		{"no json", image, `{`, "parse image config"},
	} {
		if err := tc.parse(tc.in); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error = %v, want one with %q", tc.name, err, tc.want)
		}
	}
}

func TestLayerTypes(t *testing.T) {
	for _, m := range []string{v1.MediaTypeImageLayer, v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayerZstd, DockerLayer, DockerLayerGzip} {
		if !IsLayer(m) {
			t.Errorf("IsLayer(%q) = false", m)
		}
	}
	if IsLayer(MediaTypeConfig) || IsPlainLayer(MediaTypeLayerGzip) {
		t.Error("a config or a compressed layer passes")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(config))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":1}]}`))
	f.Add([]byte(`{"config":{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":1},"layers":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseManifest(b); err == nil {
			for _, d := range append(m.Layers, m.Config) {
				if CheckDescriptor(d) != nil {
					t.Fatalf("manifest with bad descriptor %v accepted", d)
				}
			}
			if _, err := ParseIndex(b); err == nil {
				t.Fatal("a manifest is accepted as an index too")
			}
		}
		if img, err := ParseImage(b); err == nil {
			if _, err := img.Encode(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
