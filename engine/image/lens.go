package image

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
)

// Lens is an image whose layers were looked into. It reads archives and nothing else: no layer is unpacked. A Lens isn't safe for concurrent use.
type Lens struct {
	Image  Image
	Layers []LensLayer // lowest first
	Waste  Waste       // what the layers hold though no container sees it
	Dive   DiveScore   // the same question as dive answers it

	store    *Store
	listings []*listing
}

// LensLayer is one layer in figures. Files are names of anything but folders; bytes are those of file contents.
type LensLayer struct {
	Number     int           `json:"number"` // from 1, the lowest
	DiffID     digest.Digest `json:"diff_id"`
	Blob       digest.Digest `json:"blob"`       // as it is stored, perhaps compressed
	Size       int64         `json:"size_bytes"` // of the uncompressed archive
	CreatedBy  string        `json:"created_by,omitempty"`
	Added      int           `json:"files_added"`
	Changed    int           `json:"files_changed"`  // content or type
	Metadata   int           `json:"files_metadata"` // only mode, owner, attributes or time
	Same       int           `json:"files_same"`     // held once more as they were
	Deleted    int           `json:"files_deleted"`  // out of sight from here on
	Folders    int           `json:"folders_added"`
	Whiteouts  int           `json:"whiteouts"`
	Vain       int           `json:"whiteouts_of_nothing"` // that hide what was never there
	Opaque     int           `json:"opaque_folders"`
	Content    int64         `json:"content_bytes"` // of all its files
	AddedBytes int64         `json:"added_bytes"`   // of those that are new
	Copied     int64         `json:"copied_bytes"`  // of those that are whole copies of a file below with other metadata, or with none
	Wasted     int64         `json:"wasted_bytes"`  // of Content, that layers above hide
	FromCache  bool          `json:"-"`             // the archive was not read this time
}

// Look reads the layers of img, or what an earlier look remembers of them. Each archive that it reads it verifies to its end; one that is
// damaged or missing is an error that names its digest.
func (s *Store) Look(ctx context.Context, img Image) (lens *Lens, err error) {
	ctx, end := trace.Step(ctx, vocab.ImageLook, trace.String("image", string(img.ID)), trace.Int("layers", int64(len(img.Layers))))
	defer func() {
		var wasted int64
		if err == nil {
			wasted = lens.Waste.Bytes
		}
		end(err, trace.Int("wasted_bytes", wasted))
	}()
	l := &Lens{Image: img, store: s}
	cached := make([]bool, len(img.Layers))
	for i, of := range img.Layers {
		list, known, err := s.listing(ctx, of)
		if err != nil {
			return nil, fmt.Errorf("look into image: %w", err)
		}
		l.listings, cached[i] = append(l.listings, list), known
	}
	if err := l.measure(ctx); err != nil {
		return nil, fmt.Errorf("look into image: %w", err)
	}
	for i := range l.Layers {
		l.Layers[i].FromCache = cached[i]
		l.Layers[i].tell(ctx)
	}
	return l, nil
}

// tell says what the layer is by an event.
func (l LensLayer) tell(ctx context.Context) {
	trace.Fact(ctx, vocab.LayerLook, trace.Int("number", int64(l.Number)), trace.String("diff_id", string(l.DiffID)), trace.Bool("cached", l.FromCache),
		trace.Int("added", int64(l.Added)), trace.Int("changed", int64(l.Changed)), trace.Int("metadata", int64(l.Metadata)), trace.Int("deleted", int64(l.Deleted)),
		trace.Int("whiteouts", int64(l.Whiteouts)), trace.Int("opaque", int64(l.Opaque)), trace.Int("content_bytes", l.Content), trace.Int("copied_bytes", l.Copied),
		trace.Int("wasted_bytes", l.Wasted))
}

// measure counts. Files of one size that stand on one another are compared by content: the first pass finds out which there are, and if their
// digests aren't known yet, they are read and there is a second one.
func (l *Lens) measure(ctx context.Context) error {
	again, err := l.count(ctx)
	if err != nil || !again {
		return err
	}
	_, err = l.count(ctx)
	return err
}

// count makes the figures, and reports that contents had to be read first, so that they aren't right yet.
func (l *Lens) count(ctx context.Context) (again bool, err error) {
	t, dive := newTally(l.Image), newDiver()
	c := &contents{}
	l.Layers = nil
	var sources []*source
	err = l.stack(ctx, len(l.Image.Layers), t.lostTo, func(src *source, up, low *node) error {
		sources = append(sources, src)
		n := l.figures(src)
		(&toucher{visit: n.count, pair: c.pair}).walk(".", up, low, hidden{})
		dive.layer(up, low, src)
		l.Layers = append(l.Layers, *n)
		t.size += src.bytes
		return nil
	})
	if err != nil {
		return false, err
	}
	l.Waste, l.Dive = t.waste(), dive.score()
	for _, w := range l.Waste.Layers {
		l.Layers[w.Layer.Number-1].Wasted = w.Bytes
	}
	if !c.unknown {
		return false, nil
	}
	return true, l.digest(ctx, sources)
}

// digest finds the digests of the contents that are wanted, and remembers them.
func (l *Lens) digest(ctx context.Context, sources []*source) error {
	if err := l.store.digestContents(ctx, sources); err != nil {
		return err
	}
	for i, src := range sources {
		if len(src.wanted) == 0 {
			continue
		}
		for seq, sum := range src.sums {
			l.listings[i].sums[seq] = sum
		}
		l.store.keepListing(src.layer.Descriptor.Digest, l.listings[i])
	}
	return nil
}

// contents compares files by the digests of their contents, and notes which are wanted.
type contents struct{ unknown bool }

func (c *contents) pair(a, b *inode) bool {
	if sameEntry(a, b) {
		return true
	}
	x, knownA := a.src.sums[a.seq]
	y, knownB := b.src.sums[b.seq]
	if knownA && knownB {
		return x == y
	}
	c.unknown = true
	want(a)
	want(b)
	return false
}

func (l *Lens) figures(src *source) *LensLayer {
	of := l.Image.Layers[src.index]
	return &LensLayer{Number: src.index + 1, DiffID: of.DiffID, Blob: of.Descriptor.Digest, Size: of.Size, CreatedBy: createdBy(l.Image)[src.index], Content: src.bytes}
}

// count adds what the layer did to one path.
func (l *LensLayer) count(t touch) {
	file := t.now
	if t.mark == MarkDeleted {
		file = t.was
	}
	if t.opaq {
		l.Opaque++
	}
	if t.white {
		l.Whiteouts++
		if t.was == nil {
			l.Vain++
			return
		}
	}
	if file == nil || t.path == "." {
		return
	}
	if file.kind == layer.Dir {
		if t.mark == MarkAdded {
			l.Folders++
		}
		if t.mark == MarkChanged {
			l.Changed++
		}
		return
	}
	size := bytesOf(file, t.path)
	switch t.mark {
	case MarkAdded:
		l.Added++
		l.AddedBytes += size
	case MarkChanged:
		l.Changed++
	case MarkMetadata:
		l.Metadata++
		l.Copied += size
	case MarkSame:
		l.Same++
		l.Copied += size
	case MarkDeleted:
		l.Deleted++
	}
}

// stack puts the lowest n layers on one another. For each it calls visit with its tree and that of those below, before they become one.
func (l *Lens) stack(ctx context.Context, n int, lost func(i int) func(ino *inode, p, by, how string), visit func(src *source, up, low *node) error) error {
	_, err := l.view(ctx, n, lost, visit)
	return err
}

// view is the tree of the lowest n layers. lost and visit may be nil.
func (l *Lens) view(ctx context.Context, n int, lost func(i int) func(ino *inode, p, by, how string), visit func(src *source, up, low *node) error) (*view, error) {
	v := &view{base: emptyBase()}
	for i := range n {
		src := &source{layer: l.Image.Layers[i], index: i, bottom: i == 0, sums: l.listings[i].sums}
		m := merger{}
		if lost != nil {
			m.lost = lost(i)
		}
		up, err := l.grow(ctx, src, v, m.lost)
		if err != nil {
			return nil, err
		}
		if visit != nil {
			if err := visit(src, up, v.top); err != nil {
				return nil, err
			}
		}
		v.top = m.merge(up, v.top, ".")
	}
	return v, nil
}

// grow makes the tree of a layer from its listing.
func (l *Lens) grow(ctx context.Context, src *source, below *view, lost func(ino *inode, p, by, how string)) (*node, error) {
	g, last := newGrower(src, below, lost), ""
	err := l.listings[src.index].each(func(e *layer.Entry, xattrs []xattr) error {
		last = e.Path
		if g.seq%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return g.add(e, xattrs)
	})
	if err != nil {
		return nil, layerError(src.layer, last, err)
	}
	return g.done(), nil
}

// FindLayer gives the number of the layer that text names: a number from 1, or the begin of its digest, at least four digits of it.
func (l *Lens) FindLayer(text string) (int, error) { return findLayer(l.Image, text) }

// LensHistory is a row of the history as Look's layers lie: lowest first.
type LensHistory struct {
	Layer     int        `json:"layer"` // its number; 0 for a step that made none
	CreatedBy string     `json:"created_by"`
	Created   *time.Time `json:"created,omitempty"`
	Comment   string     `json:"comment,omitempty"`
}

// History is every step that made the image, the first one first. Layers that the history doesn't account for stand at the end.
func (l *Lens) History() []LensHistory {
	rows, next := []LensHistory{}, 0
	for _, h := range l.Image.Config.History {
		row := LensHistory{CreatedBy: h.CreatedBy, Created: h.Created, Comment: h.Comment}
		if !h.EmptyLayer {
			if next == len(l.Layers) {
				continue // it speaks of more layers than there are
			}
			next++
			row.Layer = next
		}
		rows = append(rows, row)
	}
	for ; next < len(l.Layers); next++ {
		rows = append(rows, LensHistory{Layer: next + 1})
	}
	return rows
}

// SharedLayers gives for each layer of img the other images that have it, whatever lies below it there: by a name, or the id.
func (s *Store) SharedLayers(ctx context.Context, img Image) ([][]string, error) {
	at := map[digest.Digest][]int{}
	for i, l := range img.Layers {
		at[l.DiffID] = append(at[l.DiffID], i)
	}
	list, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	shared := make([][]string, len(img.Layers))
	for _, other := range list {
		if other.ID == img.ID || other.Damaged != nil {
			continue
		}
		name := string(other.ID)
		if len(other.Refs) > 0 {
			name = other.Refs[0].Familiar()
		}
		for _, l := range other.Layers {
			for _, i := range at[l.DiffID] {
				if !slices.Contains(shared[i], name) {
					shared[i] = append(shared[i], name)
				}
			}
		}
	}
	for _, names := range shared {
		slices.SortFunc(names, cmp.Compare)
	}
	return shared, nil
}
