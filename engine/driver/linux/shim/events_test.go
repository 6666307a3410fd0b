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
