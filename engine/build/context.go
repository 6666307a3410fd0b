package build

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/moby/patternmatcher"
)

// contextTree is the build context: a folder as .dockerignore lets it be seen. Everything in it is opened through a root
// handle, so no link, also none that appears meanwhile, leads out of the folder.
type contextTree struct {
	root     *os.Root
	dir      string
	ignore   *ignoreList
	sums     *sums
	nodes    map[string]*node
	children map[string][]string
	bytes    int64     // of file content
	ignored  int       // names left out
	sys      sysFields // bound by the first name that is read, only read afterwards
}

const maxContextFiles = 5_000_000

// openContext reads the names in dir. dockerfile is the path of the Dockerfile; digests of files are kept in cacheDir.
func openContext(dir, dockerfile, cacheDir string) (*contextTree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read build context: %w", err)
	}
	t := &contextTree{root: root, dir: dir, nodes: map[string]*node{}, children: map[string][]string{}}
	if t.ignore, err = findIgnore(root, dockerfile); err == nil {
		err = t.readRoot()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read build context %s: %w", dir, err), root.Close())
	}
	t.sums = loadSums(cacheDir, dir)
	return t, nil
}

func (t *contextTree) readRoot() error {
	fi, err := t.root.Stat(".")
	if err != nil {
		return err
	}
	t.add(".", t.nodeOf(".", fi))
	_, err = t.walk(t.root, ".", patternmatcher.MatchInfo{})
	return err
}

// walk adds what is in the folder at; it tells whether that was anything.
func (t *contextTree) walk(at *os.Root, dir string, info patternmatcher.MatchInfo) (any bool, err error) {
	entries, err := readDir(at)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if len(t.nodes) > maxContextFiles {
			return any, fmt.Errorf("more than %d files: list what is not needed in .dockerignore", maxContextFiles)
		}
		kept, err := t.visit(at, dir, e, info)
		if err != nil {
			return any, err
		}
		any = any || kept
	}
	return any, nil
}

func readDir(at *os.Root) ([]fs.DirEntry, error) {
	d, err := at.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		switch {
		case a.Name() < b.Name():
			return -1
		case a.Name() > b.Name():
			return 1
		}
		return 0
	})
	return entries, err
}

// visit adds one name, and what is below it, unless it is left out. A folder that is left out stays if an exception lets
// something in it back in.
func (t *contextTree) visit(at *os.Root, dir string, e fs.DirEntry, parent patternmatcher.MatchInfo) (bool, error) {
	p := path.Join(dir, e.Name())
	out, info, err := t.ignore.match(p, parent)
	if err != nil {
		return false, err
	}
	if out && (!e.IsDir() || !t.ignore.exceptions()) {
		t.ignored++
		return false, nil
	}
	fi, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it went away meanwhile
	}
	if err != nil {
		return false, err
	}
	n := t.nodeOf(p, fi)
	if n.mode.Type() == fs.ModeSymlink {
		if n.link, err = at.Readlink(e.Name()); err != nil {
			return false, err
		}
		n.link = filepath.ToSlash(n.link)
	}
	if n.mode.Type() == fs.ModeSocket {
		return false, nil // as docker, which does not send sockets
	}
	if !fi.IsDir() {
		t.add(p, n)
		return true, nil
	}
	sub, err := at.OpenRoot(e.Name())
	if err != nil {
		return false, err
	}
	defer sub.Close()
	t.add(p, n)
	any, err := t.walk(sub, p, info)
	if out && !any {
		t.remove(p)
		t.ignored++
	}
	return any || !out, err
}

func (t *contextTree) nodeOf(p string, fi fs.FileInfo) *node {
	n := &node{path: p, mode: fi.Mode(), mtime: fi.ModTime()}
	t.sys.fill(n, fi)
	n.uid, n.gid = 0, 0 // what comes from a context belongs to root
	if fi.Mode().IsRegular() {
		n.size = fi.Size()
	}
	return n
}

func (t *contextTree) add(p string, n *node) {
	t.nodes[p] = n
	t.bytes += n.size
	if p != "." {
		t.children[path.Dir(p)] = append(t.children[path.Dir(p)], path.Base(p))
	}
}

// remove takes back the folder that add added last to its parent.
func (t *contextTree) remove(p string) {
	delete(t.nodes, p)
	siblings := t.children[path.Dir(p)]
	t.children[path.Dir(p)] = siblings[:len(siblings)-1]
}

// count is how many files and folders there are, the context's own folder not among them.
func (t *contextTree) count() int { return len(t.nodes) - 1 }

func (t *contextTree) lstat(p string) (node, error) {
	if n, ok := t.nodes[p]; ok {
		return *n, nil
	}
	return node{}, &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist}
}

func (t *contextTree) list(dir string) ([]string, error) { return t.children[dir], nil }

// open opens a file as it was when the context was read: what its key says must be what its layer holds.
func (t *contextTree) open(p string) (io.ReadCloser, error) {
	f, err := t.root.Open(filepath.FromSlash(p))
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err == nil {
		now := t.nodeOf(p, fi)
		if n := t.nodes[p]; n == nil || !fi.Mode().IsRegular() || now.size != n.size || now.stamp != n.stamp {
			err = fmt.Errorf("%s changed while the build read it: build again when nothing writes to the context", p)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// digest fills in the sums of files. Files that did not change since an earlier build are not read.
func (t *contextTree) digest(files []*node) error {
	var unknown []*node
	for _, n := range files {
		if n.sum = t.sums.get(n); n.sum == "" {
			unknown = append(unknown, n)
		}
	}
	begun := t.sums.now()
	if err := hashAll(t, unknown); err != nil {
		return err
	}
	for _, n := range unknown {
		t.sums.put(n, begun)
	}
	return nil
}

// learned implements learner.
func (t *contextTree) learned(n *node, begun time.Time) { t.sums.put(n, begun) }

func (t *contextTree) close() error {
	exists := func(p string) bool { return t.nodes[p] != nil }
	return errors.Join(t.sums.save(exists), t.root.Close())
}
