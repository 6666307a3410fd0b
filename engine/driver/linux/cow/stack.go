//go:build linux

package cow

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sort"

	"golang.org/x/sys/unix"
)

// Stack is the merged view of the read-only folders below a writable layer, worked out from the folders themselves, so that
// nothing has to be mounted to ask what a lower layer has. Paths are relative and clean, "." is the root. The folders must
// not change. It isn't safe for concurrent use.
type Stack struct {
	lowers    []string
	userXattr bool
	dirs      map[string][]int // which lowers take part in a merged folder; a cache
}

// Found is what a Stack has under a path: which of its folders (0 is the top) and the metadata there.
type Found struct {
	Lower int
	Stat  unix.Stat_t
}

const maxCachedDirs = 4096

// NewStack returns the view of lowers, top first. userXattr tells which name opaque folders are marked by.
func NewStack(lowers []string, userXattr bool) *Stack {
	return &Stack{lowers: lowers, userXattr: userXattr, dirs: map[string][]int{}}
}

// Lookup finds what the merged view has at p, without following a link in its last part.
func (s *Stack) Lookup(p string) (Found, bool, error) {
	if p == "." {
		return s.lookupIn(s.all(), p)
	}
	in, err := s.sources(path.Dir(p))
	if err != nil {
		return Found{}, false, err
	}
	return s.lookupIn(in, p)
}

// Path is where on the host found is.
func (s *Stack) Path(f Found, p string) string { return filepath.Join(s.lowers[f.Lower], p) }

func (s *Stack) lookupIn(in []int, p string) (Found, bool, error) {
	for _, i := range in {
		f := Found{Lower: i}
		switch err := unix.Lstat(filepath.Join(s.lowers[i], p), &f.Stat); {
		case errors.Is(err, unix.ENOENT):
		case err != nil:
			return Found{}, false, fmt.Errorf("look up %s in lower layer: %w", p, err)
		case IsWhiteout(&f.Stat):
			return Found{}, false, nil
		default:
			return f, true, nil
		}
	}
	return Found{}, false, nil
}

func (s *Stack) all() []int {
	all := make([]int, len(s.lowers))
	for i := range all {
		all[i] = i
	}
	return all
}

// sources tells which lowers take part in the merged folder p, top first: none if p is no folder there.
func (s *Stack) sources(p string) ([]int, error) {
	if in, ok := s.dirs[p]; ok {
		return in, nil
	}
	above := s.all()
	if p != "." {
		var err error
		if above, err = s.sources(path.Dir(p)); err != nil {
			return nil, err
		}
	}
	var in []int
	for _, i := range above {
		var st unix.Stat_t
		at := filepath.Join(s.lowers[i], p)
		err := unix.Lstat(at, &st)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up %s in lower layer: %w", p, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			break
		}
		in = append(in, i)
		if IsOpaque(at, s.userXattr) {
			break
		}
	}
	if len(s.dirs) >= maxCachedDirs {
		clear(s.dirs)
	}
	s.dirs[p] = in
	return in, nil
}

// Names lists what the merged view has in the folder p, sorted; nothing if p is no folder.
func (s *Stack) Names(p string) ([]string, error) {
	in, err := s.sources(p)
	if err != nil {
		return nil, err
	}
	hidden := map[string]bool{} // or listed already
	var names []string
	for _, i := range in {
		entries, err := os.ReadDir(filepath.Join(s.lowers[i], p))
		if err != nil {
			return nil, fmt.Errorf("list lower layer: %w", err)
		}
		for _, e := range entries {
			if hidden[e.Name()] {
				continue
			}
			hidden[e.Name()] = true
			if e.Type()&os.ModeCharDevice != 0 {
				var st unix.Stat_t
				if unix.Lstat(filepath.Join(s.lowers[i], p, e.Name()), &st) == nil && IsWhiteout(&st) {
					continue
				}
			}
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return names, nil
}

// IsWhiteout reports whether st is overlay's mark of a deleted name: the character device 0:0.
func IsWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

// IsOpaque reports whether the folder at the host path dir carries overlay's mark that hides what is below it.
func IsOpaque(dir string, userXattr bool) bool {
	var v [8]byte
	n, err := unix.Lgetxattr(dir, OpaqueXattr(userXattr), v[:])
	return err == nil && n == 1 && v[0] == 'y'
}

// OpaqueXattr is the name of the extended attribute that marks opaque folders.
func OpaqueXattr(userXattr bool) string {
	if userXattr {
		return "user.overlay.opaque"
	}
	return "trusted.overlay.opaque"
}
