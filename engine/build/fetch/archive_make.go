package fetch

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/layer"
)

// folder makes the folder p and those above it. Something else than a folder is replaced if it is p itself and the archive has an entry for it, and
// refused on the way to an entry: a link there would have the archive write elsewhere than its names say.
func (u *unpacker) folder(p string, entry bool) (*folder, error) {
	at := u.top
	if p == "." {
		return at, nil
	}
	for done := 0; done < len(p); {
		end := len(p)
		if i := strings.IndexByte(p[done:], '/'); i >= 0 {
			end = done + i
		}
		next := at.sub[p[done:end]]
		if next == nil {
			var err error
			if next, err = u.makeFolder(at, p[:end], entry && end == len(p)); err != nil {
				return nil, err
			}
		}
		at, done = next, end+1
	}
	return at, nil
}

func (u *unpacker) makeFolder(parent *folder, p string, replace bool) (*folder, error) {
	local := filepath.FromSlash(p)
	fi, err := u.root.Lstat(local)
	switch {
	case err == nil && !replace:
		what := "is a file"
		if fi.Mode().Type() == fs.ModeSymlink {
			what = "is a symbolic link: nothing is written through links"
		}
		return nil, &ArchiveError{p, "it has entries below it but " + what}
	case err == nil:
		if err := u.root.Remove(local); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := u.root.Mkdir(local, 0o755); err != nil {
		return nil, err
	}
	f := &folder{}
	if parent.sub == nil {
		parent.sub = map[string]*folder{}
	}
	parent.sub[path.Base(p)] = f
	return f, nil
}

// clear removes what an earlier entry made at p.
func (u *unpacker) clear(parent *folder, p string) error {
	local := filepath.FromSlash(p)
	if _, isDir := parent.sub[path.Base(p)]; isDir {
		delete(parent.sub, path.Base(p))
		return u.root.RemoveAll(local)
	}
	err := u.root.Remove(local)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (u *unpacker) file(p string, h *tar.Header) error {
	local := filepath.FromSlash(p)
	if u.done.Bytes += h.Size; u.done.Bytes > u.limits.Bytes || u.done.Bytes < 0 {
		return &ArchiveError{h.Name, fmt.Sprintf("more than %d bytes of content", u.limits.Bytes)}
	}
	f, err := u.root.OpenFile(local, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{&grown{f: f, u: u, before: u.done.Bytes - h.Size}}, struct{ io.Reader }{u.tar}, u.buf)
	if err == nil {
		err = f.Chmod(modeOf(h))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	mtime := timeOf(h)
	return u.root.Chtimes(local, mtime, mtime)
}

// grown writes a file until the content is out of all proportion to what was read: holes of sparse files take no room in an archive.
type grown struct {
	f      *os.File
	u      *unpacker
	before int64
	n      int64
}

func (g *grown) Write(p []byte) (int, error) {
	g.n += int64(len(p))
	if out := g.before + g.n; out > g.u.limits.Growth && out/1000 > g.u.in.n {
		return 0, fmt.Errorf("%d bytes came out of %d: %w", out, g.u.in.n, layer.ErrBomb)
	}
	if err := g.u.in.ctx.Err(); err != nil {
		return 0, err
	}
	return g.f.Write(p)
}

// hardLink gives a file that the archive has made another name. A second name of a symbolic link becomes a link with the same text.
func (u *unpacker) hardLink(p string, h *tar.Header) error {
	target, err := u.local(h.Linkname)
	if err != nil {
		return &ArchiveError{h.Name, fmt.Sprintf("hard link to %q: %v", h.Linkname, err)}
	}
	refuse := func(reason string) error {
		return &ArchiveError{h.Name, fmt.Sprintf("hard link to %q, which %s", h.Linkname, reason)}
	}
	if !u.known(path.Dir(target)) {
		return refuse("is in no folder of the archive")
	}
	from, to := filepath.FromSlash(target), filepath.FromSlash(p)
	fi, err := u.root.Lstat(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse("is not in the archive before it")
	case err != nil:
		return err
	case fi.Mode().Type() == fs.ModeSymlink:
		text, err := u.root.Readlink(from)
		if err != nil {
			return err
		}
		return u.root.Symlink(text, to)
	case !fi.Mode().IsRegular():
		return refuse("is not a file")
	}
	return u.root.Link(from, to)
}

// known tells whether p is a folder that the archive has made.
func (u *unpacker) known(p string) bool {
	at := u.top
	if p == "." {
		return true
	}
	for part := range strings.SplitSeq(p, "/") {
		if at = at.sub[part]; at == nil {
			return false
		}
	}
	return true
}

// finish gives folders their modes and times (those that no entry spoke of: the newest time in the archive), those inside before those around them: a folder that may not be written is filled first.
func (u *unpacker) finish(p string, f *folder) error {
	for name, sub := range f.sub {
		if err := u.finish(path.Join(p, name), sub); err != nil {
			return err
		}
	}
	if err := u.in.ctx.Err(); err != nil {
		return err
	}
	if !f.meta { // the same archive gives the same tree, whenever it is unpacked and whatever the umask
		f.mode, f.mtime = 0o755, u.newest
	}
	local := filepath.FromSlash(p)
	if err := u.root.Chtimes(local, f.mtime, f.mtime); err != nil {
		return err
	}
	return u.root.Chmod(local, f.mode)
}
