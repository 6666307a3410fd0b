package journal

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func note(t *testing.T, j Journal, l Line, folder string) int {
	t.Helper()
	n, err := j.Note(l, folder)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestJournalGivesTheFolderBackAsItWas(t *testing.T) {
	folder, dir := t.TempDir(), t.TempDir()
	j := In(dir)
	write(t, folder, "a", "one")
	write(t, folder, "d/b", "two")
	if err := os.Symlink("/etc", filepath.Join(folder, "away")); err != nil {
		noLinks(t, err)
	}
	note(t, j, Line{Kind: Begin, Exercise: "x", Seed: 1<<63 + 5}, folder)
	write(t, folder, "a", "three")
	if err := os.RemoveAll(filepath.Join(folder, "d")); err != nil {
		t.Fatal(err)
	}
	n := note(t, j, Line{Kind: Command, Dir: ".", Argv: []string{"build", "."}}, folder)
	input, err := j.Input([]byte("typed"))
	if err != nil {
		t.Fatal(err)
	}
	note(t, j, Line{Kind: End, Of: n, Code: 3, Input: input}, "")
	note(t, j, Line{Kind: Check}, folder)

	log, err := j.Read()
	if err != nil || log.Fault != nil {
		t.Fatal(err, log.Fault)
	}
	steps := log.Steps()
	if len(steps) != 3 || steps[0].Seed != 1<<63+5 || !steps[1].Ended || steps[1].Code != 3 || steps[2].Ended {
		t.Fatalf("got %+v", steps)
	}
	back := t.TempDir()
	root, err := os.OpenRoot(back)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	open := func(hash string) (io.ReadCloser, error) { return j.Content(hash) }
	var seen []string
	for _, s := range steps {
		if err := Restore(root, s.Changes, open); err != nil {
			t.Fatal(err)
		}
		a, _ := os.ReadFile(filepath.Join(back, "a"))
		_, err := os.Stat(filepath.Join(back, "d", "b"))
		to, _ := os.Readlink(filepath.Join(back, "away"))
		seen = append(seen, string(a), to, map[bool]string{true: "d", false: "-"}[err == nil])
	}
	if want := []string{"one", "/etc", "d", "three", "/etc", "-", "three", "/etc", "-"}; !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
	if c, err := j.Content(steps[1].Input); err != nil {
		t.Error(err)
	} else if data, _ := io.ReadAll(c); string(data) != "typed" {
		t.Errorf("input: %q", data)
	}
}

func TestEveryEditIsAFault(t *testing.T) {
	folder, dir := t.TempDir(), t.TempDir()
	j := In(dir)
	for _, w := range []string{"one", "two", "three"} {
		write(t, folder, w, w)
		note(t, j, Line{Kind: Command, Dir: ".", Argv: []string{w}}, folder)
	}
	good, err := os.ReadFile(j.file())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(good, []byte("\n"))
	for name, edited := range map[string][]byte{
		"changed": bytes.Replace(good, []byte(`"argv":["two"]`), []byte(`"argv":["TWO"]`), 1),
		"removed": slices.Concat(lines[0], lines[2]),
		"moved":   slices.Concat(lines[1], lines[0], lines[2]),
		"added":   slices.Concat(lines[0], lines[0], lines[1], lines[2]),
		"no hash": append([]byte(`{"n":1,"kind":"check","at":"2024-01-01T00:00:00Z"}`+"\n"), good...),
	} {
		if log, err := Read(bytes.NewReader(edited)); err != nil || log.Fault == nil {
			t.Errorf("%s: fault %v, error %v", name, log.Fault, err)
		}
	}
	torn := good[:len(good)-3]
	if log, err := Read(bytes.NewReader(torn)); err != nil || log.Fault != nil || len(log.Lines) != 2 {
		t.Errorf("torn: %d lines, fault %v, error %v", len(log.Lines), log.Fault, err)
	}
	if err := os.WriteFile(j.file(), torn, 0o600); err != nil {
		t.Fatal(err)
	}
	note(t, j, Line{Kind: Check}, folder)
	if log, err := j.Read(); err != nil || log.Fault != nil || len(log.Lines) != 3 || len(log.State()) != 3 {
		t.Errorf("after a torn line: %d lines, fault %v, error %v", len(log.Lines), log.Fault, err)
	}
}

func TestHostileLinesAreRefused(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for _, change := range []string{
		`{"path":"../x","type":"dir"}`, `{"path":"/x","type":"dir"}`, `{"path":"a/../../x","type":"dir"}`, `{"path":".","type":"gone"}`,
		`{"path":"a\\..\\x","type":"dir"}`, `{"path":"C:x","type":"dir"}`, `{"path":"x","type":"device"}`, `{"path":"x","type":"file","sha256":"../../etc/passwd"}`,
		`{"path":"x","type":"file","size":99999999999,"sha256":"` + hash + `"}`, `{"path":"x","type":"link"}`,
		`{"path":"` + strings.Repeat("x", 2000) + `","type":"dir"}`,
	} {
		if _, err := Read(strings.NewReader(`{"n":1,"kind":"check","changes":[` + change + `]}` + "\n")); err == nil {
			t.Errorf("%.80s was taken", change)
		}
	}
	for name, text := range map[string]string{
		"long line":  strings.Repeat("x", MaxLine+1),
		"many lines": strings.Repeat(`{"n":1,"kind":"check"}`+"\n", MaxLines+1),
		"dir":        `{"n":1,"kind":"command","dir":"../.."}` + "\n",
		"kind":       `{"n":1,"kind":"other"}` + "\n",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// A link that the journal itself made must not lead a later change out of the folder.
func TestRestoreNeverLeavesTheFolder(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	write(t, outside, "kept", "kept")
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	open := func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("evil")), nil }
	if err := Restore(root, []Change{{Path: "out", Type: Link, Target: outside}}, open); err != nil {
		noLinks(t, err)
	}
	for _, c := range []Change{{Path: "out/new", Type: File, SHA256: strings.Repeat("0", 64)}, {Path: "out/kept", Type: Gone}, {Path: "out/dir", Type: Dir}} {
		_ = Restore(root, []Change{c}, open)
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

func TestTooMuchIsLeftOutAndSaid(t *testing.T) {
	folder := t.TempDir()
	if err := os.Truncate(mustCreate(t, filepath.Join(folder, "huge")), MaxFile+1); err != nil {
		t.Fatal(err)
	}
	for i := range MaxEntries + 10 {
		write(t, folder, "many/"+strings.Repeat("f", i/100+1)+string(rune('a'+i%100)), "")
	}
	s, omitted, err := Look(folder, Sum)
	if err != nil || len(s) != MaxEntries || omitted == 0 {
		t.Errorf("%d entries, %d left out, %v", len(s), omitted, err)
	}
	if _, ok := s["huge"]; ok {
		t.Error("a file that is too large was kept")
	}
}

func mustCreate(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func FuzzRead(f *testing.F) {
	dir, folder := f.TempDir(), f.TempDir()
	j := In(dir)
	if err := os.WriteFile(filepath.Join(folder, "a"), []byte("a"), 0o644); err != nil {
		f.Fatal(err)
	}
	for range 2 {
		if _, err := j.Note(Line{Kind: Command, Dir: ".", Argv: []string{"ps"}}, folder); err != nil {
			f.Fatal(err)
		}
	}
	good, err := os.ReadFile(j.file())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"n":1,"kind":"check","changes":[{"path":"a","type":"link","target":"/"},{"path":"a/b","type":"dir"}]}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		log, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		_ = log.Hashes()
		outside := t.TempDir()
		folder := filepath.Join(outside, "folder")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		for _, s := range log.Steps() {
			_ = Restore(root, s.Changes, func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil })
		}
		if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
			t.Errorf("outside the folder: %v, %v", entries, err)
		}
		s := log.State()
		again := maps.Clone(s)
		again.Apply(s.To(s))
		if !maps.Equal(s, again) {
			t.Error("no change changed something")
		}
	})
}

// noLinks skips where users may make no symbolic links; elsewhere it is a failure.
func noLinks(t *testing.T, err error) {
	t.Helper()
	if runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	t.Skip("Windows lets this user make no links:", err)
}
