package build

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/engine/oci"
)

// TestConfigsToBeginWith: a stage on nothing starts in /, and every image says where programs are.
func TestConfigsToBeginWith(t *testing.T) {
	l := newLab(t)
	l.base("bare", map[string]string{"x": "x"}, oci.ImageConfig{Env: []string{"A=1"}})
	for df, want := range map[string]oci.ImageConfig{
		"FROM scratch\nUSER 1\n": {Env: []string{defaultPath}, WorkingDir: "/", User: "1"},
		"FROM bare\nUSER 1\n":    {Env: []string{"A=1", defaultPath}, User: "1"},
		"FROM base\nUSER 1\n":    {Env: []string{"PATH=/bin", "LANG=C"}, Cmd: []string{"sh"}, User: "1"},
	} {
		platform := "linux/amd64" // of the bases
		if df[5] == 's' {
			platform = "linux/arm64"
		}
		img := l.build(df, Options{Platform: platform}).Image.Config
		if d := cmp.Diff(want, img.Config); d != "" {
			t.Errorf("%q (-want +got):\n%s", df, d)
		}
		if img.OS+"/"+img.Architecture != platform {
			t.Errorf("%q is for %s/%s, want %s", df, img.OS, img.Architecture, platform)
		}
	}
}
