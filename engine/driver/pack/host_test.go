package pack

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

type item struct {
	kind       byte
	name, text string // text of a file, or where a link leads
	mode       int64
}

func archiveOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, i := range items {
		h := &tar.Header{Typeflag: i.kind, Name: i.name, Mode: 0o644, ModTime: time.Unix(1_700_000_000, 0)}
		switch {
		case i.mode != 0:
			h.Mode = i.mode
		case i.kind == tar.TypeDir:
			h.Mode = 0o755
		}
		if i.kind == tar.TypeReg {
			h.Size = int64(len(i.text))
		} else {
			h.Linkname = i.text
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if i.kind == tar.TypeReg {
			if _, err := w.Write([]byte(i.text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// outside is a folder with a canary in it, beside the one to extract to.
func outside(t testing.TB) (dir, inside string, unharmed func()) {
	t.Helper()
	dir = t.TempDir()
	inside = filepath.Join(dir, "inside")
	canary := filepath.Join(dir, "canary")
	if err := errors.Join(os.Mkdir(inside, 0o755), os.WriteFile(canary, []byte("alive"), 0o600)); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(canary)
	if err != nil {
		t.Fatal(err)
	}
	return dir, inside, func() {
		t.Helper()
		text, err := os.ReadFile(canary)
		after, serr := os.Stat(canary)
		entries, _ := os.ReadDir(dir)
		if err != nil || serr != nil || string(text) != "alive" || after.Mode() != before.Mode() || !after.ModTime().Equal(before.ModTime()) || len(entries) != 2 {
			t.Errorf("outside: %q, %v, %v, %v", text, errors.Join(err, serr), after, entries)
		}
	}
}

// Nothing that a container sends reaches beyond the folder that its user named.
func TestHostileArchivesStayInside(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links take a privilege here")
	}
	for _, c := range []struct {
		rule  string
		items []item
		fails bool
	}{
		{"dots", []item{{kind: tar.TypeReg, name: "../canary", text: "x"}}, true},
		{"dots in the middle", []item{{kind: tar.TypeDir, name: "a/"}, {kind: tar.TypeReg, name: "a/../../canary", text: "x"}}, true},
		{"absolute", []item{{kind: tar.TypeReg, name: "/canary", text: "x"}}, false},
		{"link, then through it", []item{{kind: tar.TypeSymlink, name: "l", text: ".."}, {kind: tar.TypeReg, name: "l/canary", text: "x"}}, true},
		{"absolute link, then through it", []item{{kind: tar.TypeSymlink, name: "l", text: "OUT"}, {kind: tar.TypeReg, name: "l/new", text: "x"}}, true},
		{"folder replaced by a link", []item{{kind: tar.TypeDir, name: "d/"}, {kind: tar.TypeSymlink, name: "d", text: ".."}, {kind: tar.TypeReg, name: "d/canary", text: "x"}}, true},
		{"link replaced by a folder", []item{{kind: tar.TypeSymlink, name: "d", text: ".."}, {kind: tar.TypeDir, name: "d/", mode: 0o777}}, true},
		{"hard link out", []item{{kind: tar.TypeLink, name: "h", text: "../canary"}}, true},
		{"hard link out, absolute", []item{{kind: tar.TypeLink, name: "h", text: "OUT/canary"}}, true},
		{"hard link through a link", []item{{kind: tar.TypeSymlink, name: "l", text: ".."}, {kind: tar.TypeLink, name: "h", text: "l/canary"}}, true},
		{"hard link to a link, then written", []item{{kind: tar.TypeSymlink, name: "l", text: "../canary"}, {kind: tar.TypeLink, name: "h", text: "l"}, {kind: tar.TypeReg, name: "h", text: "x", mode: 0o777}}, false},
		{"modes of the folder itself", []item{{kind: tar.TypeDir, name: ".", mode: 0o777}, {kind: tar.TypeDir, name: "..", mode: 0o777}}, true},
		{"root as a link", []item{{kind: tar.TypeSymlink, name: ".", text: ".."}, {kind: tar.TypeReg, name: "canary2", text: "x"}}, false},
		{"devices", []item{{kind: tar.TypeBlock, name: "sda"}, {kind: tar.TypeChar, name: "mem"}, {kind: tar.TypeFifo, name: "p"}}, false},
		{"whiteouts are names", []item{{kind: tar.TypeReg, name: ".wh.inside", text: "x"}, {kind: tar.TypeReg, name: ".wh..wh..opq"}}, false},
		{"twice", []item{{kind: tar.TypeReg, name: "f", text: "one"}, {kind: tar.TypeSymlink, name: "f", text: "../canary"}, {kind: tar.TypeReg, name: "f", text: "three"}}, false},
		{"unknown type", []item{{kind: 'Z', name: "f"}}, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			dir, inside, unharmed := outside(t)
			for i := range c.items {
				c.items[i].text = strings.Replace(c.items[i].text, "OUT", dir, 1)
			}
			_, err := Host{}.Extract(t.Context(), inside, bytes.NewReader(archiveOf(t, c.items...)))
			if (err != nil) != c.fails {
				t.Errorf("error %v, want one: %v", err, c.fails)
			}
			unharmed()
			if fi, err := os.Stat(inside); err != nil || fi.Mode().Perm() != 0o755 {
				t.Errorf("the folder: %v, %v", fi, err)
			}
			for _, n := range []string{"sda", "mem", "p"} {
				if _, err := os.Lstat(filepath.Join(inside, n)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s was made: %v", n, err)
				}
			}
		})
	}
}

func TestHostRoundTrip(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links take a privilege here")
	}
	from, to := t.TempDir(), t.TempDir()
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	err := errors.Join(os.MkdirAll(filepath.Join(from, "d/empty"), 0o711), os.WriteFile(filepath.Join(from, "d/f"), big, 0o640), os.Symlink("f", filepath.Join(from, "d/l")),
		os.Link(filepath.Join(from, "d/f"), filepath.Join(from, "d/h")), os.Chmod(filepath.Join(from, "d/empty"), 0o500))
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	counts, err := Host{}.Archive(t.Context(), filepath.Join(from, "d"), "n", false, &buf)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Host{}.Extract(t.Context(), to, bytes.NewReader(buf.Bytes()))
	if err != nil || counts != back || counts != (Counts{Files: 5, Bytes: int64(len(big))}) {
		t.Fatalf("%+v, %+v, %v", counts, back, err)
	}
	text, err := os.ReadFile(filepath.Join(to, "n/h"))
	f, ferr := os.Stat(filepath.Join(to, "n/f"))
	h, herr := os.Stat(filepath.Join(to, "n/h"))
	e, eerr := os.Stat(filepath.Join(to, "n/empty"))
	link, lerr := os.Readlink(filepath.Join(to, "n/l"))
	if err := errors.Join(err, ferr, herr, eerr, lerr); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, big) || f.Mode() != 0o640 || !os.SameFile(f, h) || e.Mode().Perm() != 0o500 || link != "f" {
		t.Errorf("%d bytes, %v, same file: %v, %v, link %s", len(text), f.Mode(), os.SameFile(f, h), e.Mode(), link)
	}
}

// A file that shrinks while it is read must not leave an archive that says something else than it holds.
func TestShrunkFileIsAnError(t *testing.T) {
	var buf bytes.Buffer
	w := NewWriter(&buf)
	if err := w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 10}, strings.NewReader("short")); err == nil || !strings.Contains(err.Error(), "shrank") {
		t.Errorf("error %v", err)
	}
	w = NewWriter(&buf)
	if err := w.Add(&tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 3}, strings.NewReader("grown")); err != nil {
		t.Errorf("error %v", err)
	}
}

// FuzzExtract: whatever bytes come, nothing outside the folder changes, and no header asks for memory that it doesn't fill.
func FuzzExtract(f *testing.F) {
	f.Add(archiveOf(f, item{kind: tar.TypeReg, name: "a", text: "x"}, item{kind: tar.TypeSymlink, name: "l", text: ".."}, item{kind: tar.TypeReg, name: "l/canary", text: "x"}))
	f.Add(archiveOf(f, item{kind: tar.TypeDir, name: "d/"}, item{kind: tar.TypeLink, name: "d/h", text: "../canary"}, item{kind: tar.TypeReg, name: "d/.wh.x"}))
	f.Add(archiveOf(f, item{kind: tar.TypeSymlink, name: "d", text: "/"}, item{kind: tar.TypeDir, name: "d/", mode: 0o777}, item{kind: tar.TypeFifo, name: "p"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, inside, unharmed := outside(t)
		defer func() { _ = os.Chmod(inside, 0o755) }()
		_, _ = Host{}.Extract(t.Context(), inside, bytes.NewReader(data))
		unharmed()
	})
}
