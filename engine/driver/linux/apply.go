//go:build linux

package linux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/engine/layer"
)

// applier makes one layer's tree in overlay's form from its archive. The archive is hostile: all work is done relative to
// folders opened inside the tree, and no link is followed out of it.
type applier struct {
	ctx    context.Context
	mode   Mode
	lowers []string // top first

	stack    *cow.Stack
	dir      string // the tree on the host
	root     int    // descriptor of dir
	parent   string // folder that parentFD stands for: entries come in runs of the same folder
	parentFD int
	pending  []dirMeta // metadata of folders, set when their content is there
	buf      []byte
	uid, gid int // what a new file gets by itself

	cut map[string]bool // names in the root that its opaque mark deletes in the layers below, whatever takes their place here

	files   int
	bytes   int64
	skipped []skippedNode
}

// skippedNode is an entry that could not be made.
type skippedNode struct{ path, reason string }

// copyBytes is how much of a file's content is copied at a time.
const copyBytes = 256 << 10

// run unpacks tar into the empty folder dir and verifies its digest.
func (a *applier) run(dir string, want digest.Digest, tar io.Reader) error {
	stream := layer.NewVerified(a.ctx, tar)
	defer stream.Close()
	return a.unpack(dir, stream, func() error { return stream.Check(want) })
}

// unpack unpacks tar into the empty folder dir. check comes when all of it was read.
func (a *applier) unpack(dir string, tar io.Reader, check func() error) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(fd)
	a.dir, a.root, a.parentFD = dir, fd, -1
	a.stack = cow.NewStack(a.lowers, a.mode.UserXattr)
	a.buf = make([]byte, copyBytes)
	a.uid, a.gid = os.Geteuid(), os.Getegid()
	defer a.leave()
	if err := a.entries(layer.NewReader(tar, layer.Limits{})); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	return a.finish()
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
	fd, err := a.enter(path.Dir(e.Path), e)
	if err != nil {
		return err
	}
	name := path.Base(e.Path)
	if e.Kind == layer.Whiteout {
		return a.whiteout(fd, name)
	}
	a.files++
	switch e.Kind {
	case layer.File:
		return a.file(fd, name, e, content)
	case layer.Dir:
		return a.folder(fd, name, e)
	case layer.HardLink:
		return a.hardLink(fd, name, e)
	case layer.Symlink:
		if err := a.place(fd, name, func() error { return unix.Symlinkat(e.Link, fd, name) }); err != nil {
			return err
		}
		return a.setMeta(fd, name, e)
	}
	return a.node(fd, name, e)
}

// place makes something under name; what an earlier entry put there goes first.
func (a *applier) place(fd int, name string, make func() error) error {
	err := make()
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	if err := removeAt(fd, name); err != nil {
		return err
	}
	return make()
}

func (a *applier) file(fd int, name string, e *layer.Entry, content io.Reader) error {
	var file int
	err := a.place(fd, name, func() (err error) {
		file, err = unix.Openat(fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	defer unix.Close(file)
	if e.Size > 0 {
		if err := a.copy(file, e.Size, content); err != nil {
			return err
		}
	}
	a.bytes += e.Size
	return a.setFileMeta(file, fd, name, e)
}

// copy writes size bytes of content; long runs of zeros become holes.
func (a *applier) copy(file int, size int64, content io.Reader) error {
	hole := false
	for at := int64(0); at < size; {
		n := min(int64(len(a.buf)), size-at)
		buf := a.buf[:n]
		if _, err := io.ReadFull(content, buf); err != nil {
			return err
		}
		hole = n >= 64<<10 && buf[0] == 0 && bytes.Equal(buf[1:], buf[:n-1])
		if !hole {
			if err := writeAt(file, buf, at); err != nil {
				return err
			}
		}
		at += n
	}
	if hole {
		return unix.Ftruncate(file, size)
	}
	return nil
}

func writeAt(file int, buf []byte, at int64) error {
	for len(buf) > 0 {
		n, err := unix.Pwrite(file, buf, at)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		buf, at = buf[n:], at+int64(n)
	}
	return nil
}

func (a *applier) folder(fd int, name string, e *layer.Entry) error {
	if err := a.makeFolder(fd, a.parent, name); err != nil {
		return err
	}
	meta := metaOf(e)
	meta.path = path.Join(a.parent, name) // the entry's own path may lead over links that only a lower layer has
	a.pending = append(a.pending, meta)
	return nil
}

// makeFolder makes the folder name unless it is there. In the place of a whiteout it hides what the lower layers have:
// the whiteout and the folder of one archive together mean a new folder. fd is the folder dir.
func (a *applier) makeFolder(fd int, dir, name string) error {
	err := unix.Mkdirat(fd, name, 0o700)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	if err := unix.Unlinkat(fd, name, 0); err != nil {
		return err
	}
	if err := unix.Mkdirat(fd, name, 0o700); err != nil {
		return err
	}
	if cow.IsWhiteout(&st) || dir == "." && a.cut[name] {
		return a.markOpaque(fd, name)
	}
	return nil
}

func (a *applier) hardLink(fd int, name string, e *layer.Entry) error {
	target, err := openIn(a.root, path.Dir(e.Link), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("hard link target %q is not in this layer: %w", e.Link, err)
	}
	defer unix.Close(target)
	var st unix.Stat_t
	err = unix.Fstatat(target, path.Base(e.Link), &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && (cow.IsWhiteout(&st) || st.Mode&unix.S_IFMT == unix.S_IFDIR) {
		err = unix.EPERM
	}
	if err != nil {
		return fmt.Errorf("hard link target %q is not a file in this layer: %w", e.Link, err)
	}
	link := func() error { return unix.Linkat(target, path.Base(e.Link), fd, name, 0) }
	var old unix.Stat_t
	if unix.Fstatat(fd, name, &old, unix.AT_SYMLINK_NOFOLLOW) == nil && old.Ino == st.Ino {
		return nil // said twice; removing the old name could remove the file
	}
	return a.place(fd, name, link)
}

// node makes a device or a pipe. Devices can't be made in a user namespace: they are left out, and the trace says so.
func (a *applier) node(fd int, name string, e *layer.Entry) error {
	kind := map[layer.Kind]uint32{layer.Char: unix.S_IFCHR, layer.Block: unix.S_IFBLK, layer.Fifo: unix.S_IFIFO}[e.Kind]
	dev := int(unix.Mkdev(e.Major, e.Minor))
	err := a.place(fd, name, func() error { return unix.Mknodat(fd, name, kind|0o600, dev) })
	if errors.Is(err, unix.EPERM) && e.Kind != layer.Fifo {
		a.files--
		a.skipped = append(a.skipped, skippedNode{e.Path, "a " + e.Kind.String() + " device needs the power to make devices (root outside a user namespace)"})
		return nil
	}
	if err != nil {
		return err
	}
	return a.setMeta(fd, name, e)
}

// whiteout deletes name in the layers below. Something of that name in this same archive stays, cut off from below.
func (a *applier) whiteout(fd int, name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return a.markOpaque(fd, name)
	case err == nil:
		return nil
	case !errors.Is(err, unix.ENOENT):
		return err
	}
	return unix.Mknodat(fd, name, unix.S_IFCHR, 0)
}

func (a *applier) opaque(e *layer.Entry) error {
	if e.Path == "." {
		return a.opaqueRoot()
	}
	fd, err := a.enter(e.Path, e)
	if err != nil {
		return err
	}
	root, err := sameFile(fd, a.root)
	if err != nil {
		return err
	}
	if root { // by way of a link
		return a.opaqueRoot()
	}
	return a.markOpaque(fd, ".")
}

func sameFile(one, two int) (bool, error) {
	var a, b unix.Stat_t
	if err := errors.Join(unix.Fstat(one, &a), unix.Fstat(two, &b)); err != nil {
		return false, err
	}
	return a.Dev == b.Dev && a.Ino == b.Ino, nil
}

// opaqueRoot deletes everything below by name: overlay does not look for marks on the roots of its layers.
func (a *applier) opaqueRoot() error {
	names, err := a.stack.Names(".")
	a.cut = make(map[string]bool, len(names))
	for _, name := range names {
		a.cut[name] = true
		err = errors.Join(err, a.whiteout(a.root, name))
	}
	return err
}

func (a *applier) markOpaque(fd int, name string) error {
	return unix.Lsetxattr(procPath(fd, name), cow.OpaqueXattr(a.mode.UserXattr), []byte("y"), 0)
}
