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

// Change is one difference that a writable layer makes to what lies below it, as docker diff counts them.
type Change struct {
	Path    string // relative to the root, clean
	Kind    byte   // 'A' added, 'C' changed, 'D' deleted
	Stat    unix.Stat_t
	Lower   Found // what is changed or deleted
	Opaque  bool  // a folder that hides the one below
	Implied bool  // deleted because the folder around it hides the one below, not by a whiteout
	Plain   bool  // a folder that is here just because something in it is: mode and owner are as below
}

// Scan walks the folder upper, never following a link, and calls visit for each entry, folders before what is in them. The
// root itself is not visited.
func Scan(upper string, stack *Stack, visit func(Change) error) error {
	fd, err := unix.Open(upper, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", upper, err)
	}
	defer unix.Close(fd)
	s := scanner{upper, stack, visit}
	return s.folder(fd, ".", false)
}

type scanner struct {
	upper string
	stack *Stack
	visit func(Change) error
}

func (s *scanner) folder(fd int, dir string, hides bool) error {
	names, err := namesOf(fd)
	if err != nil {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	here := map[string]bool{}
	for _, name := range names {
		if hides {
			here[name] = true
		}
		if err := s.entry(fd, name, path.Join(dir, name), hides); err != nil {
			return err
		}
	}
	if !hides {
		return nil
	}
	return s.implied(dir, here)
}

// implied visits what the folder dir below has and the one here, which hides it, has not.
func (s *scanner) implied(dir string, here map[string]bool) error {
	below, err := s.stack.Names(dir)
	if err != nil {
		return err
	}
	for _, name := range below {
		if here[name] {
			continue
		}
		c := Change{Path: path.Join(dir, name), Kind: 'D', Implied: true}
		if c.Lower, _, err = s.stack.Lookup(c.Path); err != nil {
			return err
		}
		if err := s.visit(c); err != nil {
			return err
		}
	}
	return nil
}

func namesOf(fd int) ([]string, error) {
	again, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(again), ".")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	sort.Strings(names)
	return names, err
}

func (s *scanner) entry(fd int, name, p string, hides bool) error {
	c := Change{Path: p}
	if err := unix.Fstatat(fd, name, &c.Stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return nil // gone since the folder was listed
		}
		return fmt.Errorf("stat %s: %w", p, err)
	}
	if err := s.classify(&c); err != nil || c.Kind == 0 {
		return err
	}
	if c.Stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return s.visit(c)
	}
	// In a folder that hides the one below, everything further down hides too.
	c.Opaque = c.Kind == 'C' && (hides || !isDir(&c.Lower.Stat) || IsOpaque(filepath.Join(s.upper, p), s.stack.userXattr))
	c.Plain = c.Kind == 'C' && isDir(&c.Lower.Stat) && sameOwnerAndMode(&c.Stat, &c.Lower.Stat)
	if err := s.visit(c); err != nil {
		return err
	}
	sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", p, err)
	}
	defer unix.Close(sub)
	return s.folder(sub, p, c.Opaque && isDir(&c.Lower.Stat))
}

// classify fills in the kind; 0 is a whiteout of nothing.
func (s *scanner) classify(c *Change) error {
	found, ok, err := s.stack.Lookup(c.Path)
	if err != nil {
		return err
	}
	c.Lower = found
	switch {
	case IsWhiteout(&c.Stat) && ok:
		c.Kind = 'D'
	case IsWhiteout(&c.Stat):
	case ok:
		c.Kind = 'C'
	default:
		c.Kind = 'A'
	}
	return nil
}

func isDir(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

func sameOwnerAndMode(a, b *unix.Stat_t) bool {
	return a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid
}
