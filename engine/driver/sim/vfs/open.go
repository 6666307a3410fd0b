package vfs

import (
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

const accessMode = os.O_RDONLY | os.O_WRONLY | os.O_RDWR

// OpenFile opens name as open(2) does; the flags are those of package os. Regular files and folders are a [*File]; a device,
// terminal or pipe is a [*StreamFile], unless the Stream that the process gave is a userland.File itself.
func (v *View) OpenFile(name string, flag int, perm fs.FileMode) (userland.File, error) {
	f, err := v.open(name, flag, perm)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return f, nil
}

func (v *View) open(name string, flag int, perm fs.FileMode) (userland.File, error) {
	if err := v.enter(); err != nil {
		return nil, err
	}
	exclusive := flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0
	// Somebody else may make or remove the name between our look and our deed; then look again.
	for tries := 0; ; tries++ {
		w := walker{creates: flag&os.O_CREATE != 0}
		if err := v.walk(&w, name, !exclusive); err != nil {
			return nil, err
		}
		if !w.missing {
			if exclusive {
				return nil, syscall.EEXIST
			}
			return v.openExisting(&w, name, flag)
		}
		if flag&os.O_CREATE == 0 {
			return nil, syscall.ENOENT
		}
		f, err := v.openNew(&w, name, flag, perm)
		if exclusive || tries == maxLinks || err != syscall.EEXIST {
			return f, err
		}
	}
}

// openNew makes the file that w found missing. Its own mode does not hinder the one who makes it.
func (v *View) openNew(w *walker, name string, flag int, perm fs.FileMode) (userland.File, error) {
	if err := v.make(w, fsys.New{Kind: fsys.File, Mode: v.umask(modeBits(perm))}); err != nil {
		return nil, err
	}
	h, err := w.fs.Open(w.rel, fsys.How{Write: flag&accessMode != os.O_RDONLY})
	if err != nil {
		return nil, err
	}
	return newFile(v, w, name, flag, h), nil
}

func (v *View) openExisting(w *walker, name string, flag int) (userland.File, error) {
	access := flag & accessMode
	want := uint32(mayRead)
	switch {
	case access == os.O_WRONLY:
		want = mayWrite
	case access == os.O_RDWR:
		want = mayRead | mayWrite
	}
	if flag&os.O_TRUNC != 0 {
		want |= mayWrite
	}
	if w.fd > 0 {
		return v.openStream(w.fd-1, name)
	}
	switch w.attr.Kind {
	case fsys.Dir:
		if want&mayWrite != 0 || flag&os.O_CREATE != 0 {
			return nil, syscall.EISDIR
		}
	case fsys.File:
		if want&mayWrite != 0 {
			if err := w.writable(); err != nil {
				return nil, err
			}
		}
	case fsys.Socket:
		return nil, syscall.ENXIO
	}
	if !v.cred.may(&w.attr, want) {
		return nil, syscall.EACCES
	}
	return v.openKind(w, name, flag, want)
}

func (v *View) openKind(w *walker, name string, flag int, want uint32) (userland.File, error) {
	switch w.attr.Kind {
	case fsys.Dir:
		return newFile(v, w, name, flag, nil), nil
	case fsys.Pipe:
		s, err := v.proc.Pipe(w.m.fs, w.attr.Inode, flag&accessMode)
		return v.named(w, name, s, err)
	case fsys.CharDevice:
		if w.m.settings.Load().noDev {
			return nil, syscall.EACCES
		}
		s, err := v.device(w.attr.Rdev, want&mayWrite != 0)
		return v.named(w, name, s, err)
	case fsys.BlockDevice:
		if w.m.settings.Load().noDev {
			return nil, syscall.EACCES
		}
		if !v.cred.Privileged {
			return nil, syscall.EPERM
		}
		return nil, syscall.ENXIO
	case fsys.File:
		h, err := w.fs.Open(w.rel, fsys.How{Write: want&mayWrite != 0, Truncate: flag&os.O_TRUNC != 0})
		if err != nil {
			return nil, err
		}
		f := newFile(v, w, name, flag, h)
		if flag&os.O_TRUNC != 0 {
			f.open.stripPrivilege(v)
		}
		return f, nil
	}
	return nil, syscall.ELOOP
}

func (v *View) device(rdev uint64, write bool) (Stream, error) {
	if s, ok := StandardDevice(rdev); ok {
		return s, nil
	}
	return v.proc.Device(rdev, write)
}

// named gives an open stream the name and attributes that it was found by.
func (v *View) named(w *walker, name string, s Stream, err error) (userland.File, error) {
	if err != nil {
		return nil, err
	}
	if f, ok := s.(userland.File); ok {
		return f, nil
	}
	return &StreamFile{s, &info{path.Base(name), Stat{w.attr, w.m.dev}}}, nil
}

// openStream opens one of the process's own descriptors by its name.
func (v *View) openStream(fd int, name string) (userland.File, error) {
	s, err := v.stream(fd)
	if err != nil {
		return nil, err
	}
	if f, ok := s.(userland.File); ok {
		return f, nil
	}
	return &StreamFile{s, v.streamInfo(path.Base(name), s)}, nil
}

// StreamFile is an open device, terminal or pipe with the facts of the name that it was opened by.
type StreamFile struct {
	Stream
	info fs.FileInfo
}

// Stat gives the facts at the time of opening.
func (f *StreamFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Unwrap gives the stream itself, which may be more than a stream: a terminal.
func (f *StreamFile) Unwrap() Stream { return f.Stream }
