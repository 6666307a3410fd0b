package world

import (
	"maps"
	"slices"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

func (f *folder) applyImage(e trace.Event) {
	id := e.Attr("image").Str()
	switch e.Kind {
	case vocab.ImageCreate:
		f.createImage(id, e)
	case vocab.ImageTag:
		f.tag(e.Attr("ref").Str(), id, e.Seq)
	case vocab.ImageUntag:
		f.untag(e.Attr("ref").Str())
	case vocab.ImageRemove:
		f.removeImage(id)
	}
}

// createImage adds an image, or completes one that was only known by its name.
func (f *folder) createImage(id string, e trace.Event) {
	i := f.imageAt(id, e.Seq)
	img := &f.w.Images[i]
	if img.Manifest != "" {
		return
	}
	img.Manifest, img.Origin = e.Attr("manifest").Str(), e.Attr("origin").Str()
	img.Size = e.Attr("size_bytes").Int()
	diffIDs := e.Attr("diff_ids").List()
	img.Layers = make([]Layer, len(diffIDs))
	for j, d := range diffIDs {
		img.Layers[j].DiffID = d
		f.knowLayer(d)
	}
	if len(diffIDs) == 1 {
		f.layerHasSize(diffIDs[0], img.Size)
	}
	f.layers = true
}

// imageAt returns the index of the image, which is added if it is not there.
func (f *folder) imageAt(id string, seq uint64) int {
	writable(f, partImages, &f.w.Images)
	i := slices.IndexFunc(f.w.Images, func(img Image) bool { return img.ID == id })
	if i < 0 {
		i = len(f.w.Images)
		f.w.Images = append(f.w.Images, Image{Exists: true, ID: id, CreatedSeq: seq})
	}
	return i
}

func (f *folder) tag(ref, id string, seq uint64) {
	f.untag(ref)
	f.ownRefs()
	f.w.Refs[ref] = id
	img := &f.w.Images[f.imageAt(id, seq)]
	img.Refs = append(slices.Clone(img.Refs), FamiliarName(ref))
}

func (f *folder) untag(ref string) {
	id, ok := f.w.Refs[ref]
	if !ok {
		return
	}
	f.ownRefs()
	delete(f.w.Refs, ref)
	img := &f.w.Images[f.imageAt(id, 0)]
	name := FamiliarName(ref)
	img.Refs = slices.DeleteFunc(slices.Clone(img.Refs), func(r string) bool { return r == name })
}

func (f *folder) ownRefs() {
	if f.own&partRefs == 0 {
		f.w.Refs = maps.Clone(f.w.Refs)
		f.own |= partRefs
	}
	if f.w.Refs == nil {
		f.w.Refs = map[string]string{}
	}
}

func (f *folder) removeImage(id string) {
	f.ownRefs()
	maps.DeleteFunc(f.w.Refs, func(_, image string) bool { return image == id })
	writable(f, partImages, &f.w.Images)
	f.w.Images = slices.DeleteFunc(f.w.Images, func(img Image) bool { return img.ID == id })
}

// fillImages copies what is known of each layer into the images that have it.
func (f *folder) fillImages() {
	known := make(map[string]Layer, len(f.w.Layers))
	for _, l := range f.w.Layers {
		known[l.DiffID] = l
	}
	writable(f, partImages, &f.w.Images)
	for i := range f.w.Images {
		layers := make([]Layer, len(f.w.Images[i].Layers))
		for j, l := range f.w.Images[i].Layers {
			layers[j] = known[l.DiffID]
		}
		f.w.Images[i].Layers = layers
	}
}
