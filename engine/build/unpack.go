package build

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/learn-containers/learn/engine/layer"
)

// unpack puts what is in an archive under the folder dest, if src is one: a tar archive, plain or compressed, told by its content.
// As with docker, links in dest lead nowhere out of dest, what is in the way is removed, --chmod and --exclude do not count, and owners
// and times are the archive's unless --chown is given.
func (p *placement) unpack(ctx context.Context, src *source, dest, scratch string) (done bool, err error) {
	if src.isDir() || !src.top().mode.IsRegular() || src.top().size < 2 {
		return false, nil
	}
	f, err := src.open(src.top())
	if err != nil {
		return false, fmt.Errorf("read %s: %w", src.name, err)
	}
	defer f.Close()
	if is, err := isArchive(f); err != nil || !is {
		return false, err
	}
	again, err := src.open(src.top())
	if err != nil {
		return true, fmt.Errorf("read %s: %w", src.name, err)
	}
	defer again.Close()
	at, err := follow(p, dest, true)
	if err != nil {
		return true, err
	}
	if err := p.folders(at, 0o755); err != nil {
		return true, err
	}
	if err := p.unpackInto(ctx, again, at, scratch); err != nil {
		return true, fmt.Errorf("unpack %s: %w", src.name, err)
	}
	return true, nil
}

// isArchive tells whether a tar archive can be read from r.
func isArchive(r io.Reader) (bool, error) {
	plain, _, err := layer.Decompress(r)
	if err != nil {
		return false, nil // what can't be decompressed is just a file
	}
	defer plain.Close()
	_, err = tar.NewReader(plain).Next()
	return err == nil, nil
}

func (p *placement) unpackInto(ctx context.Context, r io.Reader, at, scratch string) error {
	plain, _, err := layer.Decompress(r)
	if err != nil {
		return err
	}
	defer plain.Close()
	if p.spool == nil {
		if p.spool, err = os.CreateTemp(scratch, "add-"); err != nil {
			return err
		}
	}
	in := layer.NewReader(plain, layer.Limits{})
	for {
		e, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := p.unpackEntry(e, in, subtree{p, at}); err != nil {
			return fmt.Errorf("%s %q: %w", e.Kind, e.Path, err)
		}
	}
}

// subtree is a folder of a placement as if it were all there is.
type subtree struct {
	*placement
	root string
}

func (t subtree) lstat(at string) (node, error) { return t.placement.lstat(path.Join(t.root, at)) }

// real gives the path in the whole tree that the folder of at leads to, with at's last name.
func (t subtree) real(at string) (string, error) {
	dir, err := follow(t, path.Dir(at), true)
	return path.Join(t.root, dir, path.Base(at)), err
}

func (p *placement) unpackEntry(e *layer.Entry, content io.Reader, t subtree) error {
	if e.Kind == layer.Whiteout || e.Kind == layer.Opaque {
		return errors.New("its name means in a layer that something is deleted, so a layer can't hold it")
	}
	if e.Path == "." {
		return nil // the folder is there
	}
	at, err := t.real(e.Path)
	if err != nil {
		return err
	}
	owner := p.owner
	p.owner = nil
	err = p.folders(path.Dir(at), 0o755)
	p.owner = owner
	if err != nil {
		return err
	}
	isNew, err := p.makeRoom(at, e.Kind == layer.Dir)
	if err != nil {
		return err
	}
	it := placed{entry: *e, isNew: isNew}
	if e.Kind == layer.HardLink {
		if it, err = p.linkTo(e.Link, t); err != nil {
			return err
		}
	}
	it.entry.Path, it.entry.Uname, it.entry.Gname, it.entry.ModTime = at, "", "", p.time(it.entry.ModTime)
	if owner != nil {
		it.entry.UID, it.entry.GID = owner.uid, owner.gid
	}
	if e.Kind == layer.File {
		if it.open, err = p.keepContent(content, e.Size); err != nil {
			return err
		}
	}
	p.entries[at] = it
	return nil
}

// makeRoom removes what is in the way of an entry; a folder takes over a folder. It tells whether nothing of the tree below is there any more.
func (p *placement) makeRoom(at string, isDir bool) (isNew bool, err error) {
	old, err := p.lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	e, placed := p.entries[at]
	if old.mode.IsDir() && isDir {
		return placed && e.isNew, nil
	}
	if !placed || !e.isNew {
		p.hidden[at] = true
	}
	delete(p.entries, at)
	if old.mode.IsDir() {
		for name := range p.entries {
			if under(name, at) {
				delete(p.entries, name)
			}
		}
	}
	return true, nil
}

// linkTo makes another name of the file that an archive's hard link means: one of the archive, or one that was there, which then is
// part of this layer too.
func (p *placement) linkTo(link string, t subtree) (placed, error) {
	at, err := t.real(link)
	if err != nil {
		return placed{}, err
	}
	n, err := p.lstat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return placed{}, fmt.Errorf("hard link target %q is not there", link)
	case err != nil:
		return placed{}, err
	case n.mode.IsDir():
		return placed{}, fmt.Errorf("hard link target %q is a folder", link)
	}
	it, ok := p.entries[at]
	if !ok {
		if a, ok := p.below.(attributed); ok {
			if n.xattrs, err = a.xattrs(at); err != nil {
				return placed{}, err
			}
		}
		if err := p.folders(path.Dir(at), 0o755); err != nil {
			return placed{}, err
		}
		keep := &placement{epoch: p.epoch}
		if it.entry, err = keep.entry(&picked{node: n}, at); err != nil {
			return placed{}, err
		}
		it.open = func() (io.ReadCloser, error) { return p.below.open(at) }
	}
	if it.group == 0 {
		p.groups++
		it.group = p.groups
	}
	p.entries[at] = it
	return it, nil
}

// keepContent puts a file's content aside until the layer is written, which happens in another order.
func (p *placement) keepContent(r io.Reader, size int64) (func() (io.ReadCloser, error), error) {
	n, err := io.Copy(p.spool, r)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	at := p.spooled
	p.spooled += n
	return func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(p.spool, at, n)), nil }, nil
}
