package pack

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Host archives and takes files of the machine that this process runs on.
type Host struct {
	// Skipped gets every name that can't be made here, and why; nil: nobody asks.
	Skipped func(name, reason string)
}

// Archive writes what is at a path of the host, and everything in it, under the name as. follow says that the path itself is followed if
// it is a link; what is in it never is.
func (Host) Archive(ctx context.Context, name, as string, follow bool, to io.Writer) (Counts, error) {
	w := NewWriter(to)
	stat := os.Lstat
	if follow {
		stat = os.Stat
	}
	fi, err := stat(name)
	if err == nil {
		err = hostEntry(ctx, w, name, as, fi)
	}
	if err == nil {
		err = w.Close()
	}
	return w.Counts, err
}

func hostEntry(ctx context.Context, w *Writer, name, as string, fi fs.FileInfo) error {
	h, err := tar.FileInfoHeader(nameless{fi}, "")
	if err != nil || fi.Mode()&fs.ModeSocket != 0 {
		return nil // a socket lives and dies with its process
	}
	h.Name = as
	owner(h, fi)
	switch {
	case fi.IsDir():
		h.Name = strings.TrimSuffix(as, "/") + "/"
		return hostFolder(ctx, w, name, as, h)
	case fi.Mode()&fs.ModeSymlink != 0:
		text, err := os.Readlink(name)
		if err != nil {
			return err
		}
		h.Linkname = filepath.ToSlash(text)
		return w.Add(h, nil)
	}
	if id, several := inode(fi); several && w.Linked(h, id) {
		return w.Add(h, nil)
	}
	if h.Typeflag != tar.TypeReg {
		return w.Add(h, nil)
	}
	f, err := openSource(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return w.Add(h, f)
}

func hostFolder(ctx context.Context, w *Writer, name, as string, h *tar.Header) error {
	if err := w.Add(h, nil); err != nil {
		return err
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		fi, err := e.Info()
		if os.IsNotExist(err) {
			continue // removed since the folder was listed
		}
		if err != nil {
			return err
		}
		if err := hostEntry(ctx, w, filepath.Join(name, e.Name()), strings.TrimSuffix(as, "/")+"/"+e.Name(), fi); err != nil {
			return err
		}
	}
	return nil
}

// nameless keeps package tar from looking for the names of owners, which mean nothing elsewhere.
type nameless struct{ fs.FileInfo }

// Uname implements tar.FileInfoNames.
func (nameless) Uname() (string, error) { return "", nil }

// Gname implements tar.FileInfoNames.
func (nameless) Gname() (string, error) { return "", nil }

// Extract carries out an archive on a folder of the host. Everything belongs to the user of this process. Nothing outside the folder is
// reached, whatever links the archive or the folder has. Devices and pipes are left out: what a container calls a disk is none to give its
// user access to.
func (h Host) Extract(ctx context.Context, dir string, r io.Reader) (Counts, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Counts{}, err
	}
	t := &hostTarget{host: h, root: root, parent: ".", at: root}
	defer root.Close()
	defer t.leave()
	return Extract(ctx, r, t, Options{Into: dir})
}

// hostTarget is a folder of the host. It implements Target.
type hostTarget struct {
	host   Host
	root   *os.Root
	parent string // folder that at has open: entries come in runs of the same one
	at     *os.Root
	files  *maker // of at; nil until a file is made there
	buf    []byte
}

func (t *hostTarget) leave() {
	if t.files != nil {
		t.files.close()
		t.files = nil
	}
	if t.at != t.root {
		_ = t.at.Close()
	}
	t.parent, t.at = ".", t.root
}

// enter opens the folder that a name lies in, and gives the last part of the name.
func (t *hostTarget) enter(name string) (*os.Root, string, error) {
	dir, last := ".", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, last = name[:i], name[i+1:]
	}
	if !filepath.IsLocal(last) || filepath.Separator != '/' && strings.ContainsAny(last, `\:`) {
		return nil, "", fmt.Errorf("make %q: this system can't have a file of that name", name)
	}
	if dir != t.parent {
		t.leave()
		if dir != "." {
			sub, err := t.root.OpenRoot(filepath.FromSlash(dir))
			if err != nil {
				return nil, "", err
			}
			t.parent, t.at = dir, sub
		}
	}
	return t.at, last, nil
}

// Lstat implements Target.
func (t *hostTarget) Lstat(name string) (fs.FileMode, error) {
	at, last, err := t.enter(name)
	if err != nil {
		return 0, err
	}
	fi, err := at.Lstat(last)
	if err != nil {
		return 0, err
	}
	return fi.Mode(), nil
}

// Remove implements Target.
func (t *hostTarget) Remove(name string) error {
	at, last, err := t.enter(name)
	if err != nil {
		return err
	}
	return at.Remove(last)
}

// Make implements Target.
func (t *hostTarget) Make(h *tar.Header, content io.Reader) error {
	at, last, err := t.enter(h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return t.file(at, last, h, content)
	case tar.TypeDir:
		return at.Mkdir(last, 0o700)
	case tar.TypeSymlink:
		return at.Symlink(filepath.FromSlash(h.Linkname), last)
	case tar.TypeLink:
		return t.root.Link(filepath.FromSlash(h.Linkname), filepath.FromSlash(h.Name))
	}
	if t.host.Skipped != nil {
		t.host.Skipped(h.Name, "it is a device or a pipe")
	}
	return nil
}

func (t *hostTarget) file(at *os.Root, last string, h *tar.Header, content io.Reader) (err error) {
	if t.files == nil {
		if t.files, err = newMaker(at); err != nil {
			return err
		}
	}
	return t.files.file(last, h, func(w io.Writer) error {
		if h.Size == 0 {
			return nil
		}
		if t.buf == nil {
			t.buf = make([]byte, chunk)
		}
		_, err := io.CopyBuffer(w, struct{ io.Reader }{content}, t.buf)
		return err
	})
}

// Dress implements Target.
func (t *hostTarget) Dress(h *tar.Header) error {
	at, last, err := t.enter(h.Name)
	if err != nil {
		return err
	}
	if err := at.Chmod(last, h.FileInfo().Mode()&^fs.ModeType); err != nil {
		return err
	}
	return at.Chtimes(last, h.ModTime, h.ModTime)
}
