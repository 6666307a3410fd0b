package image

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

type collector struct{ events []trace.Event }

func (c *collector) Emit(e trace.Event) { c.events = append(c.events, e) }

// last is the last event of that kind and phase; the zero Event if there is none.
func (c *collector) last(kind string, phase trace.Phase) trace.Event {
	for _, e := range slices.Backward(c.events) {
		if e.Kind == kind && e.Phase == phase {
			return e
		}
	}
	return trace.Event{}
}

// traced makes the workshop record, and checks at the end that every event has exactly the attributes that vocab declares.
func (w *workshop) traced() *collector {
	sink := &collector{}
	w.ctx = trace.With(w.ctx, trace.New(sink))
	w.TB.Cleanup(func() {
		for _, e := range sink.events {
			w.checkEvent(e)
		}
	})
	return sink
}

func (w *workshop) checkEvent(e trace.Event) {
	i := slices.IndexFunc(vocab.Kinds, func(k vocab.Kind) bool { return k.Name == e.Kind })
	if i < 0 {
		w.Errorf("event %s is not in vocab", e.Kind)
		return
	}
	declared := vocab.Kinds[i].Attrs
	if e.Phase == trace.End {
		declared = vocab.Kinds[i].Ends
	}
	var want, got []string
	for _, a := range declared {
		want = append(want, a.Key+" "+a.Type)
	}
	for _, a := range e.Attrs {
		got = append(got, a.Key+" "+a.Value.Type())
	}
	if diff := cmp.Diff(want, got); diff != "" && e.Err == "" {
		w.Errorf("%s %s: %s", e.Kind, e.Phase, diff)
	}
}

func (c *collector) kinds() []string {
	var kinds []string
	for _, e := range c.events {
		kinds = append(kinds, e.Kind+" "+string(e.Phase))
	}
	return kinds
}

func TestEventsTellWhatHappened(t *testing.T) {
	w := newWorkshop(t)
	sink := w.traced()
	plain := layerTar("x")
	archive := tarFiles(file{name: "c", content: configOf(plain)}, file{name: "l", content: string(plain)},
		dockerFiles(dockerEntry{Config: "c", RepoTags: []string{"app:1"}, Layers: []string{"l"}}))
	if _, err := w.Load(w.ctx, bytes.NewReader(archive), "x.tar"); err != nil {
		t.Fatal(err)
	}
	old := w.make([]string{"b"}, "app:1")
	if err := w.Save(w.ctx, &bytes.Buffer{}, []string{"app:1"}, ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Remove(w.ctx, "app:1", false, unused); err != nil {
		t.Fatal(err)
	}
	w.Keep = func(context.Context) (Roots, error) { return Roots{}, nil }
	if _, err := w.Prune(w.ctx, PruneOptions{}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"image.load begin", "blob.write note", "blob.write note", "blob.write note", "image.create note", "image.tag note", "image.load end",
		"blob.write note", "blob.write note", "blob.write note", "image.create note", "image.tag note",
		"image.save begin", "image.save end",
		"image.untag note", "image.remove note",
		"image.prune begin", "image.remove note", "blob.remove note", "blob.remove note", "blob.remove note", "blob.remove note", "blob.remove note",
		"blob.remove note", "image.prune end",
	}
	if diff := cmp.Diff(want, sink.kinds()); diff != "" {
		t.Error(diff)
	}
	tag := sink.events[11]
	if tag.Attr("image").Str() != string(old.ID) || tag.Attr("previous").Str() == "" || tag.Attr("ref").Str() != "docker.io/library/app:1" {
		t.Errorf("image.tag: %v", tag.Attrs)
	}
}

func TestCanceledLoadStops(t *testing.T) {
	w := newWorkshop(t)
	ctx, cancel := context.WithCancel(w.ctx)
	in := &cancelAfter{cancel: cancel, left: 3 << 20}
	if _, err := w.Load(ctx, in, "-"); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	w.healthy()
}

// cancelAfter is an archive with one endless entry; it cancels the load after left bytes.
type cancelAfter struct {
	cancel func()
	left   int
	header []byte
	begun  bool
}

func (c *cancelAfter) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun, c.header = true, tarFiles(file{name: "l", content: string(make([]byte, 16<<20))})[:512]
	}
	if len(c.header) > 0 {
		n := copy(p, c.header)
		c.header = c.header[n:]
		return n, nil
	}
	if c.left -= len(p); c.left < 0 {
		c.cancel()
	}
	return len(p), nil
}
