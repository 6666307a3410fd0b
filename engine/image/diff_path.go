package image

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/layer"
)

const (
	maxFollowed = 40   // followed on one path, as in the kernel
	maxRealPath = 4096 // bytes of a path without links: nothing deeper can be unpacked, and trees are walked by recursion
)

var (
	errNotThere  = errors.New("no such file or directory")
	errNotFolder = errors.New("not a directory")
)

// enter finds the folder that an entry goes into, and makes the folders that are missing, as those below are where there are
// such. Symbolic links count as the merged tree has them.
func (g *grower) enter(dir string, e *layer.Entry) (*node, error) {
	if g.in != nil && dir == g.dir {
		return g.in, nil
	}
	g.in = nil // what comes may remove it
	n, real := g.root.walk(dir), dir
	if !n.isDir() {
		var err error
		n, real, err = g.follow(dir, func(p string, n *node) (string, error) { return g.step(p, n, e) })
		if err != nil {
			return nil, fmt.Errorf("open folder %q: %w", dir, err)
		}
	}
	g.dir, g.in = real, n
	return n, nil
}

// follow walks along dir and gives the folder and its path without links. step makes sure that its path is a folder of this
// layer, or returns the text of the link that is there.
func (g *grower) follow(dir string, step func(p string, n *node) (link string, err error)) (*node, string, error) {
	done, links := ".", 0
	way := []*node{g.root} // the folders of done
	for rest := dir; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			done, way = path.Dir(done), way[:max(1, len(way)-1)]
			continue
		}
		p, in := join(done, part), way[len(way)-1]
		if len(p) > maxRealPath {
			return nil, "", fmt.Errorf("its path without links is longer than %d bytes", maxRealPath)
		}
		text, err := step(p, in.kid(part))
		if err != nil {
			return nil, "", err
		}
		if text == "" {
			done, way = p, append(way, in.kid(part))
			continue
		}
		if links++; links > maxFollowed {
			return nil, "", errors.New("too many levels of symbolic links")
		}
		if strings.HasPrefix(text, "/") {
			done, way = ".", way[:1]
		}
		rest = text + "/" + rest
	}
	return way[len(way)-1], done, nil
}

// stepHere is the step of a path that must be in this layer.
func (g *grower) stepHere(_ string, n *node) (string, error) {
	switch {
	case n == nil || n.white:
		return "", errNotThere
	case n.isDir():
		return "", nil
	case n.ino.kind == layer.Symlink:
		return n.ino.link, nil
	}
	return "", errNotFolder
}

// step is that of a path whose folders are made where they are missing.
func (g *grower) step(p string, n *node, e *layer.Entry) (string, error) {
	if n != nil && !n.white {
		return g.stepHere(p, n)
	}
	if n == nil && !g.hidden(path.Dir(p)) {
		below, err := g.below(p)
		switch {
		case err != nil:
			return "", err
		case below.isDir():
			g.made(p).ino = below.ino
			return "", nil
		case below != nil && below.ino.kind == layer.Symlink:
			return below.ino.link, nil
		}
	}
	g.made(p).ino = implied(e)
	return "", nil
}

// made makes the folder p, whose parent is there.
func (g *grower) made(p string) *node {
	dir, name := path.Split(p)
	return g.folder(g.root.walk(path.Clean(dir+".")), name)
}

// hidden reports whether this layer hides what those below have in the folder p.
func (g *grower) hidden(p string) bool {
	n := g.root
	for rest := p; n != nil; {
		if n.opaque {
			return true
		}
		if rest == "" || rest == "." {
			return false
		}
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		n = n.kid(part)
	}
	return false
}
