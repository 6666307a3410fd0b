package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

const (
	maxArchiveFiles = 1 << 16 // entries of an archive of images
	maxLinks        = 16      // links followed from one name
	progressBytes   = 1 << 20 // shorter entries are there before anybody looks
)

// archive is an archive of images that was read: its index files in memory, every other file staged under no name yet.
// Names are keys and never become paths on disk.
type archive struct {
	source   string
	platform string             // of the images that are wanted; any if empty
	progress Progress           // may be nil
	index    map[string][]byte  // manifest.json, index.json, oci-layout
	files    map[string]*staged // by cleaned name
	links    map[string]string  // name to name
	last     string             // the entry read last, for messages
}

// staged is one file of an archive: its bytes are in the operation's scratch folder, hashed while they came.
type staged struct {
	name   string
	writer *blob.Writer
	digest digest.Digest
	plain  plain
}

// newArchive is an archive of which nothing was read yet. The caller closes it.
func newArchive(source string, o LoadOptions) *archive {
	a := &archive{source: source, progress: o.Progress, index: map[string][]byte{}, files: map[string]*staged{}, links: map[string]string{}}
	if o.Platform.OS != "" {
		a.platform = platformText(normalPlatform(o.Platform))
	}
	return a
}

// read reads all of r, once and in whatever order the entries are.
func (a *archive) read(ctx context.Context, blobs *blob.Store, op *home.Operation, r io.Reader) error {
	in := tar.NewReader(r)
	for count := 0; ; count++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return a.readError(err)
		}
		if count > maxArchiveFiles {
			return fmt.Errorf("more than %d entries: this is not an archive of images", maxArchiveFiles)
		}
		a.last = h.Name
		if err := a.add(blobs, op, h, in); err != nil {
			return err
		}
	}
}

// readError says where an archive breaks off.
func (a *archive) readError(err error) error {
	where := "at its beginning"
	if a.last != "" {
		where = fmt.Sprintf("after entry %q", a.last)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the archive is truncated %s: copy or download it again", where)
	}
	return fmt.Errorf("read the archive %s: %w", where, err)
}

func (a *archive) add(blobs *blob.Store, op *home.Operation, h *tar.Header, in io.Reader) error {
	name := cleanName(h.Name)
	switch h.Typeflag {
	case tar.TypeSymlink:
		a.links[name] = cleanName(path.Join(path.Dir(name), h.Linkname))
		return nil
	case tar.TypeLink:
		a.links[name] = cleanName(h.Linkname)
		return nil
	case tar.TypeReg, tar.TypeGNUSparse:
	default:
		return nil // folders need not be made; nothing else means anything here
	}
	if isSparse(h) {
		return fmt.Errorf("entry %q is sparse: archives of images are not", h.Name)
	}
	if name == "manifest.json" || name == "index.json" || name == "oci-layout" {
		return a.addIndex(name, h, in)
	}
	if a.progress != nil && h.Size > progressBytes {
		in = countTo(a.progress, BlobState{Blob: layerName(name), Stage: BlobLoading, Total: h.Size}, in)
	}
	f, err := stage(blobs, op, name, in)
	if err != nil {
		return a.entryError(h, err)
	}
	if old := a.files[name]; old != nil {
		if old.digest != f.digest {
			_ = f.writer.Close()
			return fmt.Errorf("entry %q is there twice, with different content", h.Name)
		}
		return f.writer.Close()
	}
	a.files[name] = f
	return nil
}

func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

func (a *archive) addIndex(name string, h *tar.Header, in io.Reader) error {
	if h.Size > oci.MaxJSON {
		return fmt.Errorf("entry %q has %d bytes, at most %d are read", h.Name, h.Size, oci.MaxJSON)
	}
	if a.index[name] != nil {
		return fmt.Errorf("entry %q is there twice", h.Name)
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return a.entryError(h, err)
	}
	a.index[name] = data
	return nil
}

func (a *archive) entryError(h *tar.Header, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the archive is truncated in entry %q, which has %d bytes: copy or download it again", h.Name, h.Size)
	}
	return fmt.Errorf("read entry %q: %w", h.Name, err)
}

// stage writes one entry to scratch space, and finds both its digest and that of what it is when decompressed.
func stage(blobs *blob.Store, op *home.Operation, name string, in io.Reader) (*staged, error) {
	w, err := blobs.NewWriter(op)
	if err != nil {
		return nil, err
	}
	f := &staged{name: name, writer: w}
	f.plain, err = copyMeasured(w, in)
	if err == nil {
		f.digest, err = w.Seal()
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if f.plain.digest == "" {
		f.plain.digest, f.plain.size = f.digest, w.Size()
	}
	return f, nil
}

// file finds an entry by name, through links.
func (a *archive) file(name string) (*staged, error) {
	at := cleanName(name)
	for range maxLinks {
		if f, ok := a.files[at]; ok {
			return f, nil
		}
		next, ok := a.links[at]
		if !ok {
			return nil, fmt.Errorf("the archive has no entry %q: it is incomplete or truncated", name)
		}
		at = next
	}
	return nil, fmt.Errorf("entry %q: more than %d links lead on from it", name, maxLinks)
}

// blob finds the file of an OCI layout that holds d, and checks that it does.
func (a *archive) blob(d digest.Digest) (*staged, error) {
	if err := oci.CheckDigest(d); err != nil {
		return nil, err
	}
	f, err := a.file("blobs/sha256/" + d.Encoded())
	if err != nil {
		return nil, err
	}
	if f.digest != d {
		return nil, fmt.Errorf("entry %q: %w", f.name, &blob.DigestError{Want: d, Got: f.digest})
	}
	return f, nil
}

func (a *archive) close() {
	for _, f := range a.files {
		_ = f.writer.Close()
	}
}

// cleanName makes names comparable: "./a//b" and "/a/b" are "a/b".
func cleanName(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
