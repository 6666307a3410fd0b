package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/layer"
)

// applier makes one layer from its archive: contents below files, all the rest in a tree in memory. The archive is hostile: names
// and links are resolved in that tree alone, and the host sees only names that a placer chose.
type applier struct {
	below   *node // the layers below, merged; nil if there are none
	root    *node // the layer
	host    *host
	pending []dirMeta // metadata of folders, set when their content is there
	buf     []byte
	next    uint64          // last inode number
	cut     map[string]bool // names in the root that its opaque mark deletes in the layers below, whatever takes their place here

	files int
	bytes int64
}

// copyBytes is how much of a file's content is copied at a time.
const copyBytes = 256 << 10

func newApplier(below *node) *applier {
	return &applier{below: below, buf: make([]byte, copyBytes)}
}

// run unpacks tar into the empty host folder dir and verifies its digest.
func (a *applier) run(ctx context.Context, dir string, want digest.Digest, tar io.Reader) (err error) {
	if a.host, err = openHost(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.host.close()) }()
	a.root = a.newFolder()
	stream := layer.NewVerified(ctx, tar)
	defer stream.Close()
	if err := a.entries(layer.NewReader(stream, layer.Limits{})); err != nil {
		return err
	}
	if err := stream.Check(want); err != nil {
		return err
	}
	a.finish()
	countLinks(a.root)
	return nil
}

func (a *applier) entries(r *layer.Reader) error {
	for first := true; ; first = false {
		e, err := r.Next()
		if err != nil && err != io.EOF {
			return err
		}
		if first {
			a.rootMeta(e)
		}
		if err == io.EOF {
			return nil
		}
		if err := a.entry(e, r); err != nil {
			return fmt.Errorf("unpack %s %q: %w", e.Kind, e.Path, err)
		}
	}
}

func (a *applier) entry(e *layer.Entry, content io.Reader) error {
	if e.Kind == layer.Opaque {
		return a.opaque(e)
	}
	if e.Path == "." {
		a.files++
		a.pending = append(a.pending, metaOf(e))
		return nil
	}
	dir, err := a.enter(path.Dir(e.Path), e)
	if err != nil {
		return err
	}
	name := path.Base(e.Path)
	if e.Kind == layer.Whiteout {
		a.whiteout(dir, name)
		return nil
	}
	a.files++
	switch e.Kind {
	case layer.File:
		return a.file(dir, name, e, content)
	case layer.Dir:
		a.makeFolder(dir, name)
		m := metaOf(e)
		p, _ := dir.path(a.root)
		m.path = join(p, name) // the entry's own path may lead over links
		a.pending = append(a.pending, m)
		return nil
	case layer.HardLink:
		return a.hardLink(dir, name, e)
	}
	return a.place(dir, name, a.inodeOf(e))
}

// place puts a new inode under name; what an earlier entry put there goes first.
func (a *applier) place(dir *node, name string, i *inode) error {
	if err := a.clear(dir, name); err != nil {
		return err
	}
	i.links++
	dir.put(name, &node{ino: i})
	return nil
}

// clear takes away what an earlier entry of the archive put under name, with everything in it.
func (a *applier) clear(dir *node, name string) error {
	old := dir.take(name)
	if old == nil {
		return nil
	}
	return old.each(name, func(_ string, n *node) error {
		if n.ino == nil {
			return nil
		}
		if n.ino.links--; n.ino.links > 0 || n.ino.stored == "" {
			return nil
		}
		return a.host.remove(n.ino.stored)
	})
}

// inodeOf makes an inode with what an entry says.
func (a *applier) inodeOf(e *layer.Entry) *inode {
	a.next++
	i := &inode{number: a.next, mode: e.Mode, uid: e.UID, gid: e.GID, mtime: clampTime(e.ModTime)}
	i.ctime, i.atime = i.mtime, i.mtime
	switch e.Kind {
	case layer.File:
		i.kind, i.size = fsys.File, e.Size
	case layer.Symlink:
		i.kind, i.target, i.mode, i.size = fsys.Symlink, e.Link, 0o777, int64(len(e.Link))
	case layer.Char, layer.Block:
		i.kind, i.rdev = fsys.CharDevice, fsys.MakeDev(e.Major, e.Minor)
		if e.Kind == layer.Block {
			i.kind = fsys.BlockDevice
		}
	case layer.Fifo:
		i.kind = fsys.Pipe
	}
	i.xattrs = keptXattrs(i.kind, e.Xattrs)
	return i
}

func (a *applier) file(dir *node, name string, e *layer.Entry, content io.Reader) error {
	if err := a.clear(dir, name); err != nil {
		return err
	}
	i := a.inodeOf(e)
	p, _ := dir.path(a.root)
	stored, f, err := a.host.create(join(p, name))
	if err != nil {
		return err
	}
	i.stored = stored
	i.sum, err = a.copy(f, e.Size, content)
	i.summed = true
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	a.bytes += e.Size
	return a.place(dir, name, i)
}

// copy writes size bytes of content; long runs of zeros become holes.
func (a *applier) copy(f *os.File, size int64, content io.Reader) (sum uint32, err error) {
	table := crc32.MakeTable(crc32.Castagnoli)
	hole := false
	for at := int64(0); at < size; {
		n := min(int64(len(a.buf)), size-at)
		buf := a.buf[:n]
		if _, err := io.ReadFull(content, buf); err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, table, buf)
		hole = n >= 64<<10 && buf[0] == 0 && bytes.Equal(buf[1:], buf[:n-1])
		if !hole {
			if _, err := f.WriteAt(buf, at); err != nil {
				return 0, err
			}
		}
		at += n
	}
	if hole {
		return sum, f.Truncate(size)
	}
	return sum, nil
}

// newFolder is a folder without metadata, which finish gives it.
func (a *applier) newFolder() *node {
	a.next++
	return &node{ino: &inode{number: a.next, kind: fsys.Dir, links: 1}}
}

// makeFolder makes the folder name unless it is there. In the place of a whiteout it hides what the lower layers have:
// the whiteout and the folder of one archive together mean a new folder.
func (a *applier) makeFolder(dir *node, name string) {
	old := dir.kid(name)
	if old.isDir() {
		return
	}
	_ = a.clear(dir, name) // a content that stays without a name does no harm
	n := a.newFolder()
	n.opaque = old.isWhiteout() || old != nil && dir == a.root && a.cut[name]
	dir.put(name, n)
}

func (a *applier) hardLink(dir *node, name string, e *layer.Entry) error {
	in, err := a.resolve(path.Dir(e.Link))
	if err != nil {
		return fmt.Errorf("hard link target %q is not in this layer: %w", e.Link, err)
	}
	target := in.kid(path.Base(e.Link))
	switch {
	case target == nil:
		return fmt.Errorf("hard link target %q is not a file in this layer: %w", e.Link, syscall.ENOENT)
	case target.isWhiteout() || target.isDir():
		return fmt.Errorf("hard link target %q is not a file in this layer: %w", e.Link, syscall.EPERM)
	case dir.kid(name) != nil && dir.kid(name).ino == target.ino:
		return nil // said twice; removing the old name could remove the file
	}
	if err := a.clear(dir, name); err != nil {
		return err
	}
	if _, ok := target.path(a.root); !ok {
		return fmt.Errorf("hard link target %q was in the folder that the link replaces: %w", e.Link, syscall.ENOENT)
	}
	return a.place(dir, name, target.ino)
}

// whiteout deletes name in the layers below. Something of that name in this same archive stays, cut off from below.
func (a *applier) whiteout(dir *node, name string) {
	switch old := dir.kid(name); {
	case old.isDir():
		old.opaque = true
	case old == nil:
		dir.put(name, &node{})
	}
}

func (a *applier) opaque(e *layer.Entry) error {
	if e.Path == "." { // overlay does not look for marks on the roots of its layers
		a.cut = map[string]bool{}
		for _, name := range a.belowRoot() {
			a.cut[name] = true
			a.whiteout(a.root, name)
		}
		return nil
	}
	dir, err := a.enter(e.Path, e)
	if err != nil {
		return err
	}
	dir.opaque = true
	return nil
}

func (a *applier) belowRoot() []string {
	if a.below == nil {
		return nil
	}
	return a.below.sorted()
}

// isOverlayXattr names overlay's own marks. An archive can't bring them in, and they never go out.
func isOverlayXattr(name string) bool {
	return strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.")
}

// canXattr reports whether Linux keeps an attribute of that name at an inode of that kind.
func canXattr(kind fsys.Kind, name string) bool {
	switch {
	case isOverlayXattr(name) || name == "security.selinux":
		return false
	case strings.HasPrefix(name, "user."):
		return kind == fsys.File || kind == fsys.Dir
	}
	return strings.HasPrefix(name, "trusted.") || strings.HasPrefix(name, "security.")
}

// keptXattrs is what of m an inode of that kind keeps; nil if nothing.
func keptXattrs(kind fsys.Kind, m map[string]string) map[string]string {
	var kept map[string]string
	for name, value := range m {
		if !canXattr(kind, name) {
			continue
		}
		if kept == nil {
			kept = make(map[string]string, len(m))
		}
		kept[name] = value
	}
	return kept
}
