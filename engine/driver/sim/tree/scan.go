package tree

import (
	"path"
	"sort"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// change is one difference that a writable layer makes to what lies below it, as docker diff counts them.
type change struct {
	path    string
	kind    driver.ChangeKind
	up      *node // nil if implied
	low     *node // what is changed or deleted
	opaque  bool  // a folder that hides the one below
	implied bool  // deleted because the folder around it hides the one below, not by a whiteout
	plain   bool  // a folder that is here just because something in it is: mode and owner are as below
}

// scan calls visit for each name of the writable layer, folders before what is in them. The root itself is not visited.
func (u *Union) scan(visit func(change) error) error {
	return u.scanFolder(".", u.root, false, visit)
}

func (u *Union) scanFolder(dir string, n *node, hides bool, visit func(change) error) error {
	for _, name := range n.sorted() {
		if err := u.scanOne(join(dir, name), n.kids[name], hides, visit); err != nil {
			return err
		}
	}
	if !hides {
		return nil
	}
	below := u.lower.walk(dir)
	for _, name := range below.sorted() {
		if n.kids[name] != nil {
			continue
		}
		if err := visit(change{path: join(dir, name), kind: driver.Deleted, low: below.kids[name], implied: true}); err != nil {
			return err
		}
	}
	return nil
}

func (u *Union) scanOne(p string, n *node, hides bool, visit func(change) error) error {
	c := change{path: p, up: n, low: u.lower.walk(p)}
	switch {
	case n.isWhiteout() && c.low == nil:
		return nil // of nothing
	case n.isWhiteout():
		c.kind = driver.Deleted
	case c.low != nil:
		c.kind = driver.Modified
	default:
		c.kind = driver.Added
	}
	if !n.isDir() {
		return visit(c)
	}
	// In a folder that hides the one below, everything further down hides too.
	c.opaque = c.kind == driver.Modified && (hides || !c.low.isDir() || n.opaque)
	c.plain = c.kind == driver.Modified && c.low.isDir() && sameOwnerAndMode(n.ino, c.low.ino)
	if err := visit(c); err != nil {
		return err
	}
	return u.scanFolder(p, n, c.opaque && c.low.isDir(), visit)
}

func sameOwnerAndMode(a, b *inode) bool { return a.mode == b.mode && a.uid == b.uid && a.gid == b.gid }

// changes lists what docker diff lists. A file that was copied up counts as modified even if it ended as it was; a folder counts
// if its mode or owner changed, or anything in it did.
func (u *Union) changes(stop func() error) ([]driver.Change, error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	var found []driver.Change
	plain := map[string]bool{} // folders that count only if something in them does
	err := u.scan(func(c change) error {
		if c.plain && !c.opaque {
			plain[c.path] = true
		} else {
			found = append(found, driver.Change{Path: c.path, Kind: c.kind})
		}
		return stop()
	})
	if err != nil {
		return nil, err
	}
	for _, c := range found {
		for dir := path.Dir(c.Path); dir != "." && plain[dir]; dir = path.Dir(dir) {
			delete(plain, dir)
			found = append(found, driver.Change{Path: dir, Kind: driver.Modified})
		}
	}
	for i := range found {
		found[i].Path = "/" + found[i].Path
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Path < found[j].Path })
	return found, nil
}

var (
	_ fsys.FS      = (*Union)(nil)
	_ fsys.Maker   = (*Union)(nil)
	_ fsys.Remover = (*Union)(nil)
	_ fsys.Setter  = (*Union)(nil)
	_ fsys.Xattrs  = (*Union)(nil)
	_ fsys.Spacer  = (*Union)(nil)
)
