package container_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/moby/moby/api/types/container"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/events"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/tracetest"
)

// bench is a home with one image, "img", over a fake machine, with a trace of all that happens.
type bench struct {
	t *testing.T
	*machine
	*container.Manager
	home   *home.Home
	images *image.Store
	img    image.Image
	ctx    context.Context
	events *recorded
}

type recorded struct {
	mu  sync.Mutex
	all []trace.Event

	checker *tracetest.Checker // holds each event against the vocabulary
}

func (e *recorded) Emit(ev trace.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
	if e.checker != nil {
		e.checker.Emit(ev)
	}
}

// kinds lists the events of kind with their attributes, one line each, with long ids cut.
func (e *recorded) kinds(kind string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, ev := range e.all {
		if ev.Kind != kind {
			continue
		}
		words := []string{}
		for _, a := range ev.Attrs {
			if a.Key != "container" {
				words = append(words, a.Value.String())
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	return out
}

func newBench(t testing.TB, config oci.ImageConfig) *bench {
	t.Helper()
	dir := t.TempDir()
	h, err := home.Open(filepath.Join(dir, "home"))
	if err != nil {
		t.Fatal(err)
	}
	return openBench(t, h, newMachine(), config)
}

func openBench(t testing.TB, h *home.Home, m *machine, config oci.ImageConfig) *bench {
	t.Helper()
	b := &bench{machine: m, home: h, events: &recorded{}}
	if b.t, _ = t.(*testing.T); b.t != nil {
		b.events.checker = tracetest.NewChecker(t)
	}
	b.ctx = trace.With(context.Background(), trace.New(b.events))
	blobs, err := blob.Open(h.Images())
	if err != nil {
		t.Fatal(err)
	}
	b.images = image.New(h, blobs, layers{m})
	b.Manager = container.New(h, b.images, snapshots{m}, trees{m}, runtime{m})
	b.Manager.Events = events.New(h, time.Now)
	b.Manager.AgainCommand = func(id string) []string { return []string{"again", id} }
	b.Manager.Volumes = volume.New(h, folders{m}, "overlay2")
	b.Manager.Volumes.Uses = b.Manager.VolumeUses
	op, err := h.Begin("test image")
	if err != nil {
		t.Fatal(err)
	}
	defer op.End()
	desc, err := blobs.Put(b.ctx, op, archive(), v1.MediaTypeImageLayer)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := oci.ParseRef("img")
	if err != nil {
		t.Fatal(err)
	}
	b.img, err = b.images.Create(b.ctx, op, oci.Image{Architecture: "amd64", OS: "linux", Config: config},
		[]image.Layer{{Descriptor: desc, DiffID: desc.Digest}}, []oci.Ref{ref}, "base")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// create makes a container that runs args.
func (b *bench) create(name string, args ...string) *container.Container {
	b.t.Helper()
	c, err := b.Create(b.ctx, container.CreateOptions{Name: name, Image: "img", Config: api.Config{Cmd: args}})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *bench) start(name string) {
	b.t.Helper()
	if err := b.Start(b.ctx, name, container.StartOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) state(name string) container.State {
	b.t.Helper()
	c, err := b.Find(b.ctx, name)
	if err != nil {
		b.t.Fatal(err)
	}
	return c.State
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}
