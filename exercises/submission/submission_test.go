package submission

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/exercises/journal"
)

// packed is the archive of a small journal.
func packed(t testing.TB) []byte {
	t.Helper()
	dir, folder := t.TempDir(), t.TempDir()
	j := journal.In(dir)
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(folder, "a"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Note(journal.Line{Kind: journal.Command, Dir: ".", Argv: []string{"ps"}}, folder); err != nil {
			t.Fatal(err)
		}
	}
	var first, again bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &again} {
		m := Manifest{Format: 1, Student: "ann", Exercises: []Part{{ID: "x", Seed: 7}}}
		if err := Pack(out, m, map[string]journal.Journal{"x": j}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), again.Bytes()) {
		t.Error("the same work gave two archives")
	}
	return first.Bytes()
}

func TestArchiveComesBack(t *testing.T) {
	data := packed(t)
	s, err := Unpack(bytes.NewReader(data), t.TempDir())
	if err != nil || s.Student != "ann" || len(s.Logs["x"].Lines) != 2 || s.Logs["x"].Fault != nil {
		t.Fatalf("%+v, %v", s, err)
	}
	f, err := s.Content(s.Logs["x"].State()["a"].SHA256)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "two" {
		t.Errorf("%q, %v", text, err)
	}
	m, err := ReadManifest(bytes.NewReader(data[:len(data)-20]))
	if err != nil || m.Student != "ann" {
		t.Errorf("the manifest of a torn archive: %+v, %v", m, err)
	}
}

type entry struct {
	tar.Header
	text string
}

func archive(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		if e.Typeflag == 0 {
			e.Typeflag = tar.TypeReg
		}
		if e.Typeflag == tar.TypeReg {
			e.Size = int64(len(e.text))
		}
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func named(name, text string) entry { return entry{tar.Header{Name: name}, text} }

func TestHostileArchivesEndInAnError(t *testing.T) {
	manifest := named("manifest.json", `{"format":1,"student":"ann","exercises":[{"id":"x","seed":7}]}`)
	log := named("x/journal.jsonl", "")
	for name, data := range map[string][]byte{
		"no gzip":         []byte("hello"),
		"empty":           archive(t),
		"no manifest":     archive(t, log),
		"no journal":      archive(t, manifest),
		"twice":           archive(t, manifest, log, log),
		"another journal": archive(t, manifest, log, named("y/journal.jsonl", "")),
		"climbs":          archive(t, manifest, log, named("../../etc/passwd", "x")),
		"absolute":        archive(t, manifest, log, named("/etc/passwd", "x")),
		"climbing hash":   archive(t, manifest, log, named("objects/../../../../x", "x")),
		"wrong hash":      archive(t, manifest, log, named("objects/"+strings.Repeat("0", 64), "x")),
		"link":            archive(t, manifest, log, entry{tar.Header{Name: "objects/" + strings.Repeat("0", 64), Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""}),
		"device":          archive(t, manifest, log, entry{tar.Header{Name: "x/dev", Typeflag: tar.TypeChar}, ""}),
		"student":         archive(t, named("manifest.json", `{"format":1,"student":"../x","exercises":[{"id":"x"}]}`), log),
		"exercise":        archive(t, named("manifest.json", `{"format":1,"student":"ann","exercises":[{"id":"../x"}]}`)),
		"torn":            packed(t)[:200],
		"long line":       archive(t, manifest, named("x/journal.jsonl", strings.Repeat("x", journal.MaxLine+1))),
	} {
		dir := t.TempDir()
		if s, err := Unpack(bytes.NewReader(data), filepath.Join(dir, "in")); err == nil {
			t.Errorf("%s: taken as %+v", name, s.Manifest)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%s: left %v, %v", name, entries, err)
		}
	}
}

func TestMoreThanAllowedIsAnErrorAndNoEnd(t *testing.T) {
	got, err := io.ReadAll(&bounded{strings.NewReader("0123456789"), 4})
	if string(got) != "0123" || err == nil || !strings.Contains(err.Error(), "unpacks to more than") {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(packed(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		outside := t.TempDir()
		dir := filepath.Join(outside, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = Unpack(bytes.NewReader(data), dir)
		if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
			t.Errorf("outside the folder: %v, %v", entries, err)
		}
	})
}
