package image

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
)

// Waste is what an image's layers hold that no container of it sees. Sizes are bytes of file contents.
type Waste struct {
	Size   int64        `json:"size"`   // of all files of the layers looked at
	Bytes  int64        `json:"bytes"`  // of those that are seen no more
	Layers []LayerWaste `json:"layers"` // those that hold some, lowest first
}

// Efficiency is the part of the bytes that are seen, from 0 to 1; 1 for an image without bytes. It is the score that dive made
// known, with one difference: dive doesn't count folders that are deleted whole.
func (w Waste) Efficiency() float64 {
	if w.Size == 0 {
		return 1
	}
	return float64(w.Size-w.Bytes) / float64(w.Size)
}

// WasteLayer names a layer of an image.
type WasteLayer struct {
	Number    int           `json:"number"` // from 1, the lowest
	DiffID    digest.Digest `json:"diff_id"`
	CreatedBy string        `json:"created_by,omitempty"` // its line of the history
}

// LayerWaste is what one layer holds in vain.
type LayerWaste struct {
	Layer WasteLayer   `json:"layer"`
	Bytes int64        `json:"bytes"`
	Files []WastedFile `json:"files"` // the biggest first
}

// WastedFile is a file whose last name went out of sight. The path is that name.
type WastedFile struct {
	Path  string     `json:"path"`
	Bytes int64      `json:"bytes"`
	By    WasteLayer `json:"by"`    // whose entry it is; the layer itself if its archive has the file twice
	How   string     `json:"how"`   // "overwritten", "deleted" (by a whiteout) or "hidden" (by an opaque folder, or by a file in a folder's place)
	Cause string     `json:"cause"` // the path that was overwritten, deleted or made opaque: that of the file, or a folder above it

	ino *inode
}

// Waste finds the files of img's layers that a later layer overwrites, deletes or hides. A file with several names is wasted
// when the last of them is gone. Only names are read, unless a layer is compressed.
func (s *Store) Waste(ctx context.Context, img Image) (Waste, error) {
	return s.WasteAbove(ctx, img, 0)
}

// WasteAbove is Waste without the lowest layers, of which there are below: what they hold in vain isn't counted, and they are
// read only where the others can't be understood without them. For an image that was just built these are the base's.
func (s *Store) WasteAbove(ctx context.Context, img Image, below int) (Waste, error) {
	if below < 0 || below > len(img.Layers) {
		return Waste{}, fmt.Errorf("look for wasted bytes: %d layers are below, the image has %d", below, len(img.Layers))
	}
	t := newTally(img)
	lower := &treeReader{ctx: ctx, store: s, sources: map[digest.Digest]*source{}}
	v := &view{base: lower.base(img, below)}
	for i := below; i < len(img.Layers); i++ {
		src := &source{layer: img.Layers[i], index: i, bottom: i == 0}
		m := merger{lost: t.lostTo(i)}
		up, err := s.readTree(ctx, src, v, m.lost)
		if err != nil {
			return Waste{}, fmt.Errorf("look for wasted bytes: %w", err)
		}
		t.size += src.bytes
		v.top = m.merge(up, v.top, ".")
	}
	return t.waste(), nil
}

// tally counts what goes out of sight.
type tally struct {
	size   int64
	layers []WasteLayer
	files  [][]WastedFile // by the layer that holds them
}

func newTally(img Image) *tally {
	t := &tally{files: make([][]WastedFile, len(img.Layers))}
	for i, step := range createdBy(img) {
		t.layers = append(t.layers, WasteLayer{i + 1, img.Layers[i].DiffID, step})
	}
	return t
}

// lostTo counts names that layer i takes away.
func (t *tally) lostTo(i int) func(ino *inode, p, by, how string) {
	return func(ino *inode, p, by, how string) {
		if ino.count--; ino.count > 0 || ino.size == 0 {
			return
		}
		holder := ino.src.index
		t.files[holder] = append(t.files[holder], WastedFile{absolute(p), ino.size, t.layers[i], how, absolute(by), ino})
	}
}

func (t *tally) waste() Waste {
	w := Waste{Size: t.size, Layers: []LayerWaste{}}
	for i, files := range t.files {
		if len(files) == 0 {
			continue
		}
		l := LayerWaste{Layer: t.layers[i], Files: files}
		for _, f := range files {
			l.Bytes += f.Bytes
		}
		slices.SortFunc(files, func(a, b WastedFile) int {
			return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), comparePaths(a.Path, b.Path), cmp.Compare(a.By.Number, b.By.Number))
		})
		w.Bytes += l.Bytes
		w.Layers = append(w.Layers, l)
	}
	return w
}
