package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
)

// LinkError reports a symbolic link where a file was wanted.
type LinkError struct{ Path, Text string }

func (e *LinkError) Error() string { return fmt.Sprintf("%s is a symbolic link to %s", e.Path, e.Text) }

// HeldFile is a file whose content a layer holds.
type HeldFile struct {
	Path string // without links
	LensFile

	src *source
	seq int
}

// Find looks for the file p in the tree of the lowest n layers. Links in its folders are followed, never out of the tree; p itself only with
// follow: otherwise a link is a *LinkError. A path that isn't there is a *GoneError.
func (l *Lens) Find(ctx context.Context, p string, n int, follow bool) (HeldFile, error) {
	v, err := l.view(ctx, n, nil, nil)
	if err != nil {
		return HeldFile{}, err
	}
	real, at, err := resolve(v.top, p, follow)
	switch {
	case errors.Is(err, errNotThere):
		return HeldFile{}, l.goneError(ctx, real, p, n)
	case err != nil:
		return HeldFile{}, err
	case at.isDir():
		return HeldFile{}, fmt.Errorf("%s is a folder", absolute(real))
	case at.ino.kind == layer.Symlink:
		return HeldFile{}, &LinkError{absolute(real), at.ino.link}
	case at.ino.kind != layer.File:
		return HeldFile{}, fmt.Errorf("%s is no file but a %s: it has no content", absolute(real), at.ino.kind)
	}
	return HeldFile{Path: absolute(real), LensFile: *fileOf(at.ino), src: at.ino.src, seq: at.ino.seq}, nil
}

// goneError says who took the path away. A link may lead to real, which then isn't what was asked for.
func (l *Lens) goneError(ctx context.Context, real, asked string, n int) error {
	b, err := l.Biography(ctx, real)
	if err == nil && len(b.Life) == 0 {
		b, err = l.Biography(ctx, asked)
	}
	if err != nil {
		return err
	}
	gone := &GoneError{Path: b.Path, Layer: n, Copies: b.Copies}
	for _, event := range b.Life {
		switch {
		case event.Layer.Number > n:
		case event.Mark == MarkDeleted && event.Before != nil:
			gone.By, gone.How = event.Layer, event.How
		case event.Mark != MarkDeleted:
			gone.By = WasteLayer{}
		}
	}
	return gone
}

// Copy writes the content of f to w, and reads the layer's archive to its end: if that is not what its digest says, there is an error, though w
// may have got all bytes by then.
func (l *Lens) Copy(ctx context.Context, w io.Writer, f HeldFile) error {
	seq, last := 0, ""
	var failed error
	err := l.store.eachVerified(ctx, f.src.layer, func(e *layer.Entry, content io.Reader) error {
		last = e.Path
		if seq++; seq != f.seq {
			return nil
		}
		_, err := io.Copy(writeOnly{w, &failed}, content)
		return err
	})
	switch {
	case failed != nil:
		return fmt.Errorf("write %s: %w", f.Path, failed)
	case err != nil:
		return layerError(f.src.layer, last, err)
	}
	return nil
}

// writeOnly remembers that it was the writer that failed.
type writeOnly struct {
	w   io.Writer
	err *error
}

func (w writeOnly) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		*w.err = err
	}
	return n, err
}

// HiddenFile is a file that a layer holds and no container sees: whoever has the image can read it.
type HiddenFile struct {
	Layer WasteLayer `json:"layer"`
	WastedFile
	Same bool `json:"same_as_seen"` // what a container sees at the path has the same content
}

// Hidden are the files with content that are in the layers and out of sight, lowest layer first, the biggest of each first.
func (l *Lens) Hidden(ctx context.Context) ([]HiddenFile, error) {
	list := []HiddenFile{}
	if len(l.Waste.Layers) == 0 {
		return list, nil
	}
	v, err := l.view(ctx, len(l.Layers), nil, nil)
	if err != nil {
		return nil, err
	}
	for _, w := range l.Waste.Layers {
		for _, f := range w.Files {
			list = append(list, HiddenFile{w.Layer, f, l.sameAsSeen(v, f)})
		}
	}
	return list, nil
}

func (l *Lens) sameAsSeen(v *view, f WastedFile) bool {
	n := seenAt(v, strings.TrimPrefix(f.Path, "/"))
	if n == nil || n.ino.kind != layer.File || n.ino.size != f.Bytes {
		return false
	}
	seen, hadA := l.listings[n.ino.src.index].sums[n.ino.seq]
	held, hadB := l.listings[f.ino.src.index].sums[f.ino.seq]
	return hadA && hadB && seen == held
}

// findLayer gives the number of the layer of img that text names.
func findLayer(img Image, text string) (int, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(img.Layers) {
		return n, nil
	}
	found := 0
	want := strings.TrimPrefix(text, "sha256:")
	for i, l := range img.Layers {
		if len(want) < minPrefix || !strings.HasPrefix(l.DiffID.Encoded(), want) && !strings.HasPrefix(l.Descriptor.Digest.Encoded(), want) {
			continue
		}
		if found > 0 && img.Layers[found-1].DiffID != l.DiffID {
			return 0, fmt.Errorf("layer %q is ambiguous: the digests of layers %d and %d begin so; give more digits", text, found, i+1)
		}
		found = i + 1
	}
	if found == 0 {
		return 0, fmt.Errorf("no layer %q in image %s: it has %d, and they are named by their numbers from 1, the lowest, or the begin of their digests", text, oci.ShortID(img.ID), len(img.Layers))
	}
	return found, nil
}

const minPrefix = 4 // digits of a digest that name a layer
