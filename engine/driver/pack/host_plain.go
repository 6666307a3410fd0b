//go:build !linux

package pack

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
)

// openSource opens a file that is to be archived.
func openSource(name string) (io.ReadCloser, error) { return os.Open(name) }

// maker makes files in one folder, which it doesn't close.
type maker struct{ at *os.Root }

func newMaker(at *os.Root) (*maker, error) { return &maker{at}, nil }

// file makes a file of the name last, which has no slash and nobody has.
func (m *maker) file(last string, h *tar.Header, copy func(io.Writer) error) error {
	mode := h.FileInfo().Mode()
	f, err := m.at.OpenFile(last, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm()&^0o077|0o200)
	if err != nil {
		return err
	}
	err = copy(struct{ io.Writer }{f})
	if err == nil {
		err = f.Chmod(mode &^ fs.ModeType)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return m.at.Chtimes(last, h.ModTime, h.ModTime)
}

func (m *maker) close() {}
