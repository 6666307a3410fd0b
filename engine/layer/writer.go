package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"time"
)

// Writer writes a layer archive. The same entries in the same order give the same bytes; the caller sorts. Entries
// need a path as Reader yields it. It isn't safe for concurrent use.
type Writer struct {
	tar *tar.Writer
	buf []byte
}

// NewWriter returns a Writer to w. The caller must Close it; that doesn't close w.
func NewWriter(w io.Writer) *Writer { return &Writer{tar: tar.NewWriter(w)} }

// Close writes the archive's end.
func (w *Writer) Close() error {
	if err := w.tar.Close(); err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	return nil
}

// WriteEntry writes e and, for a file, exactly e.Size bytes from content. Content that is shorter or longer is an error:
// a file that changes while it is read must not make a torn archive.
func (w *Writer) WriteEntry(e Entry, content io.Reader) error {
	h, err := headerOf(e)
	if err != nil {
		return err
	}
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write layer entry %q: %w", e.Path, err)
	}
	if e.Kind != File || e.Size == 0 {
		return nil
	}
	if content == nil {
		return fmt.Errorf("write layer entry %q: content is missing", e.Path)
	}
	if w.buf == nil {
		w.buf = make([]byte, 256<<10)
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{w.tar}, struct{ io.Reader }{content}, w.buf)
	switch {
	case errors.Is(err, tar.ErrWriteTooLong):
		return fmt.Errorf("write layer entry %q: file grew while it was read; it had %d bytes", e.Path, e.Size)
	case err != nil:
		return fmt.Errorf("write layer entry %q: %w", e.Path, err)
	case n != e.Size:
		return fmt.Errorf("write layer entry %q: file shrank while it was read, from %d to %d bytes", e.Path, e.Size, n)
	}
	return nil
}

// Whiteout writes that path is deleted from the layers below.
func (w *Writer) Whiteout(p string) error {
	return w.marker(path.Join(path.Dir(p), whiteoutPrefix+path.Base(p)))
}

// Opaque writes that the folder dir hides what the layers below have in it. The folder's own entry comes before it.
func (w *Writer) Opaque(dir string) error { return w.marker(path.Join(dir, opaqueName)) }

func (w *Writer) marker(name string) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if fitsUSTAR(h) {
		h.Format = tar.FormatUSTAR
	}
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write whiteout %q: %w", name, err)
	}
	return nil
}

func headerOf(e Entry) (*tar.Header, error) {
	h := &tar.Header{
		Name: e.Path, Mode: int64(e.Mode & 0o7777), Uid: e.UID, Gid: e.GID, Uname: e.Uname, Gname: e.Gname,
		ModTime: e.ModTime,
	}
	switch e.Kind {
	case File:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
	case Dir:
		h.Typeflag = tar.TypeDir
		h.Name += "/"
	case Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	case HardLink:
		h.Typeflag, h.Linkname = tar.TypeLink, e.Link
	case Char, Block:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(e.Major), int64(e.Minor)
		if e.Kind == Block {
			h.Typeflag = tar.TypeBlock
		}
	case Fifo:
		h.Typeflag = tar.TypeFifo
	default:
		return nil, fmt.Errorf("write layer entry %q: a %s is not written as an entry", e.Path, e.Kind)
	}
	for name, value := range e.Xattrs {
		if h.PAXRecords == nil {
			h.PAXRecords = make(map[string]string, len(e.Xattrs))
		}
		h.PAXRecords[xattrPrefix+name] = value
	}
	h.Format = tar.FormatPAX
	if fitsUSTAR(h) {
		h.Format = tar.FormatUSTAR
	}
	return h, nil
}

// fitsUSTAR reports whether the plain header can say everything, so that PAX records appear only where they are needed.
func fitsUSTAR(h *tar.Header) bool {
	if h.ModTime.IsZero() {
		h.ModTime = time.Unix(0, 0)
	}
	return len(h.PAXRecords) == 0 && h.ModTime.Nanosecond() == 0 && h.ModTime.Unix() >= 0 && h.ModTime.Unix() < 1<<33 &&
		h.Uid < 1<<21 && h.Gid < 1<<21 && h.Size < 1<<33 && len(h.Name) <= 100 && len(h.Linkname) <= 100 &&
		len(h.Uname) < 32 && len(h.Gname) < 32 && isASCII(h.Name) && isASCII(h.Linkname) && isASCII(h.Uname) && isASCII(h.Gname) &&
		h.Devmajor < 1<<21 && h.Devminor < 1<<21
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || s[i] == 0 {
			return false
		}
	}
	return true
}
