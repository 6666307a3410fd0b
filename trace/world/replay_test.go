package world

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

var (
	ctx     = context.Background()
	errFull = errors.New("disk full")
	same    = cmp.Options{cmpopts.EquateEmpty(), cmp.AllowUnexported(World{}, Layer{}, openStep{}, trace.Value{})}
)

// random draws any event of the vocabulary, over few names so that events meet.
func random(pick func(n int) int, seq uint64) trace.Event {
	k := vocab.Kinds[pick(len(vocab.Kinds))]
	e := trace.Event{Seq: seq, At: time.Duration(seq), Span: uint64(pick(4)), Kind: k.Name, Phase: trace.Note}
	declared := k.Attrs
	if k.Step {
		if e.Phase = trace.Begin; pick(2) == 0 {
			e.Phase, declared = trace.End, k.Ends
		}
	}
	for _, a := range declared {
		switch a.Type {
		case "string":
			e.Attrs = append(e.Attrs, trace.String(a.Key, value(a.Key, pick)))
		case "int":
			e.Attrs = append(e.Attrs, trace.Int(a.Key, int64(pick(5))))
		case "bool":
			e.Attrs = append(e.Attrs, trace.Bool(a.Key, pick(2) == 0))
		case "list":
			e.Attrs = append(e.Attrs, trace.Strings(a.Key, []string{"d0", fmt.Sprintf("d%d", pick(4))}))
		}
	}
	return e
}

func value(key string, pick func(n int) int) string {
	n := pick(4)
	switch key {
	case "key", "container":
		return fmt.Sprintf("c%d", n)
	case "path":
		return [...]string{"/a", "/a/b", "/a/b/c", "/d"}[n]
	case "to":
		return [...]string{"running", "paused", "exited", "created"}[n]
	case "digest", "diff_id":
		return fmt.Sprintf("d%d", n)
	case "what":
		return [...]string{"container", "snapshot", "blob", "chain"}[n]
	}
	return fmt.Sprintf("v%d", n)
}

// One event at a time, all at once, and jumping about by a cursor must give the same worlds; and none may change
// once it was given out.
func TestApplyFoldAndReplayAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
		n := rapid.IntRange(1, 60).Draw(t, "events")
		events := make([]trace.Event, n)
		worlds := make([]World, n+1)
		texts := make([]string, n+1)
		texts[0] = text(worlds[0])
		for i := range events {
			events[i] = random(pick, uint64(i+1))
			worlds[i+1] = worlds[i].Apply(events[i])
			texts[i+1] = text(worlds[i+1])
		}
		if d := cmp.Diff(worlds[n], Fold(events), same); d != "" {
			t.Fatal("fold and apply differ:", d)
		}
		r := NewReplay(events)
		for range 10 {
			at := rapid.IntRange(0, n).Draw(t, "goto")
			if got := text(r.Goto(at)); got != texts[at] {
				t.Fatalf("replay at %d:\ngot  %s\nwant %s", at, got, texts[at])
			}
		}
		for i, w := range worlds {
			if text(w) != texts[i] {
				t.Fatalf("world %d changed after it was made", i)
			}
		}
	})
}

func randomEvents(n int) []trace.Event {
	rng := rand.New(rand.NewPCG(1, 2))
	events := make([]trace.Event, n)
	for i := range events {
		events[i] = random(rng.IntN, uint64(i+1))
	}
	return events
}

func TestReplayAcrossKeptWorlds(t *testing.T) {
	events := randomEvents(4 * stride)
	r := NewReplay(events)
	for _, n := range []int{4 * stride, 3, stride, stride + 1, stride - 1, 2*stride + 7, 0, -5, 9999, 3 * stride, 100} {
		at := min(max(n, 0), len(events))
		if d := cmp.Diff(Fold(events[:at]), r.Goto(n), same); d != "" {
			t.Fatalf("at %d: %s", n, d)
		}
	}
}

func TestReplayCursor(t *testing.T) {
	events := randomEvents(3)
	r := NewReplay(events)
	if _, ok := r.Event(); ok || r.Back() || r.Pos() != 0 || r.Len() != 3 || r.World().Seq != 0 {
		t.Error("the cursor does not begin before the first event")
	}
	for i := range events {
		if e, _ := r.Event(); !r.Next() || r.Pos() != i+1 || e.Seq != uint64(i) || r.World().Seq != uint64(i+1) {
			t.Errorf("after %d steps at %d", i+1, r.Pos())
		}
	}
	if r.Next() || !r.Back() || r.Pos() != 2 || r.World().Seq != 2 {
		t.Error("the cursor does not stop at the end or go back")
	}
}

// manyChanges is a container that installs packages: n files, each created and written.
func manyChanges(n int) []trace.Event {
	events := []trace.Event{{Seq: 1, Kind: vocab.ContainerCreate, Phase: trace.Note, Attrs: []trace.Attr{trace.String("container", "c1")}}}
	for i := range n {
		kind := vocab.CowCreate
		if i%2 == 1 {
			kind = vocab.CowWrite
		}
		events = append(events, trace.Event{Seq: uint64(i + 2), Kind: kind, Phase: trace.Note, Attrs: []trace.Attr{
			trace.String("key", "c1"), trace.String("path", fmt.Sprintf("/usr/share/doc/%06d", i/2)), trace.Int("size_bytes", 1)}})
	}
	return events
}

func BenchmarkFold100k(b *testing.B) {
	events := manyChanges(100_000)
	for b.Loop() {
		if w := Fold(events); len(w.Containers[0].Changes) != 50_000 {
			b.Fatal("wrong world")
		}
	}
}

func BenchmarkFoldMixed100k(b *testing.B) {
	events := randomEvents(100_000)
	for b.Loop() {
		Fold(events)
	}
}

func BenchmarkReplayBack(b *testing.B) {
	r := NewReplay(randomEvents(20_000))
	r.Goto(20_000)
	for b.Loop() {
		if !r.Back() {
			r.Goto(20_000)
		}
		r.World()
	}
}
