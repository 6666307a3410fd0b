package tree

import (
	"maps"
	"strings"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// providedInodes is where the numbers of provided inodes begin: far from those of any layer.
const providedInodes = 1 << 40

// Provide makes the name, clean and relative, appear as if a layer right below the writable one had it: a folder or an empty file, with the
// folders on the way. It is no change: neither Diff nor the Report know it, and it is gone with the union. What is put into a provided folder
// is in the writable layer, and then so is the folder. A name stays hidden where a folder of the writable layer hides one of a real layer.
func (u *Union) Provide(name string, folder bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.unveil(name)
	s := &stratum{base: providedInodes}
	u.shown = u.provide(u.shown, strings.Split(name, "/"), folder, s)
}

// unveil takes the opaque mark from folders on the way to name that hide nothing by it: overlayfs marks every new one.
func (u *Union) unveil(name string) {
	up, low, p := u.root, u.lower, "."
	for part := range strings.SplitSeq(name, "/") {
		if up, low, p = up.kid(part), low.kid(part), join(p, part); !up.isDir() {
			return
		}
		if up.opaque && low == nil && u.journal != nil {
			up.opaque = false
			u.journal.put(p, up)
		}
	}
}

func (u *Union) provide(n *node, parts []string, folder bool, s *stratum) *node {
	if len(parts) == 0 {
		if n != nil {
			return n
		}
		return u.provided(folder, s)
	}
	made := u.provided(true, s)
	if n != nil {
		if !n.isDir() {
			return n
		}
		made = &node{ino: n.ino, kids: maps.Clone(n.kids), dirs: n.dirs, layer: n.layer, stack: true}
	}
	if made.kids == nil {
		made.kids = map[string]*node{}
	}
	old := made.kids[parts[0]]
	kid := u.provide(old, parts[1:], folder, s)
	made.kids[parts[0]] = kid
	if old == nil && kid.isDir() {
		made.dirs++
	}
	return made
}

func (u *Union) provided(folder bool, s *stratum) *node {
	u.extra++
	i := &inode{number: u.extra, kind: fsys.File, mode: 0o644, links: 1, mtime: u.now()}
	if folder {
		i.kind, i.mode = fsys.Dir, 0o755
	}
	i.ctime, i.atime = i.mtime, i.mtime
	return &node{ino: i, layer: s}
}
