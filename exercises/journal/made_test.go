package journal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

func TestMade(t *testing.T) {
	events := []trace.Event{
		{Kind: vocab.ImageTag, Phase: trace.Note, Attrs: []trace.Attr{trace.String("ref", "x")}},
		{Kind: vocab.ImageCreate, Phase: trace.Note, Attrs: []trace.Attr{trace.String("image", "sha256:ff"), trace.String("origin", "base")}},
		{Kind: vocab.ImageCreate, Phase: trace.Note, Attrs: []trace.Attr{trace.String("image", "sha256:aa"), trace.String("manifest", "sha256:bb"), trace.Strings("diff_ids", []string{"sha256:cc", "sha256:dd"})}},
		{Kind: vocab.ContainerCreate, Phase: trace.Note, Attrs: []trace.Attr{trace.String("container", "ee")}},
		{Kind: vocab.ProcExec, Phase: trace.Note, Attrs: []trace.Attr{trace.Int("pid", 4711)}},
		{Kind: vocab.RegistryManifest, Phase: trace.Note, Attrs: []trace.Attr{trace.String("act", "lacks"), trace.String("digest", "")}},
		{Kind: vocab.RegistryManifest, Phase: trace.Note, Attrs: []trace.Attr{trace.String("act", "takes"), trace.String("digest", "sha256:ab")}},
		{Kind: vocab.RegistryManifest, Phase: trace.Note, Attrs: []trace.Attr{trace.String("act", "gives"), trace.String("digest", "sha256:ab")}},
	}
	got := Made(events)
	if d := cmp.Diff([]string{"image aa", "manifest bb", "layer cc", "layer dd", "container ee", "process 4711", "manifest ab"}, got); d != "" {
		t.Error(d)
	}
	if err := validMade([]string{"image aa"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "image", "image ", "image xyz", "thing aa", "image " + strings.Repeat("a", 100)} {
		if validMade([]string{bad}) == nil {
			t.Errorf("%q is taken for something made", bad)
		}
	}
}

func TestNames(t *testing.T) {
	one, two := strings.Repeat("1234abcd", 8), strings.Repeat("1234ef", 10)+"0000"
	var n Names
	if n.In(one) != one {
		t.Error("who knows nothing changes nothing")
	}
	n.Learn([]string{"image " + one, "container " + two, "process 4711", "layer " + strings.Repeat("c", 64)},
		[]string{"container " + strings.Repeat("b", 64), "image " + strings.Repeat("a", 64), "process 99", "image " + strings.Repeat("d", 64)})
	for in, want := range map[string]string{
		"sha256:" + one:               "sha256:" + strings.Repeat("a", 64),
		"1234abcd1234":                "aaaaaaaaaaaa",
		"1234e:/etc":                  "bbbbb:/etc",
		"1234":                        "1234", // of two
		"x1234abcd":                   "x1234abcd",
		"4711\n":                      "99\n",
		"47110":                       "47110",
		"cccc":                        "cccc", // nothing was made here for it
		"shop:1 @sha256:1234abcd1, 5": "shop:1 @sha256:aaaaaaaaa, 5",
	} {
		if got := n.In(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
