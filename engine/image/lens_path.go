package image

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/layer"
)

// Biography is what the layers did to one path.
type Biography struct {
	Asked  string      `json:"asked"`          // as it was asked for
	Path   string      `json:"path"`           // without symbolic links in its folders, as the topmost layer that has them says
	Life   []LifeEvent `json:"life"`           // the lowest layer first
	From   int         `json:"from"`           // the layer that what a container sees comes from; 0 if it sees nothing
	File   *LensFile   `json:"file,omitempty"` // that
	Copies []int       `json:"copies"`         // the layers that hold a file at the path, whether it is seen or not
}

// LifeEvent is what one layer did to the path.
type LifeEvent struct {
	Layer WasteLayer `json:"layer"`
	LensChange
}

// Biography tells what the layers did to p, and where what a container sees there comes from.
func (l *Lens) Biography(ctx context.Context, p string) (Biography, error) {
	real, err := l.folderPath(ctx, p)
	if err != nil {
		return Biography{}, err
	}
	b := Biography{Asked: p, Path: absolute(real), Life: []LifeEvent{}, Copies: []int{}}
	c := &contents{}
	steps := newTally(l.Image).layers
	v, err := l.view(ctx, len(l.Layers), nil, func(src *source, up, low *node) error {
		t, ok := touchAt(&toucher{pair: c.pair}, real, up, low)
		if ok && (t.mark != MarkUntouched || t.opaq) {
			b.Life = append(b.Life, LifeEvent{steps[src.index], changeOf(t)})
		}
		if n := up.walk(real); n != nil && !n.white && n.ino != nil && n.ino.kind == layer.File && n.ino.src == src {
			b.Copies = append(b.Copies, src.index+1)
		}
		return nil
	})
	if err != nil {
		return Biography{}, err
	}
	if n := seenAt(v, real); n != nil {
		b.File = fileOf(n.ino)
		b.From = b.File.Layer
	}
	return b, nil
}

// seenAt is what a view without a base has at p; nil for nothing.
func seenAt(v *view, p string) *node {
	if n := v.top.walk(p); n != nil && !n.white && n.ino != nil {
		return n
	}
	return nil
}

// touchAt is what a layer did to the path p, which leads over no links.
func touchAt(w *toucher, p string, up, low *node) (touch, bool) {
	at, hid := ".", hidden{}
	for rest := p; rest != "" && rest != "."; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		hid = inside(at, up, low, hid)
		if up == nil && hid.how == "" {
			return touch{}, false
		}
		at, up, low = join(at, part), up.kid(part), low.kid(part)
	}
	return w.at(at, up, low, hid)
}

// folderPath resolves the links in p's folders as the topmost layer has them in which they lead somewhere.
func (l *Lens) folderPath(ctx context.Context, p string) (string, error) {
	clean := strings.TrimPrefix(path.Clean("/"+p), "/")
	if clean == "" {
		return ".", nil
	}
	try := func(low *node) {
		if low == nil {
			return
		}
		if real, _, err := resolve(low, p, false); err == nil {
			clean = real
		}
	}
	v, err := l.view(ctx, len(l.Layers), nil, func(_ *source, _, low *node) error { try(low); return nil })
	if err != nil {
		return "", err
	}
	try(v.top)
	return clean, nil
}

// resolve follows p in the tree root, and never out of it: a link to an absolute path begins at root, and nothing is above root. The last part
// is followed if last says so. It gives the path without links.
func resolve(root *node, p string, last bool) (string, *node, error) {
	done, links, rest := ".", 0, p
	for rest != "" {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		at := join(done, part)
		n := root.walk(at)
		switch {
		case n == nil || n.white || n.ino == nil && at != ".":
			return at, nil, fmt.Errorf("%s: %w", absolute(at), errNotThere)
		case n.isDir():
			done = at
			continue
		case n.ino.kind != layer.Symlink && strings.Trim(rest, "/") != "":
			return at, nil, fmt.Errorf("%s: %w", absolute(at), errNotFolder)
		case n.ino.kind != layer.Symlink || !last && strings.Trim(rest, "/") == "":
			return at, n, nil
		}
		if links++; links > maxFollowed {
			return at, nil, fmt.Errorf("%s: too many levels of symbolic links", absolute(at))
		}
		if strings.HasPrefix(n.ino.link, "/") {
			done = "."
		}
		if rest = n.ino.link + "/" + rest; len(rest) > maxResolved {
			return at, nil, fmt.Errorf("%s: the text of its symbolic links is too long", absolute(at))
		}
	}
	return done, root.walk(done), nil
}

const maxResolved = 64 << 10 // bytes of a path whose links are being followed

// GoneError reports a path that a container doesn't see, though layers may hold it.
type GoneError struct {
	Path   string
	Layer  int        // in the tree of which it was looked for
	By     WasteLayer // that took it away; Number is 0 if no layer up to Layer ever had it
	How    string     // as in LensChange
	Copies []int      // layers that hold a file at the path
}

func (e *GoneError) Error() string {
	if e.By.Number == 0 {
		return fmt.Sprintf("%s: %v in the tree of layer %d", e.Path, errNotThere, e.Layer)
	}
	return fmt.Sprintf("%s: no container sees it from layer %d on, where it is %s", e.Path, e.By.Number, e.How)
}
