package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layout is an OCI image layout in a folder of somebody's: what builds write and read besides the home. Nothing in it is trusted: bytes
// are verified while they are read, sizes are bounded, and no link in it leads out of it. It must be closed.
type Layout struct {
	dir  string
	root *os.Root
}

const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
	blobFolder = "blobs/sha256"
	tmpPrefix  = ".tmp-"
	abandoned  = time.Hour // age at which a temporary file is that of a process that died
)

// OpenLayout opens the layout in dir, which must be one.
func OpenLayout(dir string) (*Layout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open image layout: %w", err)
	}
	l := &Layout{dir, root}
	data, err := l.file(layoutFile)
	var layout v1.ImageLayout
	if err == nil {
		err = json.Unmarshal(data, &layout)
	}
	if err == nil && layout.Version != v1.ImageLayoutVersion {
		err = fmt.Errorf("version is %.40q, expected %q", layout.Version, v1.ImageLayoutVersion)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open image layout %s: read %s: %w", dir, layoutFile, err), root.Close())
	}
	return l, nil
}

// MakeLayout opens the layout in dir, and makes it one if it is empty or not there. A folder that holds something else is refused.
func MakeLayout(dir string) (*Layout, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make image layout: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("make image layout: %w", err)
	}
	had := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	if had(layoutFile) {
		l, err := OpenLayout(dir)
		if err == nil {
			l.sweep()
		}
		return l, err
	}
	if len(entries) > 0 && !had("blobs") { // a killed process may have left the blobs alone
		return nil, fmt.Errorf("make image layout: %s is not empty and has no %s: give an empty or new folder", dir, layoutFile)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("make image layout: %w", err)
	}
	l := &Layout{dir, root}
	if err := root.MkdirAll(blobFolder, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("make image layout: %w", err), root.Close())
	}
	data, _ := json.Marshal(v1.ImageLayout{Version: v1.ImageLayoutVersion})
	if err := l.replace(layoutFile, data); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return l, nil
}

// sweep removes what killed processes left of blobs. What it can't remove stays: it means nothing.
func (l *Layout) sweep() {
	entries, err := fs.ReadDir(l.root.FS(), blobFolder)
	if err != nil {
		return
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), tmpPrefix) && time.Since(fi.ModTime()) > abandoned {
			_ = l.root.Remove(path.Join(blobFolder, e.Name()))
		}
	}
}

// Close closes the layout.
func (l *Layout) Close() error { return l.root.Close() }

// file reads one of the small files.
func (l *Layout) file(name string) ([]byte, error) {
	f, err := l.regular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, oci.MaxJSON+1))
	if err == nil && len(data) > oci.MaxJSON {
		err = fmt.Errorf("more than %d bytes", oci.MaxJSON)
	}
	return data, err
}

// regular opens a regular file, and nothing that would be waited for.
func (l *Layout) regular(name string) (*os.File, error) {
	fi, err := l.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return l.root.Open(name)
}

// Index reads the list of what is in the layout; it is empty where there is no list yet.
func (l *Layout) Index() (v1.Index, error) {
	data, err := l.file(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return v1.Index{}, nil
	}
	if err != nil {
		return v1.Index{}, fmt.Errorf("read %s of %s: %w", indexFile, l.dir, err)
	}
	x, err := oci.ParseIndex(data)
	if err != nil {
		return v1.Index{}, fmt.Errorf("read %s of %s: %w", indexFile, l.dir, err)
	}
	return x, nil
}

// Open opens a blob, which is verified while it is read. The caller closes it.
func (l *Layout) Open(d v1.Descriptor) (io.ReadCloser, error) {
	if err := oci.CheckDescriptor(d); err != nil {
		return nil, err
	}
	f, err := l.regular(path.Join(blobFolder, d.Digest.Encoded()))
	if err != nil {
		return nil, fmt.Errorf("open blob %s of %s: %w", d.Digest, l.dir, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{registry.Verify(f, d), f}, nil
}

// ReadAll reads a blob of at most limit bytes into memory, verified.
func (l *Layout) ReadAll(d v1.Descriptor, limit int64) ([]byte, error) {
	if d.Size > limit {
		return nil, fmt.Errorf("read blob %s of %s: %d bytes, at most %d are read", d.Digest, l.dir, d.Size, limit)
	}
	r, err := l.Open(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read blob %s of %s: %w", d.Digest, l.dir, err)
	}
	return data, nil
}

// Put sees to it that the layout has the blob c; existed tells that it had. A blob gets its name when it is whole and was verified.
func (l *Layout) Put(ctx context.Context, c Content) (existed bool, err error) {
	if err := oci.CheckDescriptor(c.Descriptor); err != nil {
		return false, err
	}
	name := path.Join(blobFolder, c.Digest.Encoded())
	if fi, err := l.root.Lstat(name); err == nil && fi.Mode().IsRegular() && fi.Size() == c.Size {
		return true, nil
	}
	err = l.write(name, func(w io.Writer) error { return c.copyTo(ctx, w) })
	return false, err
}

// Enter puts descriptors into the list of what is in the layout. One with a name replaces that which had it, one without a name that of
// the same digest.
func (l *Layout) Enter(list ...v1.Descriptor) error {
	x, err := l.Index()
	if err != nil {
		return err
	}
	for _, d := range list {
		name := d.Annotations[oci.AnnotationRefName]
		x.Manifests = slices.DeleteFunc(x.Manifests, func(have v1.Descriptor) bool {
			return have.Annotations[oci.AnnotationRefName] == name && (name != "" || have.Digest == d.Digest)
		})
		x.Manifests = append(x.Manifests, d)
	}
	x.SchemaVersion, x.MediaType = 2, oci.MediaTypeIndex
	data, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("encode %s: %w", indexFile, err)
	}
	return l.replace(indexFile, data)
}

func (l *Layout) replace(name string, data []byte) error {
	return l.write(name, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// write makes the file name in one go: temporary file, sync, rename.
func (l *Layout) write(name string, fill func(io.Writer) error) (err error) {
	tmp := path.Join(path.Dir(name), tmpPrefix+strconv.FormatUint(rand.Uint64(), 36))
	f, err := l.root.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write %s in %s: %w", name, l.dir, err)
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.root.Rename(tmp, name)
	}
	if err != nil {
		_ = l.root.Remove(tmp)
		return fmt.Errorf("write %s in %s: %w", name, l.dir, err)
	}
	return nil
}
