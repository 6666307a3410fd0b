package fetch

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/layer"
)

// Limits bound what an archive may make. A zero field means the bound given with it.
type Limits struct {
	Entries   int   // 5,000,000
	PathBytes int   // 4,096
	Bytes     int64 // of file content in all: 1 TiB
	Growth    int64 // 10 GiB: content may always grow to this, and beyond only if it is less than a thousand times what was read
}

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = 5_000_000
	}
	if l.PathBytes == 0 {
		l.PathBytes = 4096
	}
	if l.Bytes == 0 {
		l.Bytes = 1 << 40
	}
	if l.Growth == 0 {
		l.Growth = 10 << 30
	}
	return l
}

// Unpacked says what an archive came to.
type Unpacked struct {
	Entries int
	Bytes   int64    // of file content
	Skipped []string // devices and pipes, which are left out: the first ten, as "NAME (a character device)"
}

// ArchiveError reports an entry that may not be in the archive of a build context. Name is as it stands in the archive.
type ArchiveError struct {
	Name   string
	Reason string
}

func (e *ArchiveError) Error() string { return fmt.Sprintf("archive entry %q: %s", e.Name, e.Reason) }

// Unpack makes in dir, which is empty, the files of a tar archive that is plain or compressed with gzip, bzip2, xz or zstd. Modes (setuid, setgid
// and sticky too) and times are kept; owners and extended attributes are not, since what comes from a context belongs to root; the time of a
// symbolic link is that of its making. An entry that stands in the archive twice counts as it stands there last. Links are made as they are but
// nothing is written through one. Devices and pipes are left out, as docker does where it may not make them. What comes after the archive's end is
// not read. After an error dir holds what had been made until then.
func Unpack(ctx context.Context, dir string, r io.Reader, limits Limits) (Unpacked, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Unpacked{}, fmt.Errorf("unpack archive: %w", err)
	}
	defer root.Close()
	in := &source{ctx: ctx, r: r}
	plain, _, err := layer.Decompress(in)
	if err != nil {
		return Unpacked{}, fmt.Errorf("unpack archive: %w", err)
	}
	defer plain.Close()
	u := &unpacker{root: root, in: in, limits: limits.withDefaults(), tar: tar.NewReader(plain), top: &folder{}, newest: time.Unix(0, 0), buf: make([]byte, 256<<10)}
	if err = u.all(); err == nil {
		err = u.finish(".", u.top)
	}
	if err != nil {
		return u.done, fmt.Errorf("unpack archive: %w", err)
	}
	return u.done, nil
}

// source counts what is read and ends when the context does.
type source struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, context.Cause(s.ctx)
	}
	n, err := s.r.Read(p)
	s.n += int64(n)
	return n, err
}

// folder is a folder that was made. What is known here is a real folder: no link can be on the way to it.
type folder struct {
	sub   map[string]*folder
	meta  bool // an entry of its own said what mode and time it has
	mode  fs.FileMode
	mtime time.Time
}

type unpacker struct {
	root   *os.Root
	in     *source
	limits Limits
	tar    *tar.Reader
	top    *folder
	buf    []byte
	newest time.Time
	done   Unpacked
}

func (u *unpacker) all() error {
	for {
		h, err := u.tar.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		u.done.Entries++
		if u.done.Entries > u.limits.Entries {
			return &ArchiveError{h.Name, fmt.Sprintf("more than %d entries", u.limits.Entries)}
		}
		if err := u.entry(h); err != nil {
			var own *ArchiveError
			if errors.As(err, &own) || errors.Is(err, layer.ErrBomb) || u.in.ctx.Err() != nil {
				return err
			}
			return fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

// local turns a name of the archive into a clean path inside: a leading slash is dropped as docker does, and no ".." may lead out.
func (u *unpacker) local(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("it has no name")
	case len(name) > u.limits.PathBytes:
		return "", fmt.Errorf("a name is longer than %d bytes", u.limits.PathBytes)
	}
	p := path.Clean(strings.TrimLeft(name, "/"))
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", errors.New("it leads out of the build context")
	}
	if _, err := filepath.Localize(p); err != nil {
		return "", errors.New("this system can't have such a name")
	}
	return p, nil
}

func (u *unpacker) entry(h *tar.Header) error {
	p, err := u.local(h.Name)
	if err != nil {
		return &ArchiveError{h.Name, err.Error()}
	}
	isDir := h.Typeflag == tar.TypeDir || strings.HasSuffix(h.Name, "/") && (h.Typeflag == tar.TypeReg || h.Typeflag == 0)
	if p == "." && !isDir {
		return &ArchiveError{h.Name, "the context itself must be a folder"}
	}
	if what := special(h.Typeflag); what != "" {
		if len(u.done.Skipped) < 10 {
			u.done.Skipped = append(u.done.Skipped, fmt.Sprintf("%s (%s)", p, what))
		}
		return nil
	}
	if t := timeOf(h); t.After(u.newest) {
		u.newest = t
	}
	if isDir {
		f, err := u.folder(p, true)
		if err == nil {
			f.meta, f.mode, f.mtime = true, modeOf(h), timeOf(h)
		}
		return err
	}
	parent, err := u.folder(path.Dir(p), false)
	if err != nil {
		return err
	}
	if err := u.clear(parent, p); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg, 0, tar.TypeGNUSparse, tar.TypeCont: // 0: a regular file in archives older than POSIX
		return u.file(p, h)
	case tar.TypeSymlink:
		if h.Linkname == "" || strings.IndexByte(h.Linkname, 0) >= 0 {
			return &ArchiveError{h.Name, "the text of the symbolic link can't be"}
		}
		return u.root.Symlink(filepath.FromSlash(h.Linkname), filepath.FromSlash(p))
	case tar.TypeLink:
		return u.hardLink(p, h)
	}
	return &ArchiveError{h.Name, fmt.Sprintf("type %q is not known", string(h.Typeflag))}
}

func special(typ byte) string {
	switch typ {
	case tar.TypeChar:
		return "a character device"
	case tar.TypeBlock:
		return "a block device"
	case tar.TypeFifo:
		return "a pipe"
	}
	return ""
}

// modeOf is the mode with setuid, setgid and sticky as Go has them.
func modeOf(h *tar.Header) fs.FileMode {
	const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	return h.FileInfo().Mode() & bits
}

// timeOf keeps times to what file systems can hold.
func timeOf(h *tar.Header) time.Time {
	if y := h.ModTime.UTC().Year(); y < 1970 || y > 2200 {
		return time.Unix(0, 0)
	}
	return h.ModTime
}
