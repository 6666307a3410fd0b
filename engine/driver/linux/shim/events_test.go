//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/trace"
)

func TestEventLog(t *testing.T) {
	dir := t.TempDir()
	text := func() string {
		data, err := os.ReadFile(filepath.Join(dir, EventsFile))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first, err := openEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(); got != "00000000000000000021\n" {
		t.Fatalf("a new file begins with %q", got)
	}
	stage, err := openEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	stage.hold = true
	stage.fact("held", trace.Int("n", 1))
	first.fact("told", trace.Int("n", 2))
	if got := text(); !strings.Contains(got, `"told"`) || strings.Contains(got, `"held"`) {
		t.Fatalf("before the flush: %s", got)
	}
	stage.flush()
	stage.flush()
	got := text()
	if strings.Count(got, `"held"`) != 1 || strings.Count(got, "\n") != 3 || strings.Count(got, "00021\n") != 1 {
		t.Fatalf("after the flush: %s", got)
	}
	var none *eventLog
	none.fact("dropped")
	none.flush()
}

func TestWhatWasCausedComesAfterItsCause(t *testing.T) {
	dir := t.TempDir()
	l, err := openEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.postpone()
	l.postpone() // by somebody else at the same time
	l.fact("caused")
	l.resume(trace.Event{Kind: "first.cause", Phase: trace.Note})
	l.resume(trace.Event{Kind: "second.cause", Phase: trace.Note})
	l.fact("later")
	data, err := os.ReadFile(filepath.Join(dir, EventsFile))
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, kind := range []string{"first.cause", "second.cause", "caused", "later"} {
		i := strings.Index(string(data), `"`+kind+`"`)
		if i < at {
			t.Fatalf("%s is not in its place:\n%s", kind, data)
		}
		at = i
	}
}
