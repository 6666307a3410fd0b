//go:build linux

package linux

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/cow"
	"github.com/learn-containers/learn/engine/layer"
)

// openIn opens a path as if root were the root of everything: links, absolute ones too, stay inside.
func openIn(root int, p string, flags uint64) (int, error) {
	return openAs(root, p, unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

// openReal opens a path that has no symbolic link in it; ELOOP if it has one.
func openReal(root int, p string, flags uint64) (int, error) {
	return openAs(root, p, unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS})
}

func openAs(root int, p string, how unix.OpenHow) (int, error) {
	for try := 0; ; try++ {
		fd, err := unix.Openat2(root, p, &how)
		// EAGAIN: something was renamed meanwhile and the kernel could not tell whether ".." stayed inside.
		if err != nil && (err == unix.EINTR || err == unix.EAGAIN && try < 128) {
			continue
		}
		return fd, err
	}
}

// procPath names an entry of an open folder for calls that have no form relative to a descriptor.
func procPath(fd int, name string) string {
	return "/proc/self/fd/" + strconv.Itoa(fd) + "/" + name
}

// removeAt removes name, with everything in it, from the open folder fd.
func removeAt(fd int, name string) error {
	err := unix.Unlinkat(fd, name, 0)
	if err == nil || !errors.Is(err, unix.EISDIR) {
		return err
	}
	root, err := os.OpenRoot("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return err
	}
	defer root.Close()
	return root.RemoveAll(name)
}

// enter opens the folder that an entry goes into, and makes it if the archive has no entry for it. The descriptor belongs
// to the applier, and so does a.parent, the folder's real path.
func (a *applier) enter(dir string, e *layer.Entry) (int, error) {
	if a.parentFD >= 0 && dir == a.parent {
		return a.parentFD, nil
	}
	a.leave()
	fd, err := openReal(a.root, dir, unix.O_PATH|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		if dir, err = a.makeParents(dir, e); err != nil {
			return -1, err
		}
		fd, err = openReal(a.root, dir, unix.O_PATH|unix.O_DIRECTORY)
	}
	if err != nil {
		return -1, fmt.Errorf("open folder %q: %w", dir, err)
	}
	a.parent, a.parentFD = dir, fd
	return fd, nil
}

func (a *applier) leave() {
	if a.parentFD >= 0 {
		unix.Close(a.parentFD)
		a.parentFD = -1
	}
}

const maxLinks = 40 // as the kernel

// makeParents makes the folders of dir that are missing here, as copies of the lower layers' folders where there are such,
// and follows symbolic links as the merged tree has them. It returns the real path.
func (a *applier) makeParents(dir string, e *layer.Entry) (string, error) {
	done, links := ".", 0
	for rest := dir; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		text, err := a.step(path.Join(done, part), e)
		if err != nil {
			return "", err
		}
		if text == "" {
			done = path.Join(done, part)
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("folder %q: %w", dir, unix.ELOOP)
		}
		if strings.HasPrefix(text, "/") {
			done = "."
		}
		rest = text + "/" + rest
	}
	return done, nil
}

// step makes sure that the real path p is a folder in this layer, or returns the text of the symbolic link that is there.
func (a *applier) step(p string, e *layer.Entry) (link string, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(a.root, p, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return a.implied(p, e)
	}
	if err != nil {
		return "", err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "", nil
	case unix.S_IFLNK:
		return os.Readlink(filepath.Join(a.dir, p))
	}
	if !cow.IsWhiteout(&st) {
		return "", fmt.Errorf("%q is not a folder: %w", p, unix.ENOTDIR)
	}
	return "", a.newFolder(p, impliedMeta(p, e))
}

// implied makes the folder p for which the archive has no entry.
func (a *applier) implied(p string, e *layer.Entry) (link string, err error) {
	if !a.hidden(path.Dir(p)) {
		found, ok, err := a.stack.Lookup(p)
		if err != nil {
			return "", err
		}
		at := ""
		if ok {
			at = a.stack.Path(found, p)
		}
		switch {
		case ok && found.Stat.Mode&unix.S_IFMT == unix.S_IFLNK:
			return os.Readlink(at)
		case ok && found.Stat.Mode&unix.S_IFMT == unix.S_IFDIR:
			meta, err := metaOfFolder(p, at)
			if err != nil {
				return "", err
			}
			return "", a.newFolder(p, meta)
		}
	}
	return "", a.newFolder(p, impliedMeta(p, e))
}

func (a *applier) newFolder(p string, meta dirMeta) error {
	fd, err := openIn(a.root, path.Dir(p), unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := a.makeFolder(fd, path.Dir(p), path.Base(p)); err != nil {
		return err
	}
	a.pending = append(a.pending, meta)
	return nil
}

// hidden reports whether this layer hides what the lower ones have below the real path p.
func (a *applier) hidden(p string) bool {
	for {
		if cow.IsOpaque(filepath.Join(a.dir, p), a.mode.UserXattr) {
			return true
		}
		if p == "." {
			return false
		}
		p = path.Dir(p)
	}
}
