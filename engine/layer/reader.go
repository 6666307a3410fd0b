package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

const (
	whiteoutPrefix = ".wh."
	opaqueName     = ".wh..wh..opq"
	xattrPrefix    = "SCHILY.xattr."
	maxName        = 255
)

// Reader reads the entries of one layer archive, in the archive's order. It isn't safe for concurrent use.
type Reader struct {
	tar     *tar.Reader
	src     *counter
	limits  Limits
	entries int
	devices int
	bytes   int64 // declared
	out     int64 // read
}

// NewReader returns a Reader of the uncompressed archive r that refuses what exceeds limits. If r is an io.Seeker, contents
// that nobody reads are passed over by seeking.
func NewReader(r io.Reader, limits Limits) *Reader {
	src := &counter{r: r}
	in := &Reader{tar: tar.NewReader(src), src: src, limits: limits.withDefaults()}
	if s, ok := r.(io.Seeker); ok {
		in.tar = tar.NewReader(&seeking{src, s})
	}
	return in
}

// Next goes to the next entry. At the end of the archive it reads what follows (padding) to the end of the stream, so
// that a digest taken of the stream is the whole archive's, and returns io.EOF. A refused entry is an *EntryError.
func (r *Reader) Next() (*Entry, error) {
	for {
		h, err := r.tar.Next()
		if err == io.EOF {
			if _, err := io.Copy(io.Discard, r.src); err != nil {
				return nil, fmt.Errorf("read layer: %w", err)
			}
			return nil, io.EOF
		}
		if err != nil {
			return nil, fmt.Errorf("read layer: %w", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		e, err := entryOf(h, r.limits)
		if err != nil {
			return nil, err
		}
		if err := r.count(h.Name, e); err != nil {
			return nil, err
		}
		return e, nil
	}
}

// Read reads the content of the file that Next returned last; holes of sparse files read as zeros. An archive that is
// nearly all holes ends in ErrBomb.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.tar.Read(p)
	r.out += int64(n)
	if r.out > bombBytes && r.out/bombFactor > r.src.n {
		return 0, fmt.Errorf("read layer: %d bytes came out of %d: %w", r.out, r.src.n, ErrBomb)
	}
	return n, err
}

func (r *Reader) count(name string, e *Entry) error {
	r.entries++
	r.bytes += e.Size
	if e.Kind == Char || e.Kind == Block || e.Kind == Fifo {
		r.devices++
	}
	switch {
	case r.entries > r.limits.Entries:
		return &EntryError{name, fmt.Sprintf("more than %d entries in one layer", r.limits.Entries)}
	case r.devices > r.limits.Devices:
		return &EntryError{name, fmt.Sprintf("more than %d devices and pipes in one layer", r.limits.Devices)}
	case r.bytes > r.limits.Bytes || r.bytes < 0:
		return &EntryError{name, fmt.Sprintf("more than %d bytes of content in one layer", r.limits.Bytes)}
	}
	return nil
}

func entryOf(h *tar.Header, limits Limits) (*Entry, error) {
	refuse := func(reason string) (*Entry, error) { return nil, &EntryError{h.Name, reason} }
	p, err := cleanPath(h.Name, limits)
	if err != nil {
		return refuse(err.Error())
	}
	e := &Entry{
		Path: p, Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid, Uname: h.Uname, Gname: h.Gname, ModTime: h.ModTime,
	}
	if err := setKind(e, h, limits); err != nil {
		return refuse(err.Error())
	}
	if h.Uid < 0 || h.Gid < 0 || int64(h.Uid) >= 1<<32-1 || int64(h.Gid) >= 1<<32-1 {
		return refuse(fmt.Sprintf("owner %d:%d is not a user and group id", h.Uid, h.Gid))
	}
	if e.Path == "." && e.Kind != Dir {
		return refuse("the root of a layer must be a folder, not a " + e.Kind.String())
	}
	if err := asWhiteout(e); err != nil {
		return refuse(err.Error())
	}
	if err := setXattrs(e, h.PAXRecords, limits); err != nil {
		return refuse(err.Error())
	}
	return e, nil
}

// cleanPath roots a name: a leading slash is dropped as docker does, and no ".." may lead out.
func cleanPath(name string, limits Limits) (string, error) {
	switch {
	case name == "":
		return "", errors.New("has no name")
	case strings.IndexByte(name, 0) >= 0:
		return "", errors.New("name has a zero byte")
	case len(name) > limits.PathBytes:
		return "", fmt.Errorf("name is longer than %d bytes", limits.PathBytes)
	}
	p := path.Clean(strings.TrimLeft(name, "/"))
	if p == ".." || strings.HasPrefix(p, "../") {
		return "", errors.New("name leads out of the layer")
	}
	for rest := p; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if len(part) > maxName {
			return "", fmt.Errorf("a part of the name is longer than %d bytes", maxName)
		}
	}
	return p, nil
}

func setKind(e *Entry, h *tar.Header, limits Limits) error {
	switch h.Typeflag {
	case tar.TypeReg, 0, tar.TypeGNUSparse, tar.TypeCont: // 0: regular file in archives older than POSIX
		e.Kind, e.Size = File, h.Size
		if strings.HasSuffix(h.Name, "/") {
			e.Kind, e.Size = Dir, 0
		}
	case tar.TypeDir:
		e.Kind = Dir
	case tar.TypeSymlink:
		e.Kind, e.Link = Symlink, h.Linkname
		return checkSymlink(h.Linkname)
	case tar.TypeLink:
		target, err := cleanPath(h.Linkname, limits)
		if err != nil {
			return fmt.Errorf("hard link target %q: %w", h.Linkname, err)
		}
		e.Kind, e.Link = HardLink, target
		if target == "." || target == e.Path {
			return fmt.Errorf("hard link to %q can't be", h.Linkname)
		}
		return checkNames(target)
	case tar.TypeChar, tar.TypeBlock:
		e.Kind = Char
		if h.Typeflag == tar.TypeBlock {
			e.Kind = Block
		}
		return setDevice(e, h)
	case tar.TypeFifo:
		e.Kind = Fifo
	default:
		return fmt.Errorf("type %q is not known", string(h.Typeflag))
	}
	return nil
}

func checkSymlink(text string) error {
	if text == "" || len(text) > 4095 || strings.IndexByte(text, 0) >= 0 {
		return errors.New("text of the symbolic link is empty, too long or has a zero byte")
	}
	return nil
}

func setDevice(e *Entry, h *tar.Header) error {
	if h.Devmajor < 0 || h.Devmajor > 0xfff || h.Devminor < 0 || h.Devminor > 0xfffff {
		return fmt.Errorf("device number %d:%d is out of range", h.Devmajor, h.Devminor)
	}
	e.Major, e.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	if e.Kind == Char && e.Major == 0 && e.Minor == 0 {
		return errors.New("device 0:0 is an overlay whiteout and may not be in an archive")
	}
	return nil
}

// checkNames refuses paths that go through or end in a name that is reserved for whiteouts.
func checkNames(p string) error {
	for rest := p; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if strings.HasPrefix(part, whiteoutPrefix) {
			return fmt.Errorf("names that begin with %s are whiteouts", whiteoutPrefix)
		}
	}
	return nil
}

// asWhiteout turns an entry named as a whiteout into what it means (image-spec, layer.md, "Whiteouts").
func asWhiteout(e *Entry) error {
	dir, name := path.Split(e.Path)
	if err := checkNames(strings.TrimSuffix(dir, "/")); err != nil {
		return err
	}
	if !strings.HasPrefix(name, whiteoutPrefix) {
		return nil
	}
	if e.Kind != File && e.Kind != HardLink {
		return fmt.Errorf("a whiteout must be an empty file, not a %s", e.Kind)
	}
	dir = path.Clean(dir + ".")
	if name == opaqueName {
		*e = Entry{Path: dir, Kind: Opaque, Size: e.Size}
		return nil
	}
	hidden := strings.TrimPrefix(name, whiteoutPrefix)
	// ".wh..wh.plnk" and the like are bookkeeping of aufs; no such name can be deleted.
	if hidden == "" || hidden == "." || hidden == ".." || strings.HasPrefix(hidden, whiteoutPrefix) {
		return errors.New("whiteout of a name that can't be")
	}
	*e = Entry{Path: path.Join(dir, hidden), Kind: Whiteout, Size: e.Size}
	return nil
}

func setXattrs(e *Entry, records map[string]string, limits Limits) error {
	total := 0
	for key, value := range records {
		name, ok := strings.CutPrefix(key, xattrPrefix)
		if !ok || e.Kind == Whiteout || e.Kind == Opaque {
			continue
		}
		if total += len(name) + len(value); total > limits.Xattrs {
			return fmt.Errorf("more than %d bytes of extended attributes", limits.Xattrs)
		}
		if name == "" || len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
			return fmt.Errorf("extended attribute %q has a name that can't be", name)
		}
		if e.Xattrs == nil {
			e.Xattrs = make(map[string]string)
		}
		e.Xattrs[name] = value
	}
	return nil
}
