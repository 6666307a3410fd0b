package pack

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Target is a tree that archives are extracted onto. It follows links on the way to a name, inside its own root, and never the last
// part of a name. Errors are fs.ErrExist and fs.ErrNotExist where they say so. It is used by one goroutine.
type Target interface {
	// Lstat tells what has the name.
	Lstat(name string) (fs.FileMode, error)
	// Remove takes the name away from what is no folder.
	Remove(name string) error
	// Make makes what h describes, with everything that h says of it but for a folder, which Dress gives its looks when all in it is
	// there. fs.ErrExist if the name is taken, fs.ErrNotExist if there is no folder for it: content is untouched then.
	Make(h *tar.Header, content io.Reader) error
	// Dress gives the folder h.Name the owner, permissions, attributes and time of h.
	Dress(h *tar.Header) error
}

// Options say how an archive is extracted. The zero value takes everything as the archive has it.
type Options struct {
	Into  string // what the folder that is extracted to is called in errors
	Owner *Owner // who owns everything that is made; nil: whom the archive names
}

// Owner is a user and a group.
type Owner struct{ UID, GID int }

// The bounds of an archive: nothing that is kept while it is read grows beyond them.
const (
	maxEntries = 5_000_000
	maxPath    = 4096
)

// RefusedError says that something in an archive can't be made where it is to go. Msg is docker's sentence where docker has one.
type RefusedError struct{ Msg string }

func (e *RefusedError) Error() string { return e.Msg }

func refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// extractor carries out one archive.
type extractor struct {
	to      Target
	options Options
	counts  Counts
	folders []*tar.Header // to be dressed at the end
}

// Extract makes what the archive r holds, in the archive's order. A folder that is there keeps what it has and takes the looks of the
// archive's; a file replaces what has its name; a folder never replaces anything else, nor is it replaced (*RefusedError). What was made
// before an error stays. More of r may have been read than the archive has.
func Extract(ctx context.Context, r io.Reader, to Target, o Options) (Counts, error) {
	x := &extractor{to: to, options: o}
	in := tar.NewReader(bufio.NewReaderSize(r, chunk)) // headers are small, and every read of a pipe is a change of processes
	for ctx.Err() == nil {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return x.counts, x.dress()
		}
		if err != nil {
			return x.counts, fmt.Errorf("read archive: %w", err)
		}
		if err := x.entry(h, in); err != nil {
			return x.counts, err
		}
	}
	return x.counts, ctx.Err()
}

func (x *extractor) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := x.clean(h.Name)
	if err != nil {
		return err
	}
	if err := x.check(h, name); err != nil {
		return err
	}
	if h.Name = name; name == "." {
		return nil // the folder that is extracted to keeps its looks
	}
	if x.counts.Files++; x.counts.Files > maxEntries {
		return refuse("the archive has more than %d entries", maxEntries)
	}
	if o := x.options.Owner; o != nil {
		h.Uid, h.Gid = o.UID, o.GID
	}
	counted := &counter{r: content}
	if err := x.make(h, counted); err != nil {
		return err
	}
	x.counts.Bytes += counted.n
	if h.Typeflag == tar.TypeDir {
		x.folders = append(x.folders, slim(h))
	}
	return nil
}

// slim is what Dress needs of a header, and no more: it is kept to the end.
func slim(h *tar.Header) *tar.Header {
	return &tar.Header{Typeflag: h.Typeflag, Name: h.Name, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid, ModTime: h.ModTime, PAXRecords: h.PAXRecords}
}

// clean gives a name of the archive as a Target wants it. One that leads out is refused: whoever wrote it means harm.
func (x *extractor) clean(name string) (string, error) {
	if len(name) > maxPath || strings.IndexByte(name, 0) >= 0 {
		return "", refuse("the name %.60q... in the archive can't be: it has more than %d bytes, or a zero byte", name, maxPath)
	}
	p := path.Clean(strings.TrimLeft(name, "/"))
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", refuse("%q is outside of %q", name, x.options.Into)
	}
	return p, nil
}

// check looks at what a header says besides its name.
func (x *extractor) check(h *tar.Header, name string) error {
	switch h.Typeflag {
	case tar.TypeReg, 0, tar.TypeGNUSparse, tar.TypeCont:
		h.Typeflag = tar.TypeReg
		if strings.HasSuffix(h.Name, "/") {
			h.Typeflag = tar.TypeDir
		}
	case tar.TypeLink:
		target, err := x.clean(h.Linkname)
		if err != nil {
			return refuse("invalid hardlink %q -> %q", name, h.Linkname)
		}
		h.Linkname = target
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) >= maxPath || strings.IndexByte(h.Linkname, 0) >= 0 {
			return refuse("invalid symlink %q -> %.60q", name, h.Linkname)
		}
	case tar.TypeDir, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	default:
		return refuse("unhandled tar header type %d of %q", h.Typeflag, name)
	}
	const most = 1<<32 - 2 // 2^32-1 means no change to chown(2)
	if x.options.Owner == nil && (h.Uid < 0 || h.Gid < 0 || int64(h.Uid) > most || int64(h.Gid) > most) {
		return refuse("owner %d:%d of %q is not a user and group id", h.Uid, h.Gid, name)
	}
	return nil
}

// make makes h, after what is in its way has been removed, and the folders that it needs.
func (x *extractor) make(h *tar.Header, content io.Reader) error {
	err := x.to.Make(h, content)
	if errors.Is(err, fs.ErrNotExist) && h.Typeflag != tar.TypeLink {
		if err = x.parents(h.Name); err == nil {
			err = x.to.Make(h, content)
		}
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := x.to.Lstat(h.Name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	at := path.Join(x.options.Into, h.Name)
	switch folder := h.Typeflag == tar.TypeDir; {
	case err != nil: // it went away by itself
	case there.IsDir() && folder:
		return nil
	case there.IsDir():
		return refuse("cannot overwrite directory %q with non-directory %q", at, x.options.Into)
	case folder:
		return refuse("cannot overwrite non-directory %q with directory %q", at, x.options.Into)
	default:
		if err := x.to.Remove(h.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return x.to.Make(h, content)
}

// parents makes the folders above name that the archive does not mention.
func (x *extractor) parents(name string) error {
	dir := path.Dir(name)
	if dir == "." {
		return fs.ErrNotExist // the folder that is extracted to is gone
	}
	h := &tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: time.Now()}
	if o := x.options.Owner; o != nil {
		h.Uid, h.Gid = o.UID, o.GID
	}
	err := x.to.Make(h, nil)
	if errors.Is(err, fs.ErrNotExist) {
		if err = x.parents(dir); err == nil {
			err = x.to.Make(h, nil)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		x.folders = append(x.folders, h)
	}
	return err
}

// dress gives all folders their looks, the last ones first, so that one that may not be searched is in nobody's way. What the archive says
// last of a folder counts.
func (x *extractor) dress() error {
	done := map[string]bool{}
	for _, h := range slices.Backward(x.folders) {
		if done[h.Name] {
			continue
		}
		done[h.Name] = true
		if err := x.to.Dress(h); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// xattrPrefix is what tar puts before the name of an extended attribute.
const xattrPrefix = "SCHILY.xattr."

// SetXattrs puts extended attributes into a header.
func SetXattrs(h *tar.Header, attrs map[string]string) {
	for name, value := range attrs {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[xattrPrefix+name] = value
	}
}

// Xattrs are the extended attributes that a header has, in the order of their names. Overlay's own are none that an archive may set.
func Xattrs(h *tar.Header, set func(name, value string) error) error {
	if len(h.PAXRecords) == 0 {
		return nil
	}
	var names []string
	for key := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, xattrPrefix); ok && name != "" && !strings.HasPrefix(name, "trusted.overlay.") && !strings.HasPrefix(name, "user.overlay.") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if err := set(name, h.PAXRecords[xattrPrefix+name]); err != nil {
			return err
		}
	}
	return nil
}
