package build

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// placement collects the entries of a layer that puts things into a tree.
type placement struct {
	below    *imageTree
	uid, gid int // of folders that are made on the way
	mtime    time.Time
	entries  map[string]placed
}

type placed struct {
	entry layer.Entry
	open  func() (io.ReadCloser, error)
}

// place makes the layer of a COPY. Links in the destination are followed in the tree below, as a program that writes there
// would, so a layer never replaces a link by a folder.
func (st *stage) place(ctx context.Context, in dockerfile.Instruction, c copySpec, sel *selection, mode int) (image.Layer, error) {
	below, err := st.below(ctx)
	if err != nil {
		return image.Layer{}, err
	}
	defer below.close()
	p := &placement{below: below, mtime: newest(sel), entries: map[string]placed{}}
	if e := st.session.opts.Epoch; e != nil {
		p.mtime = *e
	}
	if c.chown != "" {
		if p.uid, p.gid, err = st.owner(below, c.chown); err != nil {
			return image.Layer{}, st.session.plan.File.Errorf(in, "--chown", "%v", err)
		}
	}
	dest := c.dest
	if !path.IsAbs(dest) {
		dest = st.workdirOr("/") + "/" + dest
	}
	if err := p.addAll(c, sel, dest, mode, st.session.opts.Epoch); err != nil {
		return image.Layer{}, st.session.plan.File.Errorf(in, "", "%s: %v", c.name, err)
	}
	return st.write(ctx, p)
}

// newest is the time that folders get which are made on the way: it must not depend on when the build runs.
func newest(sel *selection) time.Time {
	t := time.Unix(0, 0)
	for _, p := range sel.picks {
		if p.mtime.After(t) {
			t = p.mtime
		}
	}
	return t.Truncate(time.Second)
}

func (p *placement) addAll(c copySpec, sel *selection, dest string, mode int, epoch *time.Time) error {
	at, err := follow(p.below, dest, true)
	if err != nil {
		return err
	}
	isDir := strings.HasSuffix(dest, "/") || strings.HasSuffix(dest, "/.")
	if n, err := p.below.lstat(at); err == nil {
		if isDir && !n.mode.IsDir() {
			return fmt.Errorf("cannot copy to non-directory: %s", dest)
		}
		isDir = isDir || n.mode.IsDir()
	}
	if sel.roots > 1 && !isDir {
		return fmt.Errorf("%d files match: When using %s with more than one source file, the destination must be a directory and end with a /", sel.roots, c.name)
	}
	for _, pick := range sel.picks {
		if err := p.add(pick, pick.place(at, isDir), c.chown != "", mode, epoch); err != nil {
			return err
		}
	}
	return nil
}

// add puts one thing at a resolved place.
func (p *placement) add(pick *picked, at string, chown bool, mode int, epoch *time.Time) error {
	at = rooted(at)
	old, err := p.below.lstat(at)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.parents(at); err != nil {
		return err
	}
	if pick.mode.IsDir() {
		if exists && !old.mode.IsDir() {
			return fmt.Errorf("cannot copy to non-directory: /%s", at)
		}
		if exists {
			p.keep(old)
			return nil
		}
	} else if exists && old.mode.IsDir() {
		return fmt.Errorf("cannot replace to directory /%s with file", at)
	}
	e := layer.Entry{Path: at, Mode: unixMode(pick.mode), UID: pick.uid, GID: pick.gid, ModTime: pick.mtime.Truncate(time.Second), Xattrs: pick.xattrs}
	if chown {
		e.UID, e.GID = p.uid, p.gid
	}
	if mode >= 0 {
		e.Mode = uint32(mode)
	}
	if epoch != nil {
		e.ModTime = *epoch
	}
	if at == "." {
		return nil // the root of the tree is there and stays as it is
	}
	return p.set(pick, e)
}

func (p *placement) set(pick *picked, e layer.Entry) error {
	switch pick.kind() {
	case "file":
		e.Kind, e.Size = layer.File, pick.size
	case "dir":
		e.Kind = layer.Dir
	case "symlink":
		e.Kind, e.Link, e.Mode = layer.Symlink, pick.link, 0o777
	case "fifo":
		e.Kind = layer.Fifo
	default:
		return fmt.Errorf("%s is a %s: only files, folders, links and pipes can be copied", pick.path, pick.kind())
	}
	p.entries[e.Path] = placed{entry: e, open: pick.open}
	return nil
}

// parents enters the folders above at: as they are below, or new ones.
func (p *placement) parents(at string) error {
	dir := path.Dir(at)
	if dir == "." || dir == "/" {
		return nil
	}
	if _, ok := p.entries[dir]; ok {
		return nil
	}
	if err := p.parents(dir); err != nil {
		return err
	}
	n, err := p.below.lstat(dir)
	switch {
	case err == nil && n.mode.IsDir():
		p.keep(n)
	case err == nil:
		return fmt.Errorf("cannot copy to non-directory: /%s", dir)
	case errors.Is(err, fs.ErrNotExist):
		p.entries[dir] = placed{entry: layer.Entry{Path: dir, Kind: layer.Dir, Mode: 0o755, UID: p.uid, GID: p.gid, ModTime: p.mtime}}
	default:
		return err
	}
	return nil
}

// keep enters a folder of the tree below unchanged.
func (p *placement) keep(n node) {
	if n.path == "." {
		return
	}
	p.entries[n.path] = placed{entry: layer.Entry{Path: n.path, Kind: layer.Dir, Mode: unixMode(n.mode), UID: n.uid, GID: n.gid,
		ModTime: n.mtime.Truncate(time.Second), Xattrs: n.xattrs}}
}

// write makes a layer of the placement in one pass: read, archive, hash and store.
func (st *stage) write(ctx context.Context, p *placement) (l image.Layer, err error) {
	s := st.session
	ctx, end := trace.Step(ctx, vocab.LayerCommit, trace.String("key", ""), trace.String("parent", st.chain().String()))
	defer func() {
		if err != nil {
			end(err)
			return
		}
		end(nil, layerFacts(l, len(p.entries), 0)...)
	}()
	w, err := s.blobs.NewWriter(s.op)
	if err != nil {
		return l, err
	}
	defer w.Close()
	archive := layer.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(p.entries)) {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		if err := writeEntry(archive, p.entries[name]); err != nil {
			return l, err
		}
	}
	if err := archive.Close(); err != nil {
		return l, err
	}
	failpoint.Hit("build.copy.before-commit")
	desc, err := w.Commit(ctx, "", oci.MediaTypeLayer)
	if err != nil {
		return l, err
	}
	failpoint.Hit("build.copy.after-commit")
	return st.layer(desc), nil
}

func writeEntry(w *layer.Writer, e placed) error {
	if e.entry.Kind != layer.File {
		return w.WriteEntry(e.entry, nil)
	}
	f, err := e.open()
	if err != nil {
		return fmt.Errorf("copy %s: %w", e.entry.Path, err)
	}
	err = w.WriteEntry(e.entry, f)
	return errors.Join(err, f.Close())
}

// isArchive tells whether ADD would unpack the file: a tar archive, plain or compressed.
func isArchive(p *picked) (bool, error) {
	f, err := p.open()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", p.path, err)
	}
	defer f.Close()
	head := make([]byte, 6)
	if _, err := io.ReadFull(f, head); err != nil {
		return false, fmt.Errorf("read %s: %w", p.path, err)
	}
	if bytes.HasPrefix(head, []byte("BZh")) || bytes.Equal(head, []byte("\xfd7zXZ\x00")) {
		return true, nil
	}
	plain, _, err := layer.Decompress(io.MultiReader(bytes.NewReader(head), f))
	if err != nil {
		return false, nil // what can't be decompressed is just a file
	}
	defer plain.Close()
	_, err = tar.NewReader(plain).Next()
	return err == nil, nil
}
