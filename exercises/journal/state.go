package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// State is a folder's entries by path.
type State map[string]Change

// Apply takes changes in.
func (s State) Apply(changes []Change) {
	for _, c := range changes {
		if c.Type == Gone {
			delete(s, c.Path)
		} else {
			s[c.Path] = c
		}
	}
}

// To lists what leads from s to another state: what goes first, the deepest before its folder, then what comes, a folder before what is in it.
func (s State) To(other State) []Change {
	var gone, come []Change
	for _, p := range slices.Backward(slices.Sorted(maps.Keys(s))) {
		if _, ok := other[p]; !ok {
			gone = append(gone, Change{Path: p, Type: Gone})
		}
	}
	for _, p := range slices.Sorted(maps.Keys(other)) {
		if s[p] != other[p] {
			come = append(come, other[p])
		}
	}
	return append(gone, come...)
}

// Look notes what is in a folder and keeps the content of its files with keep, which gets each file's content and returns its SHA-256 and size. What is too much is
// counted and left out.
func Look(folder string, keep func(io.Reader) (string, int64, error)) (s State, omitted int, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, 0, fmt.Errorf("look into the exercise's folder: %w", err)
	}
	defer root.Close()
	l := looker{root: root, keep: keep, state: State{}}
	if err := fs.WalkDir(root.FS(), ".", l.entry); err != nil {
		return nil, 0, fmt.Errorf("look into the exercise's folder: %w", err)
	}
	return l.state, l.omitted, nil
}

type looker struct {
	root    *os.Root
	keep    func(io.Reader) (string, int64, error)
	state   State
	omitted int
	size    int64
}

func (l *looker) entry(name string, d fs.DirEntry, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		l.omitted++
		return nil
	}
	if err != nil || name == "." {
		return err
	}
	if len(l.state) >= MaxEntries || !ValidPath(name) {
		l.omitted++
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	c := Change{Path: name}
	var ok bool
	switch {
	case d.IsDir():
		c.Type, ok = Dir, true
	case d.Type() == fs.ModeSymlink:
		c.Type = Link
		c.Target, err = l.root.Readlink(name)
		ok = err == nil && c.valid() == nil
	case d.Type().IsRegular():
		ok = l.file(&c, d)
	}
	if !ok {
		l.omitted++
		return nil
	}
	l.state[name] = c
	return nil
}

// file keeps a file's content, unless it is too large or can't be read.
func (l *looker) file(c *Change, d fs.DirEntry) bool {
	info, err := d.Info()
	if err != nil || info.Size() > MaxFile || l.size+info.Size() > MaxFolder {
		return false
	}
	f, err := l.root.Open(c.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	c.Type, c.Exec = File, info.Mode()&0o111 != 0
	c.SHA256, c.Size, err = l.keep(io.LimitReader(f, MaxFile))
	l.size += c.Size
	return err == nil
}

// Restore carries changes out in a folder. open gives the content of a hash. Nothing outside the folder is touched, whatever links lead there.
func Restore(root *os.Root, changes []Change, open func(hash string) (io.ReadCloser, error)) error {
	for _, c := range changes {
		if err := restore(root, c, open); err != nil {
			return fmt.Errorf("restore %s: %w", c.Path, err)
		}
	}
	return nil
}

func restore(root *os.Root, c Change, open func(hash string) (io.ReadCloser, error)) error {
	if err := c.valid(); err != nil {
		return err
	}
	name := filepath.FromSlash(c.Path)
	info, err := root.Lstat(name)
	if there := err == nil; there && !(c.Type == Dir && info.IsDir()) {
		if err := root.RemoveAll(name); err != nil {
			return err
		}
	}
	if c.Type == Gone {
		return nil
	}
	if dir := path.Dir(c.Path); dir != "." {
		if err := root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return err
		}
	}
	switch c.Type {
	case Dir:
		return root.MkdirAll(name, 0o755)
	case Link:
		return root.Symlink(c.Target, name)
	}
	return restoreFile(root, name, c, open)
}

func restoreFile(root *os.Root, name string, c Change, open func(hash string) (io.ReadCloser, error)) error {
	in, err := open(c.SHA256)
	if err != nil {
		return err
	}
	defer in.Close()
	mode := fs.FileMode(0o644)
	if c.Exec {
		mode = 0o755
	}
	out, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(in, MaxFile))
	return errors.Join(err, out.Close())
}

// Sum reads all of in and returns its SHA-256 and size: Look with it keeps nothing.
func Sum(in io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, in)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// Digest is one hash for a whole state.
func (s State) Digest() string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%q %s %t %s %q\n", p, s[p].Type, s[p].Exec, s[p].SHA256, s[p].Target)
	}
	hash, _, _ := Sum(strings.NewReader(b.String()))
	return hash
}
