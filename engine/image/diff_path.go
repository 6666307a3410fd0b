package image

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/layer"
)

const (
	maxFollowed = 40        // followed on one path, as in the kernel
	maxImplied  = 5_000_000 // folders: one long name can make thousands
	maxRealPath = 4096      // bytes of a path without links: nothing deeper can be unpacked, and trees are walked by recursion
)

var (
	errNotThere  = errors.New("no such file or directory")
	errNotFolder = errors.New("not a directory")
)

// place is a folder of the layer while a path is followed.
type place struct {
	n   *node
	cut bool // nothing that the layers below have in it shows
}

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
		n, real, err = g.follow(dir, func(p string, in place, name string) (place, string, error) { return g.step(p, in, name, e) })
		if err != nil {
			return nil, fmt.Errorf("open folder %q: %w", dir, err)
		}
	}
	g.dir, g.in = real, n
	return n, nil
}

// follow walks along dir and gives the folder and its path without links. step finds the folder name in another, whose path
// with that name is p, or the text of the link that is there.
func (g *grower) follow(dir string, step func(p string, in place, name string) (at place, link string, err error)) (*node, string, error) {
	done, links := ".", 0
	way := []place{{g.root, g.root.opaque}} // the folders of done
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
		p := join(done, part)
		if len(p) > maxRealPath {
			return nil, "", fmt.Errorf("its path without links is longer than %d bytes", maxRealPath)
		}
		at, text, err := step(p, way[len(way)-1], part)
		if err != nil {
			return nil, "", err
		}
		if text == "" {
			done, way = p, append(way, at)
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
	return way[len(way)-1].n, done, nil
}

// stepHere is the step of a path that must be in this layer.
func (g *grower) stepHere(_ string, in place, name string) (place, string, error) {
	n := in.n.kid(name)
	switch {
	case n == nil || n.white:
		return place{}, "", errNotThere
	case n.isDir():
		return place{n, in.cut || n.opaque}, "", nil
	case n.ino.kind == layer.Symlink:
		return place{}, n.ino.link, nil
	}
	return place{}, "", errNotFolder
}

// step is that of a path whose folders are made where they are missing.
func (g *grower) step(p string, in place, name string, e *layer.Entry) (place, string, error) {
	n := in.n.kid(name)
	if n != nil && !n.white {
		return g.stepHere(p, in, name)
	}
	if n == nil && !in.cut {
		below, err := g.below(p)
		switch {
		case err != nil:
			return place{}, "", err
		case below.isDir():
			made, err := g.made(in.n, name, below.ino)
			return place{made, false}, "", err
		case below != nil && below.ino.kind == layer.Symlink:
			return place{}, below.ino.link, nil
		}
	}
	made, err := g.made(in.n, name, implied(e))
	return place{made, true}, "", err
}

// made makes a folder for which the archive has no entry.
func (g *grower) made(in *node, name string, i *inode) (*node, error) {
	if g.implied++; g.implied > maxImplied {
		return nil, fmt.Errorf("more than %d folders without an entry in one layer", maxImplied)
	}
	n := g.folder(in, name)
	n.ino = i
	return n, nil
}
