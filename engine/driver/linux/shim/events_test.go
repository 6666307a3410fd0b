//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver/eventlog"
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
	stage.Hold()
	stage.Fact("held", trace.Int("n", 1))
	first.Fact("told", trace.Int("n", 2))
	if got := text(); !strings.Contains(got, `"told"`) || strings.Contains(got, `"held"`) {
		t.Fatalf("before the flush: %s", got)
	}
	stage.Flush()
	stage.Flush()
	got := text()
	if strings.Count(got, `"held"`) != 1 || strings.Count(got, "\n") != 3 || strings.Count(got, "00021\n") != 1 {
		t.Fatalf("after the flush: %s", got)
	}
	var none *eventlog.Log
	none.Fact("dropped")
	none.Flush()
}

func TestWhatWasCausedComesAfterItsCause(t *testing.T) {
	dir := t.TempDir()
	l, err := openEvents(dir)
	if err != nil {
		t.Fatal(err)
	}
	l.Postpone()
	l.Postpone() // by somebody else at the same time
	l.Fact("caused")
	l.Resume(eventlog.Note("first.cause"))
	l.Resume(eventlog.Note("second.cause"))
	l.Fact("later")
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
