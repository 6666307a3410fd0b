package tree

import (
	"errors"
	"os"
	"path/filepath"
)

// host is the folder of a layer's contents. It isn't safe for concurrent use.
type host struct {
	root *os.Root
	at   *placer
	last string   // folder that dir stands for: files come in runs of the same folder
	dir  *os.Root // nil: none
}

func openHost(dir string) (*host, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &host{root: root, at: newPlacer()}, nil
}

func (h *host) close() error {
	h.leave()
	return h.root.Close()
}

func (h *host) leave() {
	if h.dir != nil {
		_ = h.dir.Close()
		h.dir = nil
	}
}

// create makes the file for the content of the path p, and tells where it is stored.
func (h *host) create(p string) (stored string, f *os.File, err error) {
	stored = h.at.choose(p)
	dir, base := split(stored)
	err = h.enter(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err = h.root.MkdirAll(filepath.FromSlash(dir), 0o700); err == nil {
			err = h.enter(dir)
		}
	}
	if err != nil {
		return "", nil, err
	}
	f, err = h.dir.OpenFile(base, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	return stored, f, err
}

// enter has dir stand for a folder, unless it does already.
func (h *host) enter(dir string) error {
	if h.dir != nil && h.last == dir {
		return nil
	}
	h.leave()
	sub, err := h.root.OpenRoot(filepath.FromSlash(dir))
	if err != nil {
		return err
	}
	h.last, h.dir = dir, sub
	return nil
}

// remove takes a content away, with the folders that are empty without it.
func (h *host) remove(stored string) error {
	h.at.leave(stored)
	h.leave()
	err := h.root.Remove(filepath.FromSlash(stored))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	for dir, _ := split(stored); dir != "."; dir, _ = split(dir) {
		if h.at.dirs[fold(dir)] > 0 || h.root.Remove(filepath.FromSlash(dir)) != nil {
			break
		}
	}
	return err
}

// open opens a content.
func (h *host) open(stored string, flags int) (*os.File, error) {
	dir, base := split(stored)
	if err := h.enter(dir); err != nil {
		return nil, err
	}
	return h.dir.OpenFile(base, flags, 0)
}

// contents opens contents of several layers for reading, those in the same folder of the same layer one after the other cheaply. The zero
// value is ready; it must be closed and isn't safe for concurrent use.
type contents struct {
	of   string // the layer's host folder that host stands for
	host *host
}

// open opens what the inode i of the layer with the host folder files has stored.
func (c *contents) open(files string, i *inode) (*os.File, error) {
	if c.host == nil || c.of != files {
		c.close()
		h, err := openHost(files)
		if err != nil {
			return nil, err
		}
		c.of, c.host = files, h
	}
	return c.host.open(i.stored, os.O_RDONLY)
}

func (c *contents) close() {
	if c.host != nil {
		_ = c.host.close()
		c.host = nil
	}
}
