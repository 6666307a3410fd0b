package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/trace"
)

func line(kind string) string { return string(appendLine(nil, Note(kind))) }

func alone(*os.File) (func(), error) { return func() {}, nil }

func take(t *testing.T, path, kind string) string {
	t.Helper()
	events, err := Take(path, kind, alone)
	must(t, err)
	return kinds(events)
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString(text)
	must(t, err)
}

func TestTake(t *testing.T) {
	a, b, nothing := line("a"), line("b"), string(mark(start))
	for name, c := range map[string]struct{ file, want, later, then string }{
		"no events":          {file: nothing},
		"new events":         {file: nothing + a, want: "a", later: b, then: "b"},
		"a line half there":  {file: nothing + a + b[:10], want: "a", later: b[10:], then: "b"},
		"a line that isn't":  {file: nothing + "{\n" + a, want: "a"},
		"only such a line":   {file: nothing + "torn\n", later: a, then: "a"},
		"a mark that isn't":  {file: strings.Repeat("x", start-1) + "\n" + a, want: "a", later: b, then: "b"},
		"a mark behind all":  {file: string(mark(1<<30)) + a, later: b},
		"a mark in the mark": {file: string(mark(3)) + a, want: "a"},
		"an empty file":      {file: ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events")
			add(t, path, c.file)
			got := take(t, path, "")
			add(t, path, c.later)
			then := take(t, path, "")
			if diff := cmp.Diff([]string{c.want, c.then}, []string{got, then}); diff != "" {
				t.Error(diff)
			}
			if more := take(t, path, ""); more != "" {
				t.Errorf("%q was handed out twice", more)
			}
		})
	}
}

func TestTakeUpToAnEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	l := begin(t, path)
	for _, kind := range []string{"mount", "proc.exec", "mount", "proc.exec", "proc.exit"} {
		l.Fact(kind)
	}
	var got []string
	for range 4 {
		got = append(got, take(t, path, "proc.exec"))
	}
	if diff := cmp.Diff([]string{"mount proc.exec", "mount proc.exec", "proc.exit", ""}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTakeFromNothing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "events")
	events, err := Take(missing, "", func(*os.File) (func(), error) { t.Error("it was locked"); return nil, nil })
	if events != nil || err != nil {
		t.Errorf("%v, %v", events, err)
	}
	if _, err := os.Lstat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

func TestTakeWithoutLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	begin(t, path).Fact("kept")
	refused := errors.New("refused")
	if events, err := Take(path, "", func(*os.File) (func(), error) { return nil, refused }); events != nil || !errors.Is(err, refused) {
		t.Errorf("%v, %v", events, err)
	}
	if got := take(t, path, ""); got != "kept" {
		t.Errorf("then %q", got)
	}
}

// Whatever stands in the file: handed out by parts it gives the same events as at once, and no byte twice.
func FuzzParse(f *testing.F) {
	f.Add([]byte(line("mount")+"torn\n"+line("proc.exec")+line("proc.exit")), "proc.exec")
	f.Add([]byte("\n\n{}\n[1]\n"+line("a")[:9]), "")
	f.Fuzz(func(t *testing.T, data []byte, kind string) {
		all, length := parse(data, "")
		var parts []trace.Event
		at := 0
		for {
			events, n := parse(data[at:], kind)
			if n == 0 {
				break
			}
			parts, at = append(parts, events...), at+n
		}
		if at != length || kinds(parts) != kinds(all) {
			t.Errorf("%d bytes, %q; at once %d, %q", at, kinds(parts), length, kinds(all))
		}
	})
}
