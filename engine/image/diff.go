package image

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// Diff is what tells image b from image a. Its JSON form is an interface. Paths begin with a slash; times are kept apart,
// because two builds of the same inputs differ in nothing else.
type Diff struct {
	Same        bool         `json:"same_id"`       // one config digest: the rest is empty
	Reencoded   bool         `json:"reencoded"`     // the configs differ in nothing but how their JSON is written
	Shared      []DiffLayer  `json:"shared_layers"` // lowest first
	LayersA     []DiffLayer  `json:"layers_a"`      // those above, of a
	LayersB     []DiffLayer  `json:"layers_b"`
	Config      []DiffField  `json:"config"`       // in the order of the config
	Files       []DiffFile   `json:"files"`        // by path
	ConfigTimes []DiffField  `json:"config_times"` // created, of the image and of steps of its history
	FileTimes   []DiffMoment `json:"file_times"`   // files whose time of change differs, by path
}

// DiffLayer is a layer as a Diff names it.
type DiffLayer struct {
	DiffID    digest.Digest `json:"diff_id"`
	Size      int64         `json:"size"`                 // of the uncompressed archive, in bytes
	CreatedBy string        `json:"created_by,omitempty"` // its line of the history
}

// The kinds of changes, as docker diff writes them.
const (
	DiffAdded   = "A" // b has it and a doesn't
	DiffDeleted = "D"
	DiffChanged = "C"
)

// DiffField is a field of the config, or one entry of a field that has several.
type DiffField struct {
	Kind  string `json:"kind"`
	Field string `json:"field"`         // as docker inspect names it: Env, Labels, Created, History
	Key   string `json:"key,omitempty"` // the variable, label, port, volume, or number of the step
	A     string `json:"a,omitempty"`   // the value; lists and objects as JSON
	B     string `json:"b,omitempty"`
}

// DiffFile is a path whose file differs.
type DiffFile struct {
	Kind    string       `json:"kind"`
	Path    string       `json:"path"`
	Type    string       `json:"type"`           // of what b has, or a if b has nothing: file, dir, symlink, char, block or fifo
	Size    int64        `json:"size,omitempty"` // of that file's content
	Changes []DiffChange `json:"changes,omitempty"`
}

// DiffChange is one property of a file that differs: "type", "content" (digests, where the sizes are equal), "size", "mode"
// (octal), "owner" (uid:gid), "target" (of a symbolic link), "device", "links" (which names are one file) or "xattr NAME".
type DiffChange struct {
	What string `json:"what"`
	A    string `json:"a"`
	B    string `json:"b"`
}

// DiffMoment is a path at which both have a file, changed last at different times.
type DiffMoment struct {
	Path string    `json:"path"`
	A    time.Time `json:"a"`
	B    time.Time `json:"b"`
}

// Diff compares two images: their layers, configs and trees. Of layers that both have at the same place it reads only
// names, and only if something above may hide or show them. An archive that is damaged or can't be a layer is an error that
// names the layer and the entry.
func (s *Store) Diff(ctx context.Context, a, b Image) (Diff, error) {
	if a.ID == b.ID {
		return noDiff(a, b), nil
	}
	d, n := noDiff(a, b), shared(a, b)
	if err := s.diffConfigs(&d, a, b); err != nil {
		return Diff{}, fmt.Errorf("compare images: %w", err)
	}
	r := &treeReader{ctx: ctx, store: s, sources: map[digest.Digest]*source{}}
	if err := r.diff(&d, a, b, n); err != nil {
		return Diff{}, fmt.Errorf("compare images: %w", err)
	}
	return d, nil
}

// noDiff is a Diff that says nothing yet but how the layers lie.
func noDiff(a, b Image) Diff {
	n := shared(a, b)
	return Diff{
		Same: a.ID == b.ID, Shared: layerList(a, 0, n), LayersA: layerList(a, n, len(a.Layers)), LayersB: layerList(b, n, len(b.Layers)),
		Config: []DiffField{}, Files: []DiffFile{}, ConfigTimes: []DiffField{}, FileTimes: []DiffMoment{},
	}
}

// shared counts the layers that both have from the bottom up.
func shared(a, b Image) int {
	n := 0
	for n < min(len(a.Layers), len(b.Layers)) && a.Layers[n].DiffID == b.Layers[n].DiffID {
		n++
	}
	return n
}

func layerList(img Image, from, to int) []DiffLayer {
	steps := createdBy(img)
	list := []DiffLayer{}
	for i := from; i < to; i++ {
		list = append(list, DiffLayer{img.Layers[i].DiffID, img.Layers[i].Size, steps[i]})
	}
	return list
}

// createdBy gives for each layer the line of the history that made it; empty where the history doesn't say.
func createdBy(img Image) []string {
	steps := make([]string, len(img.Layers))
	next := 0
	for _, h := range img.Config.History {
		if !h.EmptyLayer && next < len(steps) {
			steps[next] = h.CreatedBy
			next++
		}
	}
	return steps
}

// treeReader reads the trees of images. A layer that stands at several places has one source, so that its files are known to
// be the same.
type treeReader struct {
	ctx     context.Context
	store   *Store
	sources map[digest.Digest]*source
}

func (r *treeReader) source(l Layer, index int) *source {
	src := r.sources[l.DiffID]
	if src == nil {
		src = &source{layer: l, index: index, bottom: index == 0}
		r.sources[l.DiffID] = src
	}
	return src
}

// base is the tree of img's lowest n layers, read when it is needed.
func (r *treeReader) base(img Image, n int) *base {
	if n == 0 {
		return emptyBase()
	}
	return &base{read: func() (*node, error) {
		v := &view{base: emptyBase()}
		err := r.stack(v, img, 0, n, nil)
		return v.top, err
	}}
}

// emptyBase is what is below the lowest layer.
func emptyBase() *base { return &base{root: &node{ino: implied(nil)}} }

// stack puts img's layers from one to another on v.
func (r *treeReader) stack(v *view, img Image, from, to int, lost func(src *source) func(ino *inode, p, by, how string)) error {
	for i := from; i < to; i++ {
		src := r.source(img.Layers[i], i)
		src.bottom = i == 0
		m := merger{}
		if lost != nil {
			m.lost = lost(src)
		}
		up, err := r.store.readTree(r.ctx, src, v, m.lost)
		if err != nil {
			return err
		}
		v.top = m.merge(up, v.top, ".")
	}
	return nil
}

// diff compares the trees, which have their lowest n layers in common.
func (r *treeReader) diff(d *Diff, a, b Image, n int) error {
	below := r.base(a, n)
	c := &comparer{a: &view{base: below}, b: &view{base: below}, diff: d}
	if err := r.stack(c.a, a, n, len(a.Layers), nil); err != nil {
		return err
	}
	if err := r.stack(c.b, b, n, len(b.Layers), nil); err != nil {
		return err
	}
	if err := c.walk(".", spot{n: c.a.top}, spot{n: c.b.top}); err != nil {
		return err
	}
	var sources []*source
	for _, src := range r.sources {
		sources = append(sources, src)
	}
	if err := r.store.digestContents(r.ctx, sources); err != nil {
		return err
	}
	c.finish()
	slices.SortFunc(d.Files, func(x, y DiffFile) int { return comparePaths(x.Path, y.Path) })
	slices.SortFunc(d.FileTimes, func(x, y DiffMoment) int { return comparePaths(x.Path, y.Path) })
	return nil
}
