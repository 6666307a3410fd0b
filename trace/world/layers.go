package world

import (
	"slices"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// knowLayer returns the entry of a layer for writing; it is added if it is not there.
func (f *folder) knowLayer(diffID string) *Layer {
	writable(f, partLayers, &f.w.Layers)
	i := f.layerIndex(diffID)
	if i < 0 {
		i = len(f.w.Layers)
		f.w.Layers = append(f.w.Layers, Layer{DiffID: diffID, Seq: f.w.Seq})
	}
	f.layers = true
	return &f.w.Layers[i]
}

func (f *folder) layerIndex(diffID string) int {
	return slices.IndexFunc(f.w.Layers, func(l Layer) bool { return l.DiffID == diffID })
}

// layerHasSize notes the length of a layer's archive, if digest is that of a layer.
func (f *folder) layerHasSize(digest string, size int64) {
	if i := f.layerIndex(digest); i < 0 || f.w.Layers[i].exact {
		return
	}
	l := f.knowLayer(digest)
	l.Size, l.exact = size, true
}

// applyLayerStep follows layer.apply and layer.commit: the begin tells what on, the end what came of it.
func (f *folder) applyLayerStep(e trace.Event) {
	if e.Phase == trace.Begin {
		f.stepBegins(e)
		return
	}
	s, ok := f.stepEnds(e)
	if !ok || e.Err != "" {
		return
	}
	if e.Kind == vocab.LayerApply {
		f.layerApplied(s.begin, e)
		return
	}
	f.layerCommitted(s, e)
}

func (f *folder) layerApplied(begin, end trace.Event) {
	diffID := begin.Attr("diff_id").Str()
	l := f.knowLayer(diffID)
	l.Files = end.Attr("files").Int()
	if !l.exact {
		l.Size = end.Attr("size_bytes").Int()
	}
	if b := f.w.Blob(diffID); b.Digest != "" && !l.exact {
		l.Size, l.exact = b.Size, true
	}
	f.addChain(Chain{begin.Attr("chain_id").Str(), diffID, begin.Attr("parent").Str()})
}

// layerCommitted adds the new layer. It is unpacked as well when the writable layer of a build step became it; a
// container keeps its writable layer, and of a layer that was written directly only the archive is there.
func (f *folder) layerCommitted(s openStep, end trace.Event) {
	key := s.begin.Attr("key").Str()
	turned, changes := s.gone || f.snapshotIndex(key) >= 0, s.changes
	if !s.gone {
		changes = f.currentChanges(key)
	}
	diffID := end.Attr("diff_id").Str()
	l := f.knowLayer(diffID)
	l.Size, l.exact = end.Attr("size_bytes").Int(), true
	l.Files, l.Deleted = end.Attr("files").Int(), end.Attr("whiteouts").Int()
	if len(changes) > 0 {
		l.Changes, l.Whiteouts = changes, whiteouts(changes)
	}
	if turned {
		f.addChain(Chain{end.Attr("chain_id").Str(), diffID, s.begin.Attr("parent").Str()})
		f.dropSnapshot(key)
	}
}

// whiteouts lists the deleted paths among changes.
func whiteouts(changes []Change) []string {
	var paths []string
	for _, c := range changes {
		if c.Kind == "D" {
			paths = append(paths, c.Path)
		}
	}
	return paths
}

func (f *folder) addChain(c Chain) {
	i := slices.IndexFunc(f.w.Chains, func(o Chain) bool { return o.ID == c.ID })
	if i >= 0 && (c.Parent == "" || f.w.Chains[i] == c) {
		return
	}
	f.knowLayer(c.DiffID)
	writable(f, partChains, &f.w.Chains)
	if i >= 0 {
		f.w.Chains[i] = c
		return
	}
	f.w.Chains = append(f.w.Chains, c)
}

func (f *folder) removeChain(id string) {
	if i := slices.IndexFunc(f.w.Chains, func(c Chain) bool { return c.ID == id }); i >= 0 {
		writable(f, partChains, &f.w.Chains)
		f.w.Chains = slices.Delete(f.w.Chains, i, i+1)
	}
}
