package build

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"
)

// inputsOf is the part of a key that stands for what a COPY reads in a folder.
func inputsOf(rt *rapid.T, dir, cache string, spec copySpec) digest.Digest {
	c, err := openContext(dir, filepath.Join(dir, "Dockerfile"), cache)
	if err != nil {
		rt.Fatal(err)
	}
	defer c.close()
	sel, err := spec.choose(c)
	if err != nil {
		rt.Fatal(err)
	}
	return inputsDigest(sel.inputs(spec))
}

// TestKeysChangeWithWhatIsRead: a key changes exactly if the content, mode, type, link text or name of something changes that is copied.
func TestKeysChangeWithWhatIsRead(t *testing.T) {
	root, cache, n := t.TempDir(), t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "d/a", "d/b", "d/e/c", "skip/x", "f.log"}), 2, 5, rapid.ID).Draw(rt, "names")
		for _, name := range names {
			p := filepath.Join(dir, name)
			if os.MkdirAll(filepath.Dir(p), 0o755) != nil || os.WriteFile(p, []byte(name), 0o644) != nil || os.Chmod(p, 0o644) != nil {
				rt.Fatal("write context")
			}
		}
		spec := copySpec{name: "COPY", paths: []string{"."}, dest: "/x", exclude: []string{"skip", "*.log"}}
		before := inputsOf(rt, dir, cache, spec)
		name := rapid.SampledFrom(names).Draw(rt, "name")
		edit := rapid.SampledFrom(slices.Sorted(maps.Keys(edits))).Draw(rt, "edit")
		changes, err := edits[edit](filepath.Join(dir, name))
		if err != nil {
			rt.Fatal(err)
		}
		read := name != "f.log" && filepath.Dir(name) != "skip"
		if after := inputsOf(rt, dir, cache, spec); (before != after) != (changes && read) {
			rt.Fatalf("%s of %s, which is read: %t: key changed: %t", edit, name, read, before != after)
		}
	})
}

// edits change a file, and tell whether that is a change for a key.
var edits = map[string]func(p string) (bool, error){
	"nothing": func(string) (bool, error) { return false, nil },
	"touch":   func(p string) (bool, error) { return false, os.Chtimes(p, time.Unix(5, 0), time.Unix(6, 0)) },
	"rewrite": func(p string) (bool, error) {
		text, err := os.ReadFile(p)
		if err != nil {
			return false, err
		}
		return false, os.WriteFile(p, text, 0o644)
	},
	"content": func(p string) (bool, error) { return true, os.WriteFile(p, []byte("other"), 0o644) },
	"grow":    func(p string) (bool, error) { return true, os.WriteFile(p, []byte("much longer than before"), 0o644) },
	"mode":    func(p string) (bool, error) { return true, os.Chmod(p, 0o755) },
	"remove":  func(p string) (bool, error) { return true, os.Remove(p) },
	"rename": func(p string) (bool, error) {
		return true, os.Rename(p, filepath.Join(filepath.Dir(p), "z"+filepath.Base(p)))
	},
	"type": func(p string) (bool, error) {
		if err := os.Remove(p); err != nil {
			return true, err
		}
		return true, os.Mkdir(p, 0o755)
	},
	"link": func(p string) (bool, error) {
		if err := os.Remove(p); err != nil {
			return true, err
		}
		return true, os.Symlink("nowhere", p)
	},
	"replace by its copy": func(p string) (bool, error) {
		text, err := os.ReadFile(p)
		if err != nil {
			return false, err
		}
		if err := os.Remove(p); err != nil {
			return false, err
		}
		return false, os.WriteFile(p, text, 0o644)
	},
}

// TestKeysOfTrees: from a stage owners, devices and extended attributes count too; times don't.
func TestKeysOfTrees(t *testing.T) {
	base := files{"d": {Entry: layer.Entry{Path: "d", Kind: layer.Dir, Mode: 0o755}}, "d/f": {Entry: layer.Entry{Path: "d/f", Kind: layer.File, Mode: 0o644, Size: 1}, data: "f"},
		"d/l": {Entry: layer.Entry{Path: "d/l", Kind: layer.Symlink, Link: "f"}}}
	key := func(change func(f *file), of string) digest.Digest {
		tree := files{}
		for p, f := range base {
			if p == of {
				change(&f)
			}
			tree[p] = f
		}
		m := newMachine()
		m.chains["x"] = tree
		opened, err := m.OpenChain(context.Background(), "x")
		must(t, err)
		wrapped, err := wrapTree(context.Background(), opened)
		must(t, err)
		spec := copySpec{name: "COPY", from: "x", paths: []string{"/d"}, dest: "/x"}
		sel, err := spec.choose(wrapped)
		must(t, err)
		return inputsDigest(sel.inputs(spec))
	}
	same := key(func(*file) {}, "")
	for name, tt := range map[string]struct {
		of      string
		change  func(f *file)
		changed bool
	}{
		"time":    {"d/f", func(f *file) { f.ModTime = time.Unix(99, 0) }, false},
		"content": {"d/f", func(f *file) { f.data = "g" }, true},
		"user":    {"d/f", func(f *file) { f.UID = 1 }, true},
		"group":   {"d/f", func(f *file) { f.GID = 1 }, true},
		"mode":    {"d/f", func(f *file) { f.Entry.Mode = 0o600 }, true},
		"folder":  {"d", func(f *file) { f.GID, f.Entry.Mode = 1, 0o700 }, false}, // its contents are copied, not itself
		"link":    {"d/l", func(f *file) { f.Link = "g" }, true},
		"xattr":   {"d/f", func(f *file) { f.Xattrs = map[string]string{"user.k": "v"} }, true},
	} {
		if got := key(tt.change, tt.of); (got != same) != tt.changed {
			t.Errorf("%s: the key changed: %t", name, got != same)
		}
	}
}
