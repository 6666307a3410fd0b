package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
)

// File is one process's reference to an open regular file or folder. References share the offset.
type File struct {
	view   *View
	open   *openFile
	mu     sync.Mutex
	closed bool
}

// openFile is the open file description of open(2).
type openFile struct {
	handle      fsys.Handle // nil for a folder
	fs          fsys.FS
	m           *mount
	rel, name   string // in m, and as the caller said it
	read, write bool
	append      bool
	folder      fsys.Attr // of a folder, at the time of opening

	mu       sync.Mutex
	refs     int
	off      int64
	stripped bool // what a write takes from the mode has been taken
}

func newFile(v *View, w *walker, name string, flag int, h fsys.Handle) *File {
	access := flag & accessMode
	return &File{view: v, open: &openFile{handle: h, fs: w.fs, m: w.m, rel: w.rel, name: name, read: access != os.O_WRONLY,
		write: access != os.O_RDONLY, append: flag&os.O_APPEND != 0, folder: w.attr, refs: 1}}
}

// Inherit gives the process of v a reference of its own to the same open file, as fork(2) does. Whoever gets it closes it.
// os.ErrClosed if f is closed.
func (f *File) Inherit(v *View) (*File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, os.ErrClosed
	}
	f.open.mu.Lock()
	f.open.refs++
	f.open.mu.Unlock()
	return &File{view: v, open: f.open}, nil
}

// Name is the canonical path that the file was found at, as /proc shows it.
func (f *File) Name() string { return f.open.m.path(f.open.rel) }

// begin begins a system call on the open file.
func (f *File) begin(op string) (*openFile, error) {
	if err := f.view.enter(); err != nil {
		return nil, pathError(op, f.open.name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, pathError(op, f.open.name, os.ErrClosed)
	}
	return f.open, nil
}

func (o *openFile) readable() error {
	switch {
	case o.handle == nil:
		return syscall.EISDIR
	case !o.read:
		return syscall.EBADF
	}
	return nil
}

func (o *openFile) writable() error {
	if o.handle == nil || !o.write {
		return syscall.EBADF
	}
	return nil
}

// finish makes of a result what package os would; the end of a file stays io.EOF.
func (o *openFile) finish(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return pathError(op, o.name, err)
}

// Read reads from the file's offset on and moves it.
func (f *File) Read(p []byte) (int, error) {
	o, err := f.begin("read")
	if err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.readable(); err != nil {
		return 0, o.finish("read", err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := o.handle.ReadAt(p, o.off)
	o.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, o.finish("read", err)
}

// ReadAt is pread(2): it leaves the offset alone.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	o, err := f.begin("read")
	if err != nil {
		return 0, err
	}
	if err := o.readable(); err != nil {
		return 0, o.finish("read", err)
	}
	if off < 0 {
		return 0, o.finish("read", syscall.EINVAL)
	}
	n, err := o.handle.ReadAt(p, off)
	return n, o.finish("read", err)
}

// Write writes at the file's offset, or at its end if it was opened for appending, and moves the offset.
func (f *File) Write(p []byte) (int, error) {
	o, err := f.begin("write")
	if err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.writable(); err != nil {
		return 0, o.finish("write", err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	o.strip(f.view)
	at := o.off
	if o.append {
		at = -1
	}
	n, err := o.handle.WriteAt(p, at)
	o.off += int64(n)
	if o.append && o.read {
		if a, err := o.handle.Attr(); err == nil {
			o.off = a.Size
		}
	}
	return n, o.finish("write", err)
}

// WriteAt is pwrite(2): it leaves the offset alone. EINVAL for a file that was opened to append.
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	o, err := f.begin("write")
	if err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.writable(); err != nil {
		return 0, o.finish("write", err)
	}
	if off < 0 || o.append {
		return 0, o.finish("write", syscall.EINVAL)
	}
	o.strip(f.view)
	n, err := o.handle.WriteAt(p, off)
	return n, o.finish("write", err)
}

// Seek sets the offset that all references share.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	o, err := f.begin("seek")
	if err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	base := int64(0)
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		base = o.off
	case io.SeekEnd:
		a, err := o.attr()
		if err != nil {
			return 0, o.finish("seek", err)
		}
		base = a.Size
	default:
		return 0, o.finish("seek", syscall.EINVAL)
	}
	if base+offset < 0 {
		return 0, o.finish("seek", syscall.EINVAL)
	}
	o.off = base + offset
	return o.off, nil
}

// Truncate sets the file's size.
func (f *File) Truncate(size int64) error {
	o, err := f.begin("truncate")
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writable() != nil || size < 0 {
		return o.finish("truncate", syscall.EINVAL)
	}
	o.strip(f.view)
	return o.finish("truncate", o.handle.Truncate(size))
}

func (o *openFile) attr() (fsys.Attr, error) {
	if o.handle == nil {
		return o.folder, nil
	}
	return o.handle.Attr()
}

// Stat describes the open file, whatever has its name now.
func (f *File) Stat() (fs.FileInfo, error) {
	o, err := f.begin("stat")
	if err != nil {
		return nil, err
	}
	a, err := o.attr()
	if err != nil {
		return nil, o.finish("stat", err)
	}
	return &info{path.Base(o.name), Stat{a, o.m.dev}}, nil
}

// Close gives the reference back; the file is closed with the last one. It works for a dead process, too.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return pathError("close", f.open.name, os.ErrClosed)
	}
	f.closed = true
	o := f.open
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refs--; o.refs > 0 || o.handle == nil {
		return nil
	}
	return o.finish("close", o.handle.Close())
}

// stripPrivilege is strip for a file that is being opened.
func (o *openFile) stripPrivilege(v *View) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.strip(v)
}

// strip takes from a file that is about to change what its old content was trusted with: capabilities, and the setuid and setgid
// bits unless user 0 writes. A file that lost its name meanwhile has nobody left to trust it.
func (o *openFile) strip(v *View) {
	if o.stripped {
		return
	}
	o.stripped = true
	a, err := o.handle.Attr()
	if err != nil {
		return
	}
	if named, err := o.fs.Lstat(o.rel); err != nil || named.Inode != a.Inode {
		return
	}
	dropCapability(o.fs, o.rel, fsys.File)
	mode := withoutPrivilege(a.Mode)
	if s, ok := o.fs.(fsys.Setter); ok && !v.cred.Can(CapFsetid) && mode != a.Mode {
		_ = s.Set(o.rel, fsys.Change{Mode: &mode}) // the write itself will tell if nothing can be changed
	}
}
