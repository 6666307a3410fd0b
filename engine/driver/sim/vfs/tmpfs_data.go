package vfs

import (
	"io"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

const pageSize = 4096

// pages is the content of a file: what was never written takes no memory.
type pages struct {
	size int64
	at   map[int64]*[pageSize]byte
}

func (d *pages) bytes() int64 { return int64(len(d.at)) * pageSize }

// missing counts the pages that a write of n bytes at off would have to make.
func (d *pages) missing(off, n int64) int64 {
	if n == 0 {
		return 0
	}
	count := int64(0)
	for p := off / pageSize; p <= (off+n-1)/pageSize; p++ {
		if d.at[p] == nil {
			count++
		}
	}
	return count
}

func (d *pages) read(p []byte, off int64) int {
	p = p[:max(0, min(int64(len(p)), d.size-off))]
	for n := 0; n < len(p); {
		at := off + int64(n)
		part := p[n:min(len(p), n+int(pageSize-at%pageSize))]
		if page := d.at[at/pageSize]; page != nil {
			copy(part, page[at%pageSize:])
		} else {
			clear(part)
		}
		n += len(part)
	}
	return len(p)
}

// write writes as much as may be had with at most room new pages.
func (d *pages) write(p []byte, off, room int64) int {
	if d.at == nil {
		d.at = map[int64]*[pageSize]byte{}
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		page := d.at[at/pageSize]
		if page == nil {
			if room == 0 {
				break
			}
			room--
			page = new([pageSize]byte)
			d.at[at/pageSize] = page
		}
		n += copy(page[at%pageSize:], p[n:])
	}
	if n > 0 {
		d.size = max(d.size, off+int64(n))
	}
	return n
}

// truncate sets the size; what is cut off reads as zero if the file grows again.
func (d *pages) truncate(size int64) {
	if size < d.size {
		if page := d.at[size/pageSize]; page != nil {
			clear(page[size%pageSize:])
		}
		first := (size + pageSize - 1) / pageSize
		for p := range d.at {
			if p >= first {
				delete(d.at, p)
			}
		}
	}
	d.size = size
}

// tmpfsHandle is an open file of a Tmpfs.
type tmpfsHandle struct {
	t *Tmpfs
	i *inode
}

// Open opens a regular file.
func (t *Tmpfs) Open(name string, how fsys.How) (fsys.Handle, error) {
	t.mu.Lock()
	i, err := t.find(name)
	switch {
	case err != nil:
	case i.Kind == fsys.Dir:
		err = syscall.EISDIR
	case i.Kind != fsys.File:
		err = syscall.ENXIO
	}
	if err != nil {
		t.mu.Unlock()
		return nil, err
	}
	i.open++
	t.mu.Unlock()
	h := &tmpfsHandle{t, i}
	if how.Truncate {
		return h, h.Truncate(0)
	}
	return h, nil
}

func (h *tmpfsHandle) ReadAt(p []byte, off int64) (int, error) {
	h.t.mu.RLock()
	defer h.t.mu.RUnlock()
	n := h.i.data.read(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *tmpfsHandle) WriteAt(p []byte, off int64) (int, error) {
	if off > maxFile-int64(len(p)) {
		return 0, syscall.EFBIG
	}
	done := 0
	for done < len(p) {
		n, err := h.writeSome(p[done:], off)
		if done += n; err != nil {
			return done, err
		}
		if off >= 0 {
			off += int64(n)
		}
	}
	return done, nil
}

// writeSome asks for the memory first, without the lock: whoever counts it may have to take memory from somebody. It writes less
// if the file changes meanwhile.
func (h *tmpfsHandle) writeSome(p []byte, off int64) (int, error) {
	t := h.t
	t.mu.RLock()
	need := h.i.data.missing(h.at(off), int64(len(p)))
	full := false
	if room := max(0, t.limit-t.used) / pageSize; t.limit > 0 && room < need {
		need, full = room, true
	}
	t.mu.RUnlock()
	if need > 0 {
		if err := t.account(need * pageSize); err != nil {
			return 0, err
		}
	}
	n, took := h.write(p, off, need)
	t.giveBack((need - took) * pageSize)
	if full && n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

// at is where a write goes; -1 is the end.
func (h *tmpfsHandle) at(off int64) int64 {
	if off < 0 {
		return h.i.data.size
	}
	return off
}

// write writes with at most room new pages and tells how many it took.
func (h *tmpfsHandle) write(p []byte, off, room int64) (n int, took int64) {
	t := h.t
	t.mu.Lock()
	defer t.mu.Unlock()
	before := h.i.data.bytes()
	n = h.i.data.write(p, h.at(off), room)
	grown := h.i.data.bytes() - before
	t.used += grown
	t.touch(h.i)
	return n, grown / pageSize
}

// maxFile is the largest size of a file.
const maxFile = 1<<63 - pageSize

func (h *tmpfsHandle) Truncate(size int64) error {
	if size < 0 || size > maxFile {
		return syscall.EFBIG
	}
	return h.t.freeing(func() (int64, error) {
		before := h.i.data.bytes()
		h.i.data.truncate(size)
		freed := before - h.i.data.bytes()
		h.t.used -= freed
		h.t.touch(h.i)
		return freed, nil
	})
}

func (h *tmpfsHandle) Attr() (fsys.Attr, error) {
	h.t.mu.RLock()
	defer h.t.mu.RUnlock()
	return h.i.attr(), nil
}

func (h *tmpfsHandle) Close() error {
	return h.t.freeing(func() (int64, error) {
		h.i.open--
		return h.t.drop(h.i), nil
	})
}
