package folder

import (
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// Open implements fsys.FS.
func (f *FS) Open(name string, how fsys.How) (fsys.Handle, error) {
	e, err := f.find(name)
	switch {
	case err != nil:
		return nil, err
	case e.kind == fsys.Dir:
		return nil, syscall.EISDIR
	case e.kind != fsys.File:
		return nil, syscall.ENXIO
	}
	m, err := f.get(e.id)
	if err != nil {
		return nil, err
	}
	flag := os.O_RDONLY
	if how.Write || how.Truncate {
		flag = os.O_RDWR
	}
	file, err := os.OpenFile(f.content(e.id), flag, 0)
	if err != nil {
		return nil, hostError(err)
	}
	h := &handle{fs: f, id: e.id, f: file, last: *m}
	if how.Truncate {
		if err := h.Truncate(0); err != nil {
			_ = file.Close()
			return nil, err
		}
	}
	return h, nil
}

// handle is an open file.
type handle struct {
	fs *FS
	id uint64
	f  *os.File

	mu      sync.Mutex // guards what follows
	last    meta       // as far as known, for when the file has no name any more
	written time.Time  // what the inode does not tell yet; zero: nothing
}

// ReadAt implements fsys.Handle.
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	n, err := h.f.ReadAt(p, off)
	if err == io.EOF {
		return n, err
	}
	return n, hostError(err)
}

// WriteAt implements fsys.Handle. Nobody else changes the folder while the end is looked for and written at.
func (h *handle) WriteAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		cerr := h.fs.change(func() error {
			fi, serr := h.f.Stat()
			if serr == nil {
				n, serr = h.f.WriteAt(p, fi.Size())
			}
			return hostError(serr)
		})
		err = cerr
	} else {
		n, err = h.f.WriteAt(p, off)
		err = hostError(err)
	}
	h.touch()
	return n, err
}

// Truncate implements fsys.Handle.
func (h *handle) Truncate(size int64) error {
	if size < 0 {
		return syscall.EINVAL
	}
	err := hostError(h.f.Truncate(size))
	h.touch()
	return err
}

func (h *handle) touch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.written = h.fs.now()
}

// settle has the inode tell when the file was written.
func (h *handle) settle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.written.IsZero() {
		return
	}
	_ = h.fs.change(func() error {
		m, err := h.fs.get(h.id)
		if err != nil {
			return err // without a name, nobody else will ask
		}
		m.Mtime, m.Ctime = h.written, h.written
		return h.fs.put(h.id, m)
	})
	h.last.Mtime, h.last.Ctime = h.written, h.written
	h.written = time.Time{}
}

// Attr implements fsys.Handle.
func (h *handle) Attr() (fsys.Attr, error) {
	h.settle()
	fi, err := h.f.Stat()
	if err != nil {
		return fsys.Attr{}, hostError(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if m, err := h.fs.get(h.id); err == nil {
		h.last = *m
	} else {
		h.last.Links = 0
	}
	a := h.last.attr(h.id)
	a.Size = fi.Size()
	return a, nil
}

// Close implements fsys.Handle.
func (h *handle) Close() error {
	h.settle()
	return hostError(h.f.Close())
}
