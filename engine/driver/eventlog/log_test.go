package eventlog

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/trace"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func begin(t testing.TB, path string) *Log {
	t.Helper()
	var l Log
	must(t, l.Begin(path))
	t.Cleanup(l.Close)
	return &l
}

// written are the kinds of the events in the file path, in their order.
func written(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	if len(data) < start {
		t.Fatalf("no mark: %q", data)
	}
	events, length := parse(data[start:], "")
	if length != len(data)-start {
		t.Errorf("%d bytes of %d are lines", length, len(data)-start)
	}
	return kinds(events)
}

func kinds(events []trace.Event) string {
	var list []string
	for _, e := range events {
		list = append(list, e.Kind)
	}
	return strings.Join(list, " ")
}

func TestANewFileBeginsWithAMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	first, second := begin(t, path), begin(t, path)
	must(t, first.Begin(path))
	data, err := os.ReadFile(path)
	if diff := cmp.Diff("00000000000000000021\n", string(data)); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if !first.On() || !second.On() {
		t.Error("it is not on")
	}
}

// Each step is a letter: a small one a fact, the same in capitals what a program does; ( postpones, ) resumes with the fact r, [ holds, ] flushes.
func TestOrder(t *testing.T) {
	for steps, want := range map[string]string{
		"ab":         "a b",
		"(a)b":       "r a b",
		"((a)b)c":    "r r a b c",
		")a":         "r a",
		"[ab":        "",
		"[ab]c":      "a b c",
		"[A]":        "A",
		"[AbCd]":     "b d A C",
		"[Ab(C)d]":   "b r A C d",
		"[Ab(C])d":   "b r A C d",
		"[a(B)]":     "a r B",
		"a[B(c]d)e":  "a r B c d e",
		"(A)":        "r A",
		"[(Ab)]C":    "r A b C",
		"a]b[]c(d)]": "a b c r d",
	} {
		t.Run(steps, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events")
			l := begin(t, path)
			for _, s := range steps {
				switch s {
				case '(':
					l.Postpone()
				case ')':
					l.Resume(Note("r"))
				case '[':
					l.Hold()
				case ']':
					l.Flush()
				default:
					if s >= 'a' {
						l.Fact(string(s))
					} else {
						l.Observed(string(s))
					}
				}
			}
			if got := written(t, path); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestCloseWritesWhatIsHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	l := begin(t, path)
	l.Hold()
	l.Fact("held")
	l.Close()
	l.Fact("after")
	l.Resume(Note("after"))
	if got := written(t, path); got != "held" || l.On() {
		t.Errorf("%q, on %v", got, l.On())
	}
}

func TestSettleWaitsForWhoPostpones(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	l := begin(t, path)
	l.Settle() // nobody does
	l.Postpone()
	l.Fact("end")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Settle()
		l.Close()
	}()
	select {
	case <-ended:
		t.Error("it did not wait")
	case <-time.After(20 * time.Millisecond):
	}
	l.Resume(Note("cause"))
	<-ended
	if got := written(t, path); got != "cause end" {
		t.Errorf("%q", got)
	}
}

func TestALogThatIsNotThere(t *testing.T) {
	var off Log
	for _, l := range []*Log{nil, &off} {
		l.Hold()
		l.Fact("a")
		l.Observed("b")
		l.Postpone()
		l.Resume(Note("c"))
		l.Settle()
		l.Flush()
		l.Close()
		if l.On() {
			t.Error("it is on")
		}
	}
	path := filepath.Join(t.TempDir(), "events")
	must(t, off.Begin(path))
	defer off.Close()
	if off.Fact("now"); written(t, path) != "now" {
		t.Error("what happened before it began is in the file")
	}
	if err := new(Log).Begin(filepath.Join(t.TempDir(), "no", "events")); err == nil {
		t.Error("no error where there is no folder")
	}
}

func TestManyRecordAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events")
	one, two := begin(t, path), begin(t, path)
	var writers sync.WaitGroup
	for i := range 8 {
		l := []*Log{one, two}[i%2]
		writers.Go(func() {
			for range 100 {
				l.Postpone()
				l.Fact("caused", trace.String("text", strings.Repeat("x", i*100)))
				l.Resume(Note("cause"))
			}
		})
	}
	writers.Wait()
	if n := len(strings.Fields(written(t, path))); n != 1600 {
		t.Errorf("%d events", n)
	}
}
