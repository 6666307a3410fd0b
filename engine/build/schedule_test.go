package build

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// TestStagesRunSideBySide has two stages that wait for each other: built one after the other they never end.
func TestStagesRunSideBySide(t *testing.T) {
	l := newLab(t)
	res := l.build(`FROM base AS a
RUN meet m 2 && write /a a
FROM base AS b
RUN meet m 2 && write /b b
FROM base
COPY --from=a /a /
COPY --from=b /b /
`, Options{})
	if diff := cmp.Diff(map[string]string{"a": "a", "b": "b"}, l.tree(res)); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
}

// TestParallelIsABound counts how many commands run at once.
func TestParallelIsABound(t *testing.T) {
	var text strings.Builder
	for i := range 12 {
		fmt.Fprintf(&text, "FROM base AS s%d\nRUN write /f%d x\n", i, i)
	}
	text.WriteString("FROM base\n")
	for i := range 12 {
		fmt.Fprintf(&text, "COPY --from=s%d /f%d /\n", i, i)
	}
	for _, n := range []int{1, 2, 3} {
		l := newLab(t)
		l.build(text.String(), Options{Parallel: n})
		if l.machine.most > n {
			t.Errorf("%d commands at once, want at most %d", l.machine.most, n)
		}
	}
}

// TestOneAtATimeKeepsTheOrder wants the steps of a build with --parallel 1 in the order of the file.
func TestOneAtATimeKeepsTheOrder(t *testing.T) {
	const text = "FROM base AS a\nRUN echo a\nFROM base AS b\nRUN echo b\nFROM a\nRUN echo c\nCOPY --from=b /data /x\n"
	for range 5 {
		l := newLab(t)
		l.build(text, Options{Parallel: 1})
		var got []string
		for _, e := range l.trace.Events() {
			if e.Kind == vocab.BuildStep && e.Phase == trace.Begin {
				got = append(got, fmt.Sprint(e.Attr("step").Int(), " ", e.Attr("instruction").Str()))
			}
		}
		want := []string{"1 FROM base AS a", "2 RUN echo a", "3 FROM base AS b", "4 RUN echo b", "5 FROM a", "6 RUN echo c", "7 COPY --from=b /data /x"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("steps (-want +got):\n%s", diff)
		}
	}
}

// TestUnneededStagesAreNotBuilt would fail on the exit if they were.
func TestUnneededStagesAreNotBuilt(t *testing.T) {
	l := newLab(t)
	l.build("FROM base AS no\nRUN exit 1\nFROM base AS yes\nRUN echo yes\nFROM no\nRUN exit 2\n", Options{Target: "yes"})
	if len(l.machine.runs) != 1 {
		t.Errorf("%d commands ran, want 1", len(l.machine.runs))
	}
}

func TestIdenticalStepsRunOnce(t *testing.T) {
	for _, noCache := range []bool{false, true} {
		l := newLab(t)
		res := l.build("FROM base AS a\nRUN write /f x\nFROM base AS b\nRUN write /f x\nFROM base\nCOPY --from=a /f /a\nCOPY --from=b /f /b\n", Options{NoCache: noCache})
		if len(l.machine.runs) != 1 {
			t.Errorf("no cache %v: the command ran %d times, want once", noCache, len(l.machine.runs))
		}
		if res.Hits != 1 || res.Misses != 3 {
			t.Errorf("no cache %v: %d hits and %d misses, want 1 and 3", noCache, res.Hits, res.Misses)
		}
	}
}

// TestFailureEndsTheOthers wants the error of the stage that failed, not of those that were ended for it, and what was finished kept.
func TestFailureEndsTheOthers(t *testing.T) {
	const text = "FROM base AS a\nRUN write /a 1 && meet m 2\nRUN write /a 2\nFROM base AS b\nRUN meet m 2 && exit 7\nFROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
	for range 10 {
		l := newLab(t)
		_, err := l.try(text, Options{})
		var failed *RunError
		if !errors.As(err, &failed) || failed.Code != 7 || !strings.HasPrefix(err.Error(), "Dockerfile:5:1: ") {
			t.Fatalf("error %v, want that of line 5", err)
		}
		for _, k := range l.machine.keys {
			t.Errorf("a writable layer is left: %v", k)
		}
	}
	l := newLab(t)
	_, err := l.try("FROM base\nRUN write /a 1\nRUN exit 1\n", Options{})
	if err == nil {
		t.Fatal("the build worked")
	}
	if res := l.build("FROM base\nRUN write /a 1\nRUN write /b 1\n", Options{}); res.Hits != 1 {
		t.Errorf("%d hits after a failed build, want the step before the failure", res.Hits)
	}
}

// TestTriggerNamesAStage has an ONBUILD of the base image ask for a stage that nothing else needs.
func TestTriggerNamesAStage(t *testing.T) {
	for _, parallel := range []int{1, 4} {
		l := newLab(t)
		l.base("hook", map[string]string{"x": "x"}, oci.ImageConfig{OnBuild: []string{"COPY --from=tools /tool /tool", "RUN echo triggered"}})
		res := l.build("FROM base AS tools\nRUN write /tool t\nFROM hook\nRUN echo after\n", Options{Parallel: parallel})
		if got := l.machine.tree(t, res.Image.Layers[len(res.Image.Layers)-1].ChainID)["tool"]; got != "t" {
			t.Errorf("parallel %d: /tool is %q", parallel, got)
		}
		if res.Image.Config.Config.OnBuild != nil {
			t.Errorf("the triggers are still there: %q", res.Image.Config.Config.OnBuild)
		}
	}
}

func TestNoCacheFilter(t *testing.T) {
	const text = "FROM base AS a\nRUN write /a 1\nFROM base AS b\nRUN write /b 1\nFROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n"
	l := newLab(t)
	l.build(text, Options{})
	res := l.build(text, Options{NoCacheOf: []string{"B"}})
	if res.Misses != 1 || !slices.Contains(l.reasons(), "the cache is not used: --no-cache-filter names this stage") {
		t.Errorf("%d misses for %q, want the one of stage b", res.Misses, l.reasons())
	}
}

// TestOrderMakesNoDifference builds the same in homes of their own, in the order of the file and side by side: with SOURCE_DATE_EPOCH the
// image is the same to its id.
func TestOrderMakesNoDifference(t *testing.T) {
	const text = "FROM base AS a\nRUN write /a 1\nCOPY one /one\nFROM base AS b\nWORKDIR /w\nRUN write /w/b 2\nFROM a\nCOPY --from=b /w /w\nCOPY --link one /two\nLABEL x=y\n"
	epoch := time.Unix(1700000000, 0)
	ids := map[string]bool{}
	for _, parallel := range []int{1, 2, 8, 1} {
		l := newLab(t)
		l.write("one", "1")
		ids[l.build(text, Options{Parallel: parallel, Epoch: &epoch}).Image.ID.String()] = true
	}
	if len(ids) != 1 {
		t.Errorf("the order of work gives %d images: %v", len(ids), ids)
	}
}
