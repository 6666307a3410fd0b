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
		img := l.build(df, Options{Platform: "linux/arm64"}).Image.Config
		if d := cmp.Diff(want, img.Config); d != "" {
			t.Errorf("%q (-want +got):\n%s", df, d)
		}
		if df[5] == 's' && (img.OS != "linux" || img.Architecture != "arm64") {
			t.Errorf("%q is for %s/%s", df, img.OS, img.Architecture)
		}
	}
}
