package vfs

import (
	"strings"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// The limits of path_resolution(7).
const (
	maxName  = 255
	maxPath  = 4096
	maxLinks = 40
)

// walker is a walk along a path and, after it, where it led: the name rel of the mount m.
type walker struct {
	m    *mount
	fs   fsys.FS // m.fs, or what the caller sees of it
	rel  string
	attr fsys.Attr // of rel; Kind is 0 while unknown
	dir  fsys.Attr // of the folder that holds rel; Kind is 0 while unknown

	creates bool // the caller would make a file: what ends in a slash can be none
	missing bool // there is no rel; its folder is there
	gap     bool // a folder on the way is missing: rel; what should follow is rest
	slash   bool // the path ended in a slash: rel must be a folder
	dots    int  // how many dots the last part of the path was, if it was . or ..
	point   bool // rel is the root of a mount that the last part of the path led onto
	fd      int  // rel is /proc/self/fd/fd-1 and is open on something without a name; 0 if not

	src   string // what is being walked
	at    int    // where in it the last part began
	pos   int    // where it ended
	start int    // where rel begins in src; -1 if it is no piece of it
	rest  string
	links int
}

// walk goes along name. The last part is followed if it is a link and follow is set or a slash comes after it. That the last part
// does not exist is no error: missing is set.
func (v *View) walk(w *walker, name string, follow bool) error {
	switch {
	case name == "":
		return syscall.ENOENT
	case len(name) >= maxPath:
		return syscall.ENAMETOOLONG
	}
	w.src, w.start = name, -1
	w.enter(v, v.ns.root)
	for {
		part, last := w.next()
		switch part {
		case "":
			return w.load()
		case ".", "..":
			if err := w.dot(v, part, last); err != nil {
				return err
			}
		default:
			if err := w.step(v, part, last, follow); err != nil || w.missing || w.fd > 0 {
				return err
			}
		}
	}
}

// next takes the next part of the path off; empty at the end.
func (w *walker) next() (part string, last bool) {
	w.at = afterSlashes(w.src, w.pos)
	end := strings.IndexByte(w.src[w.at:], '/')
	if end < 0 {
		w.pos = len(w.src)
		return w.src[w.at:], true
	}
	w.pos = w.at + end
	last = afterSlashes(w.src, w.pos) == len(w.src)
	w.slash = last
	return w.src[w.at:w.pos], last
}

func afterSlashes(s string, i int) int {
	for i < len(s) && s[i] == '/' {
		i++
	}
	return i
}

// join is the name of part, which was taken off last, in the folder rel: a piece of the path itself where that is possible.
func (w *walker) join(part string) string {
	switch {
	case w.rel == ".":
		w.start = w.at
		return part
	case w.start >= 0 && w.start+len(w.rel)+1 == w.at:
		return w.src[w.start:w.pos]
	}
	w.start = -1
	return w.rel + "/" + part
}

// enter puts the walk at the root of m, and of what is mounted on that.
func (w *walker) enter(v *View, m *mount) {
	for c := m.child(m.root); c != nil; c = m.child(m.root) {
		m = c
	}
	w.m, w.fs, w.rel, w.start = m, m.fs, m.root, -1
	w.attr.Kind, w.dir.Kind = 0, 0
	if p, ok := m.fs.(*Proc); ok {
		w.fs = p.as(v)
	}
}

// load asks for the attributes of rel if they are not known.
func (w *walker) load() error {
	if w.attr.Kind != 0 {
		return nil
	}
	attr, err := w.fs.Lstat(w.rel)
	if err != nil {
		return err
	}
	w.attr = attr
	return nil
}

// search checks that rel is a folder in which the caller may look for names.
func (w *walker) search(v *View) error {
	if w.attr.Kind == 0 && (v.cred.Can(CapDacOverride) || v.cred.Can(CapDacReadSearch)) && w.m.folder && w.rel == w.m.root {
		return nil // the root of a file system, for one who may look everywhere
	}
	if err := w.load(); err != nil {
		return err
	}
	if w.attr.Kind != fsys.Dir {
		return syscall.ENOTDIR
	}
	if !v.cred.may(&w.attr, mayExec) {
		return syscall.EACCES
	}
	return nil
}

// dot carries out a part that is . or .. .
func (w *walker) dot(v *View, part string, last bool) error {
	if err := w.search(v); err != nil {
		return err
	}
	w.point = false
	if last {
		w.dots = len(part)
	}
	if part == "." {
		return nil
	}
	for w.rel == w.m.root && w.m.parent != nil {
		w.leave(v)
	}
	if w.rel == w.m.root {
		return nil
	}
	w.rel = parent(w.rel)
	w.attr.Kind, w.dir.Kind = 0, 0
	return nil
}

// leave goes from the root of a mount to the mount point below it.
func (w *walker) leave(v *View) {
	at, below := w.m.at, w.m.parent
	w.m, w.fs, w.rel, w.start = below, below.fs, at, -1
	w.attr.Kind, w.dir.Kind = 0, 0
	if p, ok := below.fs.(*Proc); ok {
		w.fs = p.as(v)
	}
}

func parent(rel string) string {
	if i := strings.LastIndexByte(rel, '/'); i >= 0 {
		return rel[:i]
	}
	return "."
}

// step carries out a part that is a name.
func (w *walker) step(v *View, part string, last, follow bool) error {
	w.point = false
	if len(part) > maxName {
		return syscall.ENAMETOOLONG
	}
	if err := w.search(v); err != nil {
		return err
	}
	if w.creates && w.slash {
		return syscall.EISDIR
	}
	rel := w.join(part)
	if c := w.m.child(rel); c != nil {
		w.enter(v, c)
		w.point = true
		return nil
	}
	attr, err := w.fs.Lstat(rel)
	if err != nil {
		if err != syscall.ENOENT {
			return err
		}
		w.dir, w.attr, w.rel = w.attr, fsys.Attr{}, rel
		w.missing = last
		if w.gap = !last; w.gap {
			w.rest = w.src[w.pos:]
			return err
		}
		return nil
	}
	if attr.Kind == fsys.Symlink && (!last || follow || w.slash) {
		return w.follow(v, rel, last)
	}
	w.dir, w.attr, w.rel = w.attr, attr, rel
	if w.slash && last && attr.Kind != fsys.Dir {
		return syscall.ENOTDIR
	}
	return nil
}

// follow goes on along the text of the link rel.
func (w *walker) follow(v *View, rel string, last bool) error {
	if w.links++; w.links > maxLinks {
		return syscall.ELOOP
	}
	text, err := w.fs.Readlink(rel)
	if err != nil {
		return err
	}
	if fd, ok := w.descriptor(rel, text); ok && last {
		w.dir, w.attr = w.attr, fsys.Attr{}
		w.rel, w.fd = rel, fd+1
		return nil
	}
	if text == "" {
		return syscall.ENOENT
	}
	rest := w.src[w.pos:]
	w.slash = false
	if text[0] == '/' {
		w.enter(v, v.ns.root)
	}
	w.src, w.pos, w.start = text+rest, 0, -1
	if len(w.src) >= maxPath {
		return syscall.ENAMETOOLONG
	}
	return nil
}
