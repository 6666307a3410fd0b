package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/learn-containers/learn/engine/layer"
)

// source is a layer whose archive is read.
type source struct {
	layer  Layer
	index  int   // of the layer in its image, from 0
	bottom bool  // there is no layer below
	bytes  int64 // of contents, counted while it is read

	wanted map[int]bool     // numbers of the entries whose content is to be digested
	sums   map[int][32]byte // what came out
}

// grower makes the tree of one layer from its archive, by the rules by which the drivers unpack it. The archive is hostile:
// links are followed in the tree alone.
type grower struct {
	src   *source
	below func(p string) (*node, error) // what the layers below have at a path without links
	lost  func(ino *inode, p, by, how string)
	root  *node
	seq   int
	dir   string // the folder that the last entry went into
	in    *node

	implied int     // folders made without an entry
	xattrs  []xattr // of the entry that is added
}

// readTree reads a layer that stands on below. Only names and metadata are read, and contents passed over, unless the layer
// is compressed. lost may be nil.
func (s *Store) readTree(ctx context.Context, src *source, below *view, lost func(ino *inode, p, by, how string)) (*node, error) {
	in, err := s.openHeaders(src.layer)
	if err != nil {
		return nil, fmt.Errorf("read layer %s: %w", src.layer.Descriptor.Digest, err)
	}
	defer in.Close()
	g := newGrower(src, below, lost)
	last := ""
	err = eachEntry(ctx, in, func(e *layer.Entry, _ io.Reader) error {
		last = e.Path
		return g.add(e, xattrsOf(e.Xattrs))
	})
	if err != nil {
		return nil, layerError(src.layer, last, err)
	}
	return g.done(), nil
}

// newGrower begins the tree of a layer that stands on below.
func newGrower(src *source, below *view, lost func(ino *inode, p, by, how string)) *grower {
	return &grower{src: src, below: below.at, lost: lost, root: &node{}}
}

// add takes the archive's next entry, which has the attributes xattrs.
func (g *grower) add(e *layer.Entry, xattrs []xattr) error {
	if g.seq == 0 {
		g.begin(e)
	}
	g.seq++
	g.xattrs = xattrs
	if e.Kind == layer.Opaque {
		return faultOf(e, g.opaque(e))
	}
	return faultOf(e, g.entry(e))
}

// done is the tree when the archive has no more entries.
func (g *grower) done() *node {
	if g.seq == 0 {
		g.begin(nil)
	}
	return g.root
}

// entryFault is an error about one entry.
type entryFault struct {
	entry layer.Entry
	err   error
}

func (f *entryFault) Error() string {
	return fmt.Sprintf("entry %q (%s): %v", f.entry.Path, f.entry.Kind, f.err)
}
func (f *entryFault) Unwrap() error { return f.err }

func faultOf(e *layer.Entry, err error) error {
	if err == nil {
		return nil
	}
	return &entryFault{*e, err}
}

// layerError says in which layer something is wrong and, where the cause doesn't, behind which entry.
func layerError(l Layer, last string, err error) error {
	var refused *layer.EntryError
	var fault *entryFault
	switch {
	case errors.As(err, &refused) || errors.As(err, &fault) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("read layer %s: %w", l.Descriptor.Digest, err)
	case last == "":
		return fmt.Errorf("read layer %s: at its first entry: %w", l.Descriptor.Digest, err)
	}
	return fmt.Errorf("read layer %s: at or behind entry %q: %w", l.Descriptor.Digest, last, err)
}

// eachEntry calls visit for every entry of an archive, which it reads to its end.
func eachEntry(ctx context.Context, in io.Reader, visit func(e *layer.Entry, content io.Reader) error) error {
	r := layer.NewReader(in, layer.Limits{})
	for n := 0; ; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = visit(e, r)
		}
		if err != nil {
			return err
		}
	}
}

// begin gives the lowest layer's root what a folder has that nobody described; the roots above take it over.
func (g *grower) begin(first *layer.Entry) {
	if g.src.bottom {
		g.root.ino = implied(first)
	}
}

// implied is a folder that neither the archive nor a layer below describes.
func implied(e *layer.Entry) *inode {
	i := &inode{kind: layer.Dir, mode: 0o755, mtime: time.Unix(0, 0)}
	if e != nil && !e.ModTime.IsZero() {
		i.mtime = e.ModTime
	}
	return i
}

func (g *grower) inodeOf(e *layer.Entry) *inode {
	i := &inode{kind: e.Kind, mode: e.Mode, uid: e.UID, gid: e.GID, mtime: e.ModTime, xattrs: g.xattrs, src: g.src, seq: g.seq}
	switch e.Kind {
	case layer.File:
		i.size = e.Size
		g.src.bytes += e.Size
	case layer.Symlink:
		i.link, i.mode = e.Link, 0
	case layer.Char, layer.Block:
		i.major, i.minor = e.Major, e.Minor
	}
	return i
}

func (g *grower) entry(e *layer.Entry) error {
	if e.Path == "." {
		g.root.ino = g.inodeOf(e)
		return nil
	}
	dir, err := g.enter(path.Dir(e.Path), e)
	if err != nil {
		return err
	}
	name := path.Base(e.Path)
	switch e.Kind {
	case layer.Whiteout:
		g.whiteout(dir, name)
	case layer.Dir:
		g.folder(dir, name).ino = g.inodeOf(e)
	case layer.HardLink:
		return g.hardLink(dir, name, e)
	default:
		g.place(dir, name, g.inodeOf(e))
	}
	return nil
}

// place puts a file under name; what an earlier entry put there goes.
func (g *grower) place(dir *node, name string, i *inode) {
	g.clear(dir, name)
	i.count++
	dir.put(name, &node{ino: i})
}

func (g *grower) clear(dir *node, name string) {
	old := dir.kid(name)
	if old != nil && g.lost != nil {
		merger{g.lost}.cover(old, join(g.dir, name))
	}
	delete(dir.kids, name)
}

// folder is the folder name, made unless it is there. A whiteout and a folder of one archive together mean a new folder.
func (g *grower) folder(dir *node, name string) *node {
	old := dir.kid(name)
	if old.isDir() {
		return old
	}
	g.clear(dir, name)
	n := &node{opaque: old != nil && old.white}
	dir.put(name, n)
	return n
}

// hardLink gives a file of this same archive another name.
func (g *grower) hardLink(dir *node, name string, e *layer.Entry) error {
	in, real, err := g.follow(path.Dir(e.Link), g.stepHere)
	if err != nil {
		return fmt.Errorf("hard link target %q is not in this layer: %w", e.Link, err)
	}
	target, at := in.kid(path.Base(e.Link)), join(real, path.Base(e.Link))
	switch old := dir.kid(name); {
	case target == nil || target.white || target.isDir():
		return fmt.Errorf("hard link target %q is not a file in this layer", e.Link)
	case old != nil && old.ino == target.ino:
		return nil // said twice
	}
	g.clear(dir, name)
	if g.root.walk(at) != target {
		return fmt.Errorf("hard link target %q was in the folder that the link replaces", e.Link)
	}
	if target.ino.names == nil {
		target.ino.names = []string{at}
	}
	target.ino.names = append(target.ino.names, join(g.dir, name))
	g.place(dir, name, target.ino)
	return nil
}

// whiteout deletes name in the layers below. What this same archive has there stays, cut off from below.
func (g *grower) whiteout(dir *node, name string) {
	switch old := dir.kid(name); {
	case old.isDir():
		old.opaque = true
	case old == nil:
		dir.put(name, &node{white: true})
	}
}

func (g *grower) opaque(e *layer.Entry) error {
	dir, err := g.enter(e.Path, e)
	if err != nil {
		return err
	}
	dir.opaque = true
	return nil
}
