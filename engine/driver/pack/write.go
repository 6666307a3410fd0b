package pack

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"time"
)

// Counts say how much was moved.
type Counts struct {
	Files int   `json:"files"` // entries: files, folders, links
	Bytes int64 `json:"bytes"` // of file content
}

// Inode tells files with several names apart. The zero value is no file's.
type Inode struct{ Dev, Ino uint64 }

// Writer writes an archive. Names are the caller's to choose; every file of several names is written once and linked to afterwards.
type Writer struct {
	Counts
	out   *bufio.Writer
	tar   *tar.Writer
	links map[Inode]string
	buf   []byte
}

// chunk is how much of a file is moved at a time.
const chunk = 256 << 10

// NewWriter returns a Writer to w. The caller closes it, which doesn't close w.
func NewWriter(w io.Writer) *Writer {
	out := bufio.NewWriterSize(w, chunk)
	return &Writer{out: out, tar: tar.NewWriter(out), links: map[Inode]string{}}
}

// Linked turns h into a link to the name under which the file id was written before. false: it is the first name.
func (w *Writer) Linked(h *tar.Header, id Inode) bool {
	first, ok := w.links[id]
	if !ok {
		w.links[id] = h.Name
		return false
	}
	h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
	return true
}

// Add writes h and, for a file, h.Size bytes of content. What is longer by now is cut; what is shorter is an error, because the archive
// has promised more.
func (w *Writer) Add(h *tar.Header, content io.Reader) error {
	h.ModTime = h.ModTime.Truncate(time.Second)
	h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
	h.Format = tar.FormatPAX
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("archive %q: %w", h.Name, err)
	}
	w.Files++
	if h.Typeflag != tar.TypeReg || h.Size == 0 {
		return nil
	}
	if w.buf == nil {
		w.buf = make([]byte, chunk)
	}
	n, err := w.copy(content, h.Size)
	w.Bytes += n
	if err == nil && n < h.Size {
		err = fmt.Errorf("it shrank from %d to %d bytes while it was read", h.Size, n)
	}
	if err != nil {
		return fmt.Errorf("archive %q: %w", h.Name, err)
	}
	return nil
}

// copy writes size bytes of content, and looks for no end.
func (w *Writer) copy(content io.Reader, size int64) (done int64, err error) {
	for done < size && err == nil {
		var n int
		n, err = content.Read(w.buf[:min(int64(len(w.buf)), size-done)])
		if n > 0 {
			if _, werr := w.tar.Write(w.buf[:n]); werr != nil {
				return done, werr
			}
			done += int64(n)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return done, err
}

// Close writes the archive's end and everything that is still held back.
func (w *Writer) Close() error {
	if err := w.tar.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return w.out.Flush()
}
