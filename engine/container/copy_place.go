package container

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/pack"
)

// copySource is what is copied.
type copySource struct {
	path   string // of the host
	name   string // its own, "." for the content of a folder
	dir    bool
	follow bool
}

// copyDest is where something is copied to, as far as it is there.
type copyDest struct {
	path   string // as the user gave it, links followed
	exists bool
	dir    bool
	host   bool // it is a path of the host
}

var (
	errCopyDir     = errors.New("cannot copy directory")
	errNoDirectory = errors.New("no such directory")
)

// destine decides what folder an archive is to be extracted to, and under what name the source has to be in it (docker's manual of cp).
func destine(src copySource, dst copyDest) (dir, as string, err error) {
	dir, as = dst.split()
	switch {
	case dst.exists && dst.dir:
		return dst.path, src.name, nil
	case dst.exists && src.dir:
		return "", "", &HostError{errCopyDir}
	case dst.exists, src.dir:
		return dir, as, nil
	case asksFolder(dst.path):
		return "", "", &HostError{errNoDirectory}
	}
	return dir, as, nil
}

// split gives a destination's folder and the name in it. A path that ends in a dot means the folder before it.
func (d copyDest) split() (dir, name string) {
	if !d.host {
		return splitPath(d.path, path.Clean, path.Dir, path.Base)
	}
	return splitPath(d.path, filepath.Clean, filepath.Dir, filepath.Base)
}

func splitPath(p string, clean, dir, base func(string) string) (string, string) {
	c := clean(p)
	if nameOf(p) == "." {
		return c, "."
	}
	return dir(c), base(c)
}

// asksFolder tells of a path whether it can only mean a folder.
func asksFolder(p string) bool {
	last := p[strings.LastIndexAny(p, pathEnds)+1:]
	return last == "" || last == "."
}

const pathEnds = "/" + string(os.PathSeparator)

func isPathEnd(r rune) bool { return r == '/' || r == os.PathSeparator }

// nameOf is the name that a source has in an archive: that which the user gave it.
func nameOf(p string) string {
	switch last := p[strings.LastIndexAny(p, pathEnds)+1:]; {
	case last == ".":
		return "."
	case last != "":
		return last
	}
	if p = strings.TrimRightFunc(p, isPathEnd); p == "" {
		return "/"
	}
	return nameOf(p)
}

// hostSource looks at a path of the host that is to be copied.
func hostSource(p string, follow bool) (copySource, error) {
	s := copySource{path: p, name: nameOf(p), follow: follow || asksFolder(p)}
	if s.name == ".." || s.name == "/" || filepath.VolumeName(s.name) == s.name && s.name != "" {
		s.name = "."
	}
	fi, err := os.Lstat(filepath.Clean(p))
	if err == nil && s.follow {
		fi, err = os.Stat(filepath.Clean(p))
	}
	if err != nil {
		return s, lstatError(p, err)
	}
	if asksFolder(p) && !fi.IsDir() {
		return s, errors.New("not a directory")
	}
	s.dir = fi.IsDir()
	return s, nil
}

// lstatError names the path as the user knows it.
func lstatError(p string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: "lstat", Path: p, Err: err}
}

// hostDest looks at a path of the host that is to be copied to. Links are followed, also to what is not there yet; its folder must be.
func hostDest(p string) (copyDest, error) {
	d := copyDest{path: p, host: true}
	if dir := filepath.Dir(filepath.Clean(p)); !exists(dir) {
		return d, &outputError{"invalid output path: directory " + quote(dir) + " does not exist"}
	}
	for n := 0; n <= 10; n++ {
		fi, err := os.Lstat(d.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			dir, _ := d.split()
			parent, err := os.Stat(dir)
			if err == nil && !parent.IsDir() {
				err = errors.New("not a directory")
			}
			return d, err
		case err != nil:
			return d, err
		case fi.Mode()&fs.ModeSymlink == 0:
			d.exists, d.dir = true, fi.IsDir()
			return d, d.usable(fi.Mode(), p)
		}
		text, err := os.Readlink(d.path)
		if err != nil {
			return d, err
		}
		if !filepath.IsAbs(text) {
			text = filepath.Join(filepath.Dir(d.path), text)
		}
		d.path = text
	}
	return d, errors.New("too many symlinks in " + p)
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return !errors.Is(err, fs.ErrNotExist)
}

func (d copyDest) usable(mode fs.FileMode, p string) error {
	if d.dir || mode.IsRegular() {
		return nil
	}
	return &outputError{"invalid output path: " + quote(p) + " must be a directory or a regular file: " + modeWords(mode)}
}

func modeWords(mode fs.FileMode) string {
	if mode&fs.ModeDevice != 0 {
		return "got a device"
	}
	return "got an irregular file"
}

// outputError is about where a copy goes.
type outputError struct{ msg string }

func (e *outputError) Error() string { return e.msg }

func quote(p string) string { return `"` + p + `"` }

// containerDest looks at a path of a container that is to be copied to. What can't be looked at may still be made.
func containerDest(ctx context.Context, f driver.Files, ref, p string) (copyDest, error) {
	d := copyDest{path: p}
	st, err := f.Stat(ctx, d.path)
	if err == nil && st.Mode&fs.ModeSymlink != 0 && st.Link != "" {
		d.path = st.Link
		st, err = f.Stat(ctx, d.path)
	}
	if err != nil {
		var refused *driver.FileError
		if errors.Is(err, driver.ErrNotFound) || errors.As(err, &refused) {
			return d, nil
		}
		return d, err
	}
	if !st.Mode.IsDir() && !st.Mode.IsRegular() {
		return d, &HostError{&outputError{"destination " + quote(ref+":"+p) + " must be a directory or a regular file: " + modeWords(st.Mode)}}
	}
	d.exists, d.dir = true, st.Mode.IsDir()
	return d, nil
}

// containerSource looks at a path of a container that is to be copied, and gives the path to copy.
func containerSource(ctx context.Context, f driver.Files, ref, p string, follow bool) (string, copySource, error) {
	s := copySource{name: nameOf("/" + p)}
	st, err := f.Stat(ctx, p)
	if err == nil && follow && st.Mode&fs.ModeSymlink != 0 && st.Link != "" {
		p = st.Link
		st, err = f.Stat(ctx, p)
	}
	if err != nil {
		return p, s, notFound(err, p, ref)
	}
	s.dir = st.Mode.IsDir()
	return p, s, nil
}

// hostError marks what went wrong on the host's side.
func hostError(err error) error {
	var pe *fs.PathError
	if err == nil || !errors.As(err, &pe) && !isRefused(err) {
		return err
	}
	return &HostError{err}
}

func isRefused(err error) bool {
	var refused *pack.RefusedError
	return errors.As(err, &refused)
}
