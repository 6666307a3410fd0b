package difftest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// stamp stands for every time that a machine set by itself. Times in scenarios are earlier, those of real clocks later.
func stamp() time.Time { return time.Unix(1_700_000_000, 0) }

func stamped(t time.Time) time.Time {
	if t.After(stamp()) {
		return stamp()
	}
	return t
}

func digestOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data))[:12] }

// survey describes every name of a tree in a line.
func survey(t tree) []string {
	s := surveyor{tree: t, first: make(map[uint64]string)}
	s.visit(".")
	return s.lines
}

type surveyor struct {
	tree  tree
	first map[uint64]string // first name of an inode that has several
	lines []string
}

func (s *surveyor) visit(name string) {
	a, err := s.tree.Lstat(name)
	if err != nil {
		s.lines = append(s.lines, name+" "+err.Error())
		return
	}
	s.lines = append(s.lines, name+" "+s.describe(name, a))
	if a.Kind != fsys.Dir {
		return
	}
	list, err := s.tree.ReadDir(name)
	if err != nil {
		s.lines = append(s.lines, name+" list: "+err.Error())
	}
	if !slices.IsSortedFunc(list, func(a, b fsys.Dirent) int { return strings.Compare(a.Name, b.Name) }) {
		s.lines = append(s.lines, name+" is not sorted")
	}
	for _, d := range list {
		child := path.Join(name, d.Name)
		if a, err := s.tree.Lstat(child); err == nil && a.Kind != d.Kind {
			s.lines = append(s.lines, fmt.Sprintf("%s is %c, listed as %c", child, a.Kind, d.Kind))
		}
		s.visit(child)
	}
}

func (s *surveyor) describe(name string, a fsys.Attr) string {
	text := fmt.Sprintf("%c %#o %d:%d time %s", a.Kind, a.Mode, a.UID, a.GID, stamped(a.Mtime).UTC().Format(time.RFC3339Nano))
	switch a.Kind {
	case fsys.File:
		text += fmt.Sprintf(" size %d %s", a.Size, s.content(name))
	case fsys.Symlink:
		target, err := s.tree.Readlink(name)
		text += fmt.Sprintf(" size %d -> %s %v", a.Size, target, err)
	case fsys.CharDevice, fsys.BlockDevice:
		text += fmt.Sprintf(" device %d:%d", fsys.Major(a.Rdev), fsys.Minor(a.Rdev))
	}
	if a.Kind != fsys.Dir {
		text += fmt.Sprintf(" links %d", a.Links)
		if first, ok := s.first[a.Inode]; ok && a.Links > 1 {
			text += " same as " + first
		} else {
			s.first[a.Inode] = name
		}
	}
	if a.Kind == fsys.File || a.Kind == fsys.Dir {
		x, err := s.tree.Xattr(name)
		if len(x) > 0 || err != nil {
			text += fmt.Sprintf(" xattrs %s %v", digestOf(fmt.Append(nil, x)), err)
		}
	}
	return text
}

func (s *surveyor) content(name string) string {
	h, err := s.tree.Open(name, fsys.How{})
	if err != nil {
		return err.Error()
	}
	defer h.Close()
	data, err := io.ReadAll(io.NewSectionReader(h, 0, 1<<30))
	if err = errors.Join(err, shortRead(h, int64(len(data)))); err != nil {
		return err.Error()
	}
	return digestOf(data)
}

// shortRead checks that a file is as long as it says.
func shortRead(h fsys.Handle, n int64) error {
	a, err := h.Attr()
	if err == nil && a.Size != n {
		return fmt.Errorf("%d bytes of %d", n, a.Size)
	}
	return err
}
