package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/layer"
)

// local unpacks the image's tree into a folder of the host, as docker does: folders are merged, anything else that is in the way is
// replaced, never written through; modes and times are those of the tree, setuid too; everything belongs to whoever builds. Links are made
// as they are and not followed. What is not in the tree stays.
func (w *writer) local(ctx context.Context) error {
	dest := w.output.Dest
	if fi, err := os.Stat(dest); err == nil && !fi.IsDir() {
		return fmt.Errorf("destination %s is a file, expected a folder", dest)
	}
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dest)
	if err != nil {
		return err
	}
	u := unpacker{root: root, written: &w.written}
	err = w.withTree(ctx, func(t driver.Tree) error { return u.tree(ctx, t) })
	return errors.Join(err, root.Close())
}

// unpacker makes a tree below root. No path of it leaves root, whatever links are there.
type unpacker struct {
	root    *os.Root
	folders []layer.Entry // whose modes and times are set at the end, when nothing is made in them any more
	written *int64
}

// tree unpacks t. The writing side has ended when it returns.
func (u *unpacker) tree(ctx context.Context, t driver.Tree) error {
	r, pw := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := t.Export(ctx, pw)
		_ = pw.CloseWithError(err) // nil is the end of the archive
		done <- err
	}()
	err := u.archive(r)
	_ = r.CloseWithError(err)
	exportErr := <-done
	if err == nil {
		err = exportErr
	}
	if err == nil {
		err = u.finish()
	}
	return err
}

func (u *unpacker) archive(r io.Reader) error {
	in := layer.NewReader(r, layer.Limits{})
	for {
		e, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Path == "." { // the destination's own mode is not the tree's business
			continue
		}
		if err := u.entry(e, in); err != nil {
			return fmt.Errorf("write %s: %w", e.Path, err)
		}
	}
}

func (u *unpacker) entry(e *layer.Entry, content io.Reader) error {
	switch e.Kind {
	case layer.Dir:
		u.folders = append(u.folders, *e)
		return u.folder(e.Path)
	case layer.File:
		return u.replace(e.Path, func(tmp string) error { return u.file(tmp, e, content) })
	case layer.Symlink:
		return u.replace(e.Path, func(tmp string) error { return u.root.Symlink(e.Link, tmp) })
	case layer.HardLink:
		return u.replace(e.Path, func(tmp string) error { return u.root.Link(e.Link, tmp) })
	}
	return fmt.Errorf("a %s can't be made in a folder of the host: leave it out of the result, or use type=tar", e.Kind)
}

// folder makes a folder, or keeps the one that is there.
func (u *unpacker) folder(p string) error {
	fi, err := u.root.Lstat(p)
	switch {
	case err == nil && fi.IsDir():
		if fi.Mode().Perm()&0o700 != 0o700 { // something may have to be made in it
			return u.root.Chmod(p, 0o700)
		}
		return nil
	case err == nil:
		if err := u.root.Remove(p); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return u.root.Mkdir(p, 0o700)
}

// replace lets fill make something under another name and puts it in the place of p.
func (u *unpacker) replace(p string, fill func(tmp string) error) error {
	fi, err := u.root.Lstat(p)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp := path.Join(path.Dir(p), ".tmp-"+strconv.FormatUint(rand.Uint64(), 36))
	if err := fill(tmp); err != nil {
		_ = u.root.Remove(tmp)
		return err
	}
	if fi != nil && fi.IsDir() {
		if err := u.root.RemoveAll(p); err != nil {
			return errors.Join(err, u.root.Remove(tmp))
		}
	}
	if err := u.root.Rename(tmp, p); err != nil {
		return errors.Join(err, u.root.Remove(tmp))
	}
	return nil
}

func (u *unpacker) file(tmp string, e *layer.Entry, content io.Reader) error {
	f, err := u.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, content)
	*u.written += n
	if err == nil {
		err = f.Chmod(fileMode(e.Mode))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return u.root.Chtimes(tmp, time.Time{}, e.ModTime)
}

// finish sets what folders get last, the deepest first: a folder may be closed to its owner.
func (u *unpacker) finish() error {
	for _, e := range slices.Backward(u.folders) {
		err := u.root.Chtimes(e.Path, time.Time{}, e.ModTime)
		if err == nil {
			err = u.root.Chmod(e.Path, fileMode(e.Mode))
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", e.Path, err)
		}
	}
	return nil
}

// fileMode is a mode of 0 to 07777 in Go's terms.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	if mode&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
