package pack

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// openSource opens a file that is to be archived.
func openSource(name string) (io.ReadCloser, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return Descriptor(fd), nil
}

// maker makes files in one folder.
type maker struct{ dir *os.File }

func newMaker(at *os.Root) (*maker, error) {
	dir, err := at.Open(".")
	if err != nil {
		return nil, err
	}
	return &maker{dir}, nil
}

// file makes a file of the name last, which has no slash and nobody has.
func (m *maker) file(last string, h *tar.Header, copy func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = &fs.PathError{Op: "make", Path: last, Err: err}
		}
	}()
	dir := int(m.dir.Fd())
	fd, err := unix.Openat(dir, last, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(h.Mode&0o777))
	if err != nil {
		return err
	}
	err = copy(Descriptor(fd))
	if err == nil {
		err = dressFile(fd, uint32(h.Mode&0o7777))
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	at := unix.Timespec{Sec: h.ModTime.Unix(), Nsec: int64(h.ModTime.Nanosecond())}
	return unix.UtimesNanoAt(dir, last, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
}

// dressFile gives an open file its mode, if it has another: a change costs the disk something, a look doesn't.
func dressFile(fd int, mode uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&0o7777 == mode {
		return nil
	}
	return unix.Fchmod(fd, mode)
}

func (m *maker) close() { _ = m.dir.Close() }
