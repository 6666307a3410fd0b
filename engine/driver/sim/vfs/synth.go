package vfs

import (
	"io"
	"slices"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// synth is a tree of files whose content is made when they are opened. It is not changed once it is built.
type synth map[string]*synthNode

// synthNode is a name of a synth.
type synthNode struct {
	kind   fsys.Kind
	mode   uint32
	text   func(*scene) string // of a file
	target func(*scene) string // of a link; empty text means that it leads nowhere
	names  []fsys.Dirent       // of a folder, sorted
	inode  uint64
}

// scene is what contents are made from.
type scene struct {
	src    ProcSource
	ns     *Namespace // of the process that looks; nil in /sys
	proc   ProcInfo   // the process whose folder it is
	system *SystemInfo
}

// sys gives the facts of the system, asked for once.
func (s *scene) sys() *SystemInfo {
	if s.system == nil {
		info := s.src.System()
		s.system = &info
	}
	return s.system
}

func newSynth() synth { return synth{".": {kind: fsys.Dir, mode: 0o555, inode: 1}} }

// add puts a node under a name, making its folders.
func (t synth) add(name string, n *synthNode) *synthNode {
	if old := t[name]; old != nil {
		return old
	}
	n.inode = uint64(len(t) + 1)
	t[name] = n
	last := name
	if i := len(parent(name)) + 1; parent(name) != "." {
		last = name[i:]
	}
	dir := t.dir(parent(name))
	d := fsys.Dirent{Name: last, Kind: n.kind}
	at, _ := slices.BinarySearchFunc(dir.names, d, byName)
	dir.names = slices.Insert(dir.names, at, d)
	return n
}

func (t synth) dir(name string) *synthNode {
	if n := t[name]; n != nil {
		return n
	}
	return t.add(name, &synthNode{kind: fsys.Dir, mode: 0o555})
}

func (t synth) file(name string, mode uint32, text func(*scene) string) {
	t.add(name, &synthNode{kind: fsys.File, mode: mode, text: text})
}

// fixed adds a file that always has the same content.
func (t synth) fixed(name string, mode uint32, text string) {
	t.file(name, mode, func(*scene) string { return text })
}

func (t synth) link(name string, target func(*scene) string) {
	t.add(name, &synthNode{kind: fsys.Symlink, mode: 0o777, target: target})
}

// attr is a node as stat(2) shows it.
func (n *synthNode) attr(at time.Time) fsys.Attr {
	a := fsys.Attr{Kind: n.kind, Mode: n.mode, Links: 1, Inode: n.inode, Mtime: at, Ctime: at, Atime: at}
	if n.kind == fsys.Dir {
		a.Links = 2
		for _, d := range n.names {
			if d.Kind == fsys.Dir {
				a.Links++
			}
		}
	}
	return a
}

// open makes the content of a file.
func (n *synthNode) open(s *scene, a fsys.Attr, how fsys.How) (fsys.Handle, error) {
	switch {
	case n.kind == fsys.Dir:
		return nil, syscall.EISDIR
	case n.kind != fsys.File:
		return nil, syscall.EINVAL
	case how.Write || how.Truncate:
		return nil, syscall.EROFS
	}
	return &synthHandle{n.text(s), a}, nil
}

func (n *synthNode) readlink(s *scene) (string, error) {
	if n.kind != fsys.Symlink {
		return "", syscall.EINVAL
	}
	text := n.target(s)
	if text == "" {
		return "", syscall.ENOENT
	}
	return text, nil
}

func (n *synthNode) list() ([]fsys.Dirent, error) {
	if n.kind != fsys.Dir {
		return nil, syscall.ENOTDIR
	}
	return slices.Clone(n.names), nil
}

// synthHandle is an open file: its content is that of the moment of opening.
type synthHandle struct {
	text string
	attr fsys.Attr
}

func (h *synthHandle) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(h.text)) {
		return 0, io.EOF
	}
	n := copy(p, h.text[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *synthHandle) WriteAt([]byte, int64) (int, error) { return 0, syscall.EROFS }
func (h *synthHandle) Truncate(int64) error               { return syscall.EROFS }
func (h *synthHandle) Attr() (fsys.Attr, error)           { return h.attr, nil }
func (h *synthHandle) Close() error                       { return nil }
