package world

import (
	"slices"

	"github.com/learn-containers/learn/trace"
)

// Fold gives the world after all events.
func Fold(events []trace.Event) World {
	f := folder{}
	for _, e := range events {
		f.apply(e)
	}
	return f.snapshot()
}

// Apply gives the world after e; w stays as it is. For many events Fold or a Replay does less copying.
func (w World) Apply(e trace.Event) World {
	f := folder{w: w}
	f.apply(e)
	return f.snapshot()
}

// part is a bit for each list of a World, to remember which ones a folder may write to.
type part uint16

const (
	partImages part = 1 << iota
	partRefs
	partContainers
	partLayers
	partChains
	partSnapshots
	partCache
	partBlobs
	partVolumes
	partNetworks
	partRegistry
	partOpen
)

// folder applies events to a world of its own. Each list is copied before it is first written to, so what
// snapshot gave out never changes. The changes of writable layers are kept as maps between snapshots, for a
// container may have a hundred thousand of them.
type folder struct {
	w       World
	own     part
	changes map[string]map[string]Change // by key of the writable layer, then by path
	dirty   map[string]bool              // keys whose map differs from the list in w
	layers  bool                         // facts about layers changed since images were filled in
	where   map[string]int               // index in w.Containers by id; nil when not known
}

// snapshot returns the world as it is now.
func (f *folder) snapshot() World {
	for key := range f.dirty {
		f.storeChanges(key)
	}
	clear(f.dirty)
	if f.layers {
		f.fillImages()
		f.layers = false
	}
	f.own = 0
	return f.w
}

// writable makes sure that list belongs to this folder alone.
func writable[T any](f *folder, p part, list *[]T) {
	if f.own&p == 0 {
		*list = slices.Clone(*list)
		f.own |= p
	}
}

// openStep remembers the begin of a step.
type openStep struct {
	span    uint64
	begin   trace.Event
	gone    bool     // the writable layer that is committed went away before the end
	changes []Change // what it held then
}

func (f *folder) stepBegins(e trace.Event) {
	writable(f, partOpen, &f.w.open)
	f.w.open = append(f.w.open, openStep{span: e.Span, begin: e})
}

// stepEnds forgets the open step of e and returns it.
func (f *folder) stepEnds(e trace.Event) (openStep, bool) {
	for i, s := range f.w.open {
		if s.span == e.Span && s.begin.Kind == e.Kind {
			writable(f, partOpen, &f.w.open)
			f.w.open = slices.Delete(f.w.open, i, i+1)
			return s, true
		}
	}
	return openStep{}, false
}
