package tree

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// handle is an open file of a Union. One that was opened for reading of a lower layer reads the copy once there is one.
type handle struct {
	u     *Union
	write bool

	mu     sync.Mutex // serialises writes through this handle with its close
	low    *node      // the lower file, until it is copied up
	ino    *inode     // of the writable layer, if low is nil
	name   *node      // under which it was opened for writing
	f      *os.File
	closed bool
}

// Open implements fsys.FS. Opening a lower file for writing copies it up.
func (u *Union) Open(name string, how fsys.How) (fsys.Handle, error) {
	var h *handle
	if !how.Write && !how.Truncate {
		u.mu.Lock()
		defer u.mu.Unlock()
		at, err := u.openable(name)
		if err != nil {
			return nil, err
		}
		return u.openAt(at)
	}
	err := u.change(func() (err error) {
		at, err := u.openable(name)
		if err != nil {
			return err
		}
		if at.up == nil {
			if err = u.copyUp(at, how.Truncate); err != nil {
				return err
			}
		}
		if h, err = u.openAt(at); err != nil {
			return err
		}
		if h.ino.first == nil {
			h.ino.first = at.up
		}
		h.write, h.name = true, h.ino.first
		if how.Truncate {
			return h.resize(0)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (u *Union) openable(name string) (*place, error) {
	at, _, err := u.find(name)
	switch {
	case err != nil:
		return nil, err
	case at.isDir():
		return nil, syscall.EISDIR
	case at.inode().kind != fsys.File:
		return nil, syscall.EINVAL
	}
	return at, nil
}

func (u *Union) openAt(at *place) (*handle, error) {
	h := &handle{u: u}
	var err error
	if at.up == nil {
		h.low = at.low
		h.f, err = openLower(at.low)
	} else {
		h.ino = at.up.ino
		h.f, err = u.openUpper(h.ino)
		h.ino.open++
	}
	if err != nil {
		if h.ino != nil {
			h.ino.open--
		}
		return nil, hostError(err)
	}
	return h, nil
}

func (u *Union) openUpper(i *inode) (*os.File, error) {
	if u.journal == nil {
		return openContent(u.filesDir(), i)
	}
	if f := u.fresh.take(i); f != nil {
		return f, nil
	}
	return u.files.open(i.stored, os.O_RDWR)
}

// freshFile is the content of the file that was made last, open: who makes a file opens it next. The zero value is none.
type freshFile struct {
	ino *inode
	f   *os.File
}

func (c *freshFile) keep(i *inode, f *os.File) {
	c.drop()
	c.ino, c.f = i, f
}

// take gives the content of i away; nil if it is not that of i.
func (c *freshFile) take(i *inode) *os.File {
	if c.ino != i {
		return nil
	}
	f := c.f
	c.ino, c.f = nil, nil
	return f
}

func (c *freshFile) drop() {
	if c.f != nil {
		_ = c.f.Close()
	}
	c.ino, c.f = nil, nil
}

// follow turns to the copy of a lower file if there is one by now. Whoever calls it holds h.mu.
func (h *handle) follow() error {
	if h.closed {
		return syscall.EBADF
	}
	if h.low == nil {
		return nil
	}
	h.u.mu.RLock()
	i := h.u.copies[h.low]
	h.u.mu.RUnlock()
	if i == nil {
		return nil
	}
	h.u.mu.Lock()
	defer h.u.mu.Unlock()
	f, err := h.u.openUpper(i)
	if err != nil {
		return hostError(err)
	}
	_ = h.f.Close()
	i.open++
	h.f, h.ino, h.low = f, i, nil
	return nil
}

// ReadAt implements fsys.Handle.
func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.mu.Lock()
	err := h.follow()
	f := h.f
	h.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := f.ReadAt(p, off)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, os.ErrClosed):
		return n, syscall.EBADF
	}
	return n, hostError(err)
}

// WriteAt implements fsys.Handle.
func (h *handle) WriteAt(p []byte, off int64) (n int, err error) {
	err = h.writing(func() error {
		if off < 0 {
			off = h.ino.size
		}
		end := off + int64(len(p))
		if end > h.ino.size && h.u.used+end-h.ino.size > diskBytes-h.u.below.bytes {
			return syscall.ENOSPC
		}
		var werr error
		n, werr = h.f.WriteAt(p, off)
		if n > 0 {
			h.grown(max(h.ino.size, off+int64(n)))
		}
		return hostError(werr)
	})
	return n, err
}

// Truncate implements fsys.Handle.
func (h *handle) Truncate(size int64) error {
	if size < 0 {
		return syscall.EINVAL
	}
	return h.writing(func() error { return h.resize(size) })
}

func (h *handle) writing(f func() error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed || !h.write:
		return syscall.EBADF
	}
	h.u.mu.Lock()
	defer h.u.mu.Unlock()
	if err := h.u.writable(); err != nil {
		return err
	}
	return f()
}

func (h *handle) resize(size int64) error {
	if size > h.ino.size && h.u.used+size-h.ino.size > diskBytes-h.u.below.bytes {
		return syscall.ENOSPC
	}
	if h.ino.size != size {
		if err := h.f.Truncate(size); err != nil {
			return hostError(err)
		}
	}
	h.grown(size)
	return nil
}

// grown notes that the content was changed and has size bytes now.
func (h *handle) grown(size int64) {
	i := h.ino
	h.u.used += size - i.size
	i.size, i.summed = size, false
	i.writes++
	i.mtime = h.u.now()
	i.ctime = i.mtime
	delete(i.xattrs, "security.capability") // as the kernel does, even for root
	h.u.stale(i, h.name)
}

// Attr implements fsys.Handle.
func (h *handle) Attr() (fsys.Attr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.follow(); err != nil {
		return fsys.Attr{}, err
	}
	h.u.mu.RLock()
	defer h.u.mu.RUnlock()
	if h.low != nil {
		a := attrOf(h.low.ino)
		a.Inode += h.low.layer.base
		return a, nil
	}
	return h.u.upperAttr(h.ino), nil
}

// Close implements fsys.Handle. The content of a file that has no name any more goes with its last handle.
func (h *handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return syscall.EBADF
	}
	h.closed = true
	err := h.f.Close()
	if h.ino == nil {
		return hostError(err)
	}
	h.u.mu.Lock()
	h.ino.open--
	h.u.dropContent(h.ino)
	if p, ok := h.name.pathIn(h.u); h.write && ok && !h.u.closed {
		h.u.watch.flushDue()
		h.u.watch.closed(p)
	}
	h.u.mu.Unlock()
	h.u.emit()
	return hostError(err)
}

// pathIn is where the name n is in u now; ok is false for none.
func (n *node) pathIn(u *Union) (p string, ok bool) {
	if n == nil {
		return "", false
	}
	return n.path(u.root)
}
