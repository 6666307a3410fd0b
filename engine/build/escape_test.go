package build

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/oci"
)

// canary is a folder beside a context whose files no build may read or change.
func canary(t *testing.T, l *lab) (dir string, check func()) {
	t.Helper()
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("canary"), 0o644))
	at := time.Unix(1234567890, 0)
	must(t, os.Chtimes(filepath.Join(outside, "secret"), at, at))
	return outside, func() {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(outside, "secret"))
		fi, serr := os.Stat(filepath.Join(outside, "secret"))
		names, derr := os.ReadDir(outside)
		if err != nil || serr != nil || derr != nil || string(text) != "canary" || !fi.ModTime().Equal(at) || len(names) != 1 {
			t.Errorf("the folder outside was changed: %q %v %v", text, names, err)
		}
		for _, files := range l.machine.chains {
			for p, f := range files {
				if strings.Contains(f.data, "canary") {
					t.Errorf("%s holds what is outside the context", p)
				}
			}
		}
	}
}

// TestNoCopyLeavesTheContext: whatever links, dots and patterns a context and a Dockerfile have, files outside are not read.
func TestNoCopyLeavesTheContext(t *testing.T) {
	for _, instruction := range []string{
		"COPY abs /x", "COPY abs/secret /x", "COPY abs/.. /x", "COPY up /x", "COPY up/secret /x", "COPY absfile /x", "COPY dir/deep /x", "COPY chain/secret /x", "COPY a*/secret /x", "COPY a*s /x",
		"ADD absfile /x", "ADD ../secret /x", "ADD ../../../../../../../../../../etc/hostname /x", "COPY --parents up/secret /x", "COPY --parents abs/./secret /x", "COPY --parents **/secret /x/", "COPY abs*/ /x/",
	} {
		t.Run(instruction, func(t *testing.T) {
			l := newLab(t)
			outside, check := canary(t, l)
			l.write("dir/f", "f")
			rel, err := filepath.Rel(l.dir, outside)
			must(t, err)
			for name, to := range map[string]string{"abs": outside, "up": rel, "absfile": filepath.Join(outside, "secret"), "dir/deep": filepath.Join("..", rel, "secret"), "chain": "abs"} {
				must(t, os.Symlink(to, filepath.Join(l.dir, name)))
			}
			_, _ = l.try("FROM base\n"+instruction+"\n", Options{})
			check()
		})
	}
}

// TestLinksOfAFolderAreCopiedAsTheyAre: what they point to is not.
func TestLinksOfAFolderAreCopiedAsTheyAre(t *testing.T) {
	l := newLab(t)
	outside, check := canary(t, l)
	l.write("dir/f", "f")
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(l.dir, "dir/out")))
	if got := l.tree(l.build("FROM base\nCOPY dir /d\n", Options{})); got["d/out"] != "-> "+filepath.Join(outside, "secret") {
		t.Errorf("tree %v", got)
	}
	check()
}

// TestLinksSwappedInWhileABuildReads: a folder or a file of the context that becomes a link after its names were read leads nowhere.
func TestLinksSwappedInWhileABuildReads(t *testing.T) {
	for name, swap := range map[string]func(dir, outside string) error{
		"file": func(dir, outside string) error {
			_ = os.Remove(filepath.Join(dir, "d/secret"))
			return os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "d/secret"))
		},
		"folder": func(dir, outside string) error {
			_ = os.RemoveAll(filepath.Join(dir, "d"))
			return os.Symlink(outside, filepath.Join(dir, "d"))
		},
		"folder to inside": func(dir, _ string) error {
			_ = os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "e"))
			_ = os.WriteFile(filepath.Join(dir, "e/secret"), []byte("other!"), 0o644)
			return os.Symlink("e", filepath.Join(dir, "d"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			outside, check := canary(t, l)
			l.write("d/secret", "inside")
			c, err := openContext(l.dir, filepath.Join(l.dir, "Dockerfile"), t.TempDir())
			must(t, err)
			defer c.root.Close()
			must(t, swap(l.dir, outside))
			spec := copySpec{name: "COPY", paths: []string{"d"}, dest: "/x"}
			if sel, err := spec.choose(c); err == nil {
				t.Errorf("the link was followed: %+v", sel.inputs(spec))
			}
			check()
		})
	}
}

// TestTreesOfStagesHoldTheirLinks: links of an image lead to the root of its own tree.
func TestTreesOfStagesHoldTheirLinks(t *testing.T) {
	l := newLab(t)
	l.base("evil", map[string]string{"root@": "/", "up@": "../../../../..", "etc/": "", "etc/hostname": "its own", "passwd@": "/etc/passwd"}, oci.ImageConfig{})
	for _, src := range []string{"/root/etc/hostname", "/up/etc/hostname", "/root/up/root/etc/hostname", "/r*/etc/hostname"} {
		res, err := l.try("FROM base\nCOPY --from=evil "+src+" /got\n", Options{})
		if err == nil && len(res.Image.Layers) > 1 {
			if got := l.tree(res)["got"]; got != "its own" && got != "" {
				t.Errorf("%s gave %q", src, got)
			}
		}
	}
	if _, err := l.try("FROM base\nCOPY --from=evil /passwd /got\n", Options{}); err == nil || !strings.Contains(err.Error(), `"/passwd": not found`) {
		t.Errorf("a link to what only the machine has: %v", err)
	}
	// Nor does a destination lead out: the names lie in the tree.
	l.write("f", "f")
	l.write("a.tar", string(archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "up/etc/f"})))
	for dockerfile, want := range map[string]string{"COPY f /up/up/etc/f": "etc/f", "COPY f /root/tmp/": "tmp/f", "COPY f ../../../../../etc/f": "etc/f", "ADD a.tar /": "etc/f", "ADD a.tar /etc": "etc/up/etc/f"} {
		res := l.build("FROM evil\n"+dockerfile+"\n", Options{})
		if got := l.entries(res); !strings.HasPrefix(got[want], "file ") {
			t.Errorf("%s made %v", dockerfile, got)
		}
	}
}
