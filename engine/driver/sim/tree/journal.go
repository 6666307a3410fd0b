package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// line is one line of tree.jsonl: a name and what it stands for. Of several lines for a path, or for an inode, the last one counts.
// Text is encoded by encodeText. Absent numbers are 0, an absent time of access or change is that of the last modification.
type line struct {
	Path     string            `json:"path"`
	Kind     string            `json:"kind"`
	Inode    uint64            `json:"inode,omitempty"` // names with the same number are hard links
	Mode     string            `json:"mode,omitempty"`  // octal
	UID      int               `json:"uid,omitempty"`
	GID      int               `json:"gid,omitempty"`
	Size     int64             `json:"size,omitempty"`
	Modified string            `json:"modified,omitempty"` // RFC 3339
	Changed  string            `json:"changed,omitempty"`
	Accessed string            `json:"accessed,omitempty"`
	Target   string            `json:"target,omitempty"` // of a symlink
	Device   string            `json:"device,omitempty"` // major:minor
	Xattrs   map[string]string `json:"xattrs,omitempty"`
	Opaque   bool              `json:"opaque,omitempty"` // a folder that hides the one below
	Stored   string            `json:"stored,omitempty"` // where below files the content is, if not under the path
	CRC32C   string            `json:"crc32c,omitempty"` // of the content
	Origin   uint64            `json:"origin,omitempty"` // inode number of the lower file that this is a copy of
	To       string            `json:"to,omitempty"`     // of what moved
	Reported bool              `json:"reported,omitempty"`
}

// Kinds of lines that stand for no inode.
const (
	lineWhiteout = "whiteout" // the layers below have a name that is deleted here
	lineGone     = "gone"     // this layer has nothing of that name any more
	lineMoved    = "moved"    // the name, with everything in it, is at To now
	lineClosed   = "closed"   // the writable layer was closed in order; Reported: all its changes have been told
)

// kindWord is the word for a kind in tree.jsonl.
func kindWord(k fsys.Kind) string {
	switch k {
	case fsys.File:
		return "file"
	case fsys.Dir:
		return "dir"
	case fsys.Symlink:
		return "symlink"
	case fsys.CharDevice:
		return "char"
	case fsys.BlockDevice:
		return "block"
	case fsys.Pipe:
		return "pipe"
	}
	return "socket"
}

func kindOfWord(word string) (fsys.Kind, bool) {
	for _, k := range [...]fsys.Kind{fsys.File, fsys.Dir, fsys.Symlink, fsys.CharDevice, fsys.BlockDevice, fsys.Pipe, fsys.Socket} {
		if kindWord(k) == word {
			return k, true
		}
	}
	return 0, false
}

// lineOf describes the name n at p.
func lineOf(p string, n *node) line {
	l := line{Path: encodeText(p)}
	if n.ino == nil {
		l.Kind = lineWhiteout
		return l
	}
	i := n.ino
	l.Kind, l.Inode, l.Opaque, l.Origin = kindWord(i.kind), i.number, n.opaque, i.origin
	l.Mode = fmt.Sprintf("%04o", i.mode)
	l.UID, l.GID, l.Size, l.Target = i.uid, i.gid, i.size, encodeText(i.target)
	l.Modified = i.mtime.UTC().Format(time.RFC3339Nano)
	l.Changed, l.Accessed = otherTime(i.ctime, i.mtime), otherTime(i.atime, i.mtime)
	if i.kind == fsys.CharDevice || i.kind == fsys.BlockDevice {
		l.Device = fmt.Sprintf("%d:%d", fsys.Major(i.rdev), fsys.Minor(i.rdev))
	}
	if i.stored != p {
		l.Stored = i.stored
	}
	if i.summed {
		l.CRC32C = fmt.Sprintf("%08x", i.sum)
	}
	for k, v := range i.xattrs {
		if l.Xattrs == nil {
			l.Xattrs = make(map[string]string, len(i.xattrs))
		}
		l.Xattrs[encodeText(k)] = encodeText(v)
	}
	return l
}

func otherTime(t, usual time.Time) string {
	if t.Equal(usual) {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// written is what a tree.jsonl says.
type written struct {
	root     *node
	inodes   map[uint64]*inode
	next     uint64 // highest inode number
	closed   bool   // the last line says so
	reported bool
}

// readTree reads a tree.jsonl. name is for errors, which name the line. A journal may end in a torn line, which is ignored.
func readTree(r io.Reader, name string, journal bool) (*written, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	t := &written{inodes: map[uint64]*inode{}}
	for number := 1; len(data) > 0; number++ {
		text, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole && journal {
			t.closed = false
			break
		}
		data = rest
		err := errors.New("the last line is cut off")
		if whole {
			err = t.line(text)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s line %d: %w", name, number, err)
		}
	}
	if t.root == nil {
		return nil, fmt.Errorf("read %s: the root, path %q, is missing", name, ".")
	}
	countLinks(t.root)
	return t, nil
}

func (t *written) line(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	t.closed, t.reported = l.Kind == lineClosed, l.Kind == lineClosed && l.Reported
	if t.closed {
		return nil
	}
	p, err := decodePath(l.Path)
	if err != nil {
		return err
	}
	switch l.Kind {
	case lineWhiteout:
		return t.place(p, &node{})
	case lineGone:
		return t.gone(p)
	case lineMoved:
		return t.moved(p, l.To)
	}
	return t.inode(p, l)
}

func decodePath(text string) (string, error) {
	p, err := decodeText(text)
	if err != nil {
		return "", fmt.Errorf("path %q: %w", text, err)
	}
	if p == "" || p != path.Clean(p) || p[0] == '/' || p == ".." || strings.HasPrefix(p, "../") || strings.IndexByte(p, 0) >= 0 {
		return "", fmt.Errorf("path %q is not clean and relative", text)
	}
	return p, nil
}

// place puts n at p, in the place of what was there.
func (t *written) place(p string, n *node) error {
	if p == "." {
		if !n.isDir() || t.root != nil && t.root.ino != n.ino {
			return errors.New("the root is no folder, or another one than before")
		}
		t.root = n
		return nil
	}
	dir, base := split(p)
	parent := t.root.walk(dir)
	if !parent.isDir() {
		return fmt.Errorf("path %q is in no folder that an earlier line has", p)
	}
	parent.put(base, n)
	return nil
}

func (t *written) gone(p string) error {
	dir, base := split(p)
	if parent := t.root.walk(dir); parent.kid(base) != nil {
		parent.take(base)
		return nil
	}
	return fmt.Errorf("path %q is gone, but was not there", p)
}

func (t *written) moved(p, to string) error {
	target, err := decodePath(to)
	if err != nil {
		return err
	}
	n := t.root.walk(p)
	if n == nil || p == "." || strings.HasPrefix(target+"/", p+"/") {
		return fmt.Errorf("path %q can't have moved to %q", p, target)
	}
	if err := t.gone(p); err != nil {
		return err
	}
	return t.place(target, n)
}

// inode takes in a line about a name of an inode.
func (t *written) inode(p string, l line) error {
	kind, ok := kindOfWord(l.Kind)
	if !ok {
		return fmt.Errorf("kind %q is not known", l.Kind)
	}
	i := t.inodes[l.Inode]
	switch {
	case i == nil:
		i = &inode{number: l.Inode, kind: kind}
		t.inodes[l.Inode] = i
		t.next = max(t.next, l.Inode)
	case i.kind != kind:
		return fmt.Errorf("inode %d is a %s here and a %s elsewhere", l.Inode, l.Kind, kindWord(i.kind))
	}
	if err := fillInode(i, p, l); err != nil {
		return err
	}
	n := t.root.walk(p)
	if n == nil || n.ino != i {
		if kind == fsys.Dir && i.links > 0 {
			return fmt.Errorf("inode %d is a folder with two names", l.Inode)
		}
		n = &node{ino: i}
		if err := t.place(p, n); err != nil {
			return err
		}
		i.links++ // of folders only; all are counted at the end
	}
	n.opaque = l.Opaque
	return nil
}

func fillInode(i *inode, p string, l line) (err error) {
	mode, err := strconv.ParseUint(l.Mode, 8, 12)
	if err != nil {
		return fmt.Errorf("mode %q is no octal number up to 7777", l.Mode)
	}
	if l.Inode == 0 || l.Size < 0 || l.UID < 0 || l.GID < 0 {
		return errors.New("inode, size, uid or gid is no number that can be")
	}
	i.mode, i.uid, i.gid, i.size, i.origin = uint32(mode), l.UID, l.GID, l.Size, l.Origin
	if i.target, err = decodeText(l.Target); err != nil {
		return fmt.Errorf("target %q: %w", l.Target, err)
	}
	if err := fillTimes(i, l); err != nil {
		return err
	}
	if err := fillStored(i, p, l); err != nil {
		return err
	}
	return fillXattrs(i, l)
}

func fillTimes(i *inode, l line) (err error) {
	if i.mtime, err = time.Parse(time.RFC3339Nano, l.Modified); err != nil {
		return fmt.Errorf("time %q: %w", l.Modified, err)
	}
	for _, t := range []struct {
		to   *time.Time
		text string
	}{{&i.ctime, l.Changed}, {&i.atime, l.Accessed}} {
		*t.to = i.mtime
		if t.text == "" {
			continue
		}
		if *t.to, err = time.Parse(time.RFC3339Nano, t.text); err != nil {
			return fmt.Errorf("time %q: %w", t.text, err)
		}
	}
	return nil
}

// fillStored reads what only some kinds have.
func fillStored(i *inode, p string, l line) error {
	switch i.kind {
	case fsys.CharDevice, fsys.BlockDevice:
		major, minor, _ := strings.Cut(l.Device, ":")
		a, errA := strconv.ParseUint(major, 10, 32)
		b, errB := strconv.ParseUint(minor, 10, 32)
		if errA != nil || errB != nil {
			return fmt.Errorf("device %q is not major:minor", l.Device)
		}
		i.rdev = fsys.MakeDev(uint32(a), uint32(b))
	case fsys.File:
		if i.stored = l.Stored; i.stored == "" {
			i.stored = p
		}
		if !validStored(i.stored) {
			return fmt.Errorf("stored %q leads out of the folder", i.stored)
		}
		i.summed = l.CRC32C != ""
		sum, err := strconv.ParseUint(l.CRC32C, 16, 32)
		if i.summed && err != nil {
			return fmt.Errorf("crc32c %q is no hexadecimal number", l.CRC32C)
		}
		i.sum = uint32(sum)
	}
	return nil
}

func fillXattrs(i *inode, l line) error {
	i.xattrs = nil
	for k, v := range l.Xattrs {
		name, err := decodeText(k)
		if err != nil {
			return fmt.Errorf("attribute %q: %w", k, err)
		}
		value, err := decodeText(v)
		if err != nil {
			return fmt.Errorf("value of attribute %q: %w", k, err)
		}
		if i.xattrs == nil {
			i.xattrs = make(map[string]string, len(l.Xattrs))
		}
		i.xattrs[name] = value
	}
	return nil
}
