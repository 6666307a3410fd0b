package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/layer"
)

// placement collects the entries of a layer that puts things into a tree. Links in the destination are followed in the tree as it
// is by then, as a program that writes there would, so a layer never replaces a link by a folder.
type placement struct {
	below   tree // what the layer goes onto
	owner   *owner
	mode    modeChange
	mtime   time.Time // of folders that are made on the way
	epoch   *time.Time
	entries map[string]placed
	hidden  map[string]bool // names of the tree below that were removed to make room, with all in them
	groups  int             // hard links are numbered
	spool   *os.File        // contents of archives
	spooled int64
	release func() error // of the tree below
}

// owner is whom --chown gives everything to.
type owner struct{ uid, gid int }

// placed is one entry. Those of one group that is not zero are names of one file.
type placed struct {
	entry layer.Entry
	group int
	isNew bool                          // a folder that the tree below does not have
	open  func() (io.ReadCloser, error) // nil: as pick of from
	pick  *picked                       // the file of a source, whose sum is found out on the way if it is not known
	from  tree
}

func (e placed) content() (io.ReadCloser, error) {
	if e.open != nil {
		return e.open()
	}
	return e.from.open(e.pick.path)
}

func newPlacement(below tree, mtime time.Time) *placement {
	return &placement{below: below, mtime: mtime, entries: map[string]placed{}, hidden: map[string]bool{}}
}

func (p *placement) close() (err error) {
	if p.release != nil {
		err = p.release()
	}
	if p.spool != nil {
		err = errors.Join(err, p.spool.Close(), os.Remove(p.spool.Name()))
	}
	return err
}

// lstat looks at the tree as it is with what was placed so far.
func (p *placement) lstat(at string) (node, error) {
	if e, ok := p.entries[at]; ok {
		return e.node(), nil
	}
	if at == "." {
		return node{path: ".", mode: fs.ModeDir | 0o755}, nil
	}
	if !p.covered(at) {
		return p.below.lstat(at)
	}
	return node{}, &fs.PathError{Op: "stat", Path: at, Err: fs.ErrNotExist}
}

// covered tells whether the tree below can have nothing at a path that was not placed.
func (p *placement) covered(at string) bool {
	if p.hidden[at] {
		return true
	}
	dir := path.Dir(at)
	if e, ok := p.entries[dir]; ok && (e.isNew || e.entry.Kind != layer.Dir) {
		return true
	}
	return len(p.hidden) > 0 && dir != "." && p.covered(dir)
}

// node describes an entry as a tree would.
func (e placed) node() node {
	n := node{path: e.entry.Path, uid: e.entry.UID, gid: e.entry.GID, size: e.entry.Size, mtime: e.entry.ModTime, link: e.entry.Link,
		xattrs: e.entry.Xattrs, major: e.entry.Major, minor: e.entry.Minor}
	n.mode = goMode(e.entry.Mode) | map[layer.Kind]fs.FileMode{layer.Dir: fs.ModeDir, layer.Symlink: fs.ModeSymlink, layer.Fifo: fs.ModeNamedPipe,
		layer.Char: fs.ModeDevice | fs.ModeCharDevice, layer.Block: fs.ModeDevice}[e.entry.Kind]
	return n
}

// add puts one source under dest, which is absolute and as it is written: a slash at its end makes a folder of it.
func (p *placement) add(src *source, dest string) error {
	above := dest
	if !strings.HasSuffix(dest, "/") && !strings.HasSuffix(dest, "/.") {
		above = path.Dir(dest)
	}
	at, err := follow(p, above, true)
	if err != nil {
		return err
	}
	if err := p.folders(at, p.mode.folders()); err != nil {
		return err
	}
	if at, err = follow(p, dest, true); err != nil {
		return err
	}
	if src.isDir() {
		return p.contents(src, at)
	}
	n, err := p.lstat(at)
	switch {
	case err == nil && n.mode.IsDir():
		at = path.Join(at, path.Base(src.name))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := p.folders(path.Dir(at), p.mode.folders()); err != nil {
		return err
	}
	return p.put(src, src.top(), at, map[uint64]int{})
}

// contents puts a folder's contents into the folder at. If that has to be made it is as any folder made on the way, but for its
// time; if it is there it stays as it is. Folders inside take over what the source's have.
func (p *placement) contents(src *source, at string) error {
	_, err := p.lstat(at)
	if err := p.folders(at, p.mode.folders()); err != nil {
		return err
	}
	if errors.Is(err, fs.ErrNotExist) {
		e := p.entries[at]
		e.entry.ModTime = p.time(src.top().mtime)
		p.entries[at] = e
	}
	linked := map[uint64]int{}
	for _, pick := range src.picks[1:] {
		if err := p.put(src, pick, path.Join(at, pick.rel), linked); err != nil {
			return err
		}
	}
	return nil
}

// folders makes sure that at and what is above it are folders. at has no links in it.
func (p *placement) folders(at string, mode uint32) error {
	if at == "." {
		return nil
	}
	if e, ok := p.entries[at]; ok {
		if e.entry.Kind != layer.Dir {
			return notFolder(at)
		}
		return nil
	}
	if err := p.folders(path.Dir(at), mode); err != nil {
		return err
	}
	n, err := p.lstat(at)
	switch {
	case err == nil && n.mode.IsDir():
		return p.keep(n)
	case err == nil:
		return notFolder(at)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	e := layer.Entry{Path: at, Kind: layer.Dir, Mode: mode, ModTime: p.mtime}
	if p.owner != nil {
		e.UID, e.GID = p.owner.uid, p.owner.gid
	}
	p.entries[at] = placed{entry: e, isNew: true}
	return nil
}

func notFolder(at string) error { return fmt.Errorf("cannot copy to non-directory: /%s", at) }

// keep enters a folder of the tree below unchanged.
func (p *placement) keep(n node) error {
	if a, ok := p.below.(attributed); ok {
		var err error
		if n.xattrs, err = a.xattrs(n.path); err != nil {
			return err
		}
	}
	p.entries[n.path] = placed{entry: layer.Entry{Path: n.path, Kind: layer.Dir, Mode: unixMode(n.mode), UID: n.uid, GID: n.gid,
		ModTime: n.mtime.Truncate(time.Second), Xattrs: n.xattrs}}
	return nil
}

// put places one thing at a path whose folder is there. Files that are one file in the source stay one.
func (p *placement) put(src *source, pick *picked, at string, linked map[uint64]int) error {
	old, err := p.lstat(at)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	exists := err == nil
	switch {
	case exists && pick.mode.IsDir() && !old.mode.IsDir():
		return notFolder(at)
	case exists && !pick.mode.IsDir() && old.mode.IsDir():
		return fmt.Errorf("cannot replace to directory /%s with file", at)
	}
	e, err := p.entry(pick, at)
	if err != nil {
		return err
	}
	it := placed{entry: e, isNew: !exists}
	if before, ok := p.entries[at]; ok {
		it.isNew = before.isNew
	}
	if e.Kind == layer.File {
		it.group, it.pick, it.from = p.group(pick, linked), pick, src.from
	}
	p.entries[at] = it
	return nil
}

// group numbers the file of a pick that has several names.
func (p *placement) group(pick *picked, linked map[uint64]int) int {
	if pick.links < 2 || pick.stamp.inode == 0 {
		return 0
	}
	if linked[pick.stamp.inode] == 0 {
		p.groups++
		linked[pick.stamp.inode] = p.groups
	}
	return linked[pick.stamp.inode]
}

func (p *placement) entry(pick *picked, at string) (layer.Entry, error) {
	e := layer.Entry{Path: at, Mode: p.mode.apply(unixMode(pick.mode), pick.mode.IsDir()), UID: pick.uid, GID: pick.gid, ModTime: p.time(pick.mtime), Xattrs: pick.xattrs}
	if p.owner != nil {
		e.UID, e.GID = p.owner.uid, p.owner.gid
	}
	switch pick.kind() {
	case "file":
		e.Kind, e.Size = layer.File, pick.size
	case "dir":
		e.Kind = layer.Dir
	case "symlink":
		e.Kind, e.Link, e.Mode = layer.Symlink, pick.link, 0o777
	case "fifo":
		e.Kind = layer.Fifo
	case "char":
		e.Kind, e.Major, e.Minor = layer.Char, pick.major, pick.minor
	case "block":
		e.Kind, e.Major, e.Minor = layer.Block, pick.major, pick.minor
	default:
		return e, fmt.Errorf("%s is a %s: only files, folders, links, pipes and devices can be copied", pick.path, pick.kind())
	}
	return e, nil
}

// time is what the layer has for a time of the source.
func (p *placement) time(t time.Time) time.Time {
	if p.epoch != nil {
		return *p.epoch
	}
	return t.Truncate(time.Second)
}
