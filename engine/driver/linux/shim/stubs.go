//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/cow"
)

// stubsDir is the folder in a container's folder that holds what was made only to mount on.
const stubsDir = "mountpoints"

const maxLinks = 40 // path_resolution(7)

// withStubs gives the read-only layers of the root with one more on top, which has the targets of mounts that the tree lacks: so they are
// there, and yet no change of the writable layer, and nothing needs to be cleaned up that somebody could have put in their place. What the
// container puts into a folder of it is copied up like from any other layer.
func (b *builder) withStubs() ([]string, error) {
	lowers := b.cfg.Root.Lowers
	dir := filepath.Join(b.cfg.Dir, stubsDir)
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("remove old mount points: %w", err)
	}
	if len(b.sources) == 0 {
		return lowers, nil
	}
	all := b.cfg.Root
	all.Lowers, all.Upper = append([]string{all.Upper}, lowers...), ""
	whole, err := mountOverlay(all, b.cfg.Scratch)
	if err != nil {
		return nil, fmt.Errorf("look for mount points: %w", err)
	}
	defer b.unstage(whole.fd)
	made := false
	for i, m := range b.cfg.Mounts {
		p, ok := whole.resolve(path.Clean("/" + m.Target))
		if !ok || p.there == len(p.parts) {
			continue
		}
		if err := b.addStub(dir, whole, p, b.sources[i].dir); err != nil {
			return nil, fmt.Errorf("make mount point %s: %w", m.Target, err)
		}
		made = true
	}
	if made {
		lowers = append([]string{dir}, lowers...)
	}
	return lowers, nil
}

// place is where a path leads in a tree: names without links, of which the first are there.
type place struct {
	parts []string
	there int
}

func (p place) upTo(n int) string { return strings.Join(p.parts[:n], "/") }

// resolve follows name as the kernel does, with the tree's root as the root, and goes on where nothing is there. false: it leads nowhere
// that could be made, which is for the mount to say.
func (t tree) resolve(name string) (place, bool) {
	var p place
	rest, links := strings.Split(name, "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			p.parts = p.parts[:max(len(p.parts)-1, 0)]
			p.there = min(p.there, len(p.parts))
			continue
		}
		p.parts = append(p.parts, part)
		if p.there < len(p.parts)-1 {
			continue
		}
		text, err := t.look(p.upTo(len(p.parts)))
		switch {
		case errors.Is(err, unix.ENOENT):
		case err != nil:
			return p, false
		case text == "":
			p.there = len(p.parts)
		default:
			if links++; links > maxLinks {
				return p, false
			}
			p.parts = p.parts[:len(p.parts)-1]
			if text[0] == '/' {
				p = place{}
			}
			rest = append(strings.Split(text, "/"), rest...)
		}
	}
	return p, len(p.parts) > 0
}

// look gives the text of the link name, none for anything else that is there.
func (t tree) look(name string) (string, error) {
	fd, err := t.open(name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	return string(buf[:n]), err
}

// addStub makes the folders of p in dir, those that the tree has with what they have there, and an empty folder or file at the end.
func (b *builder) addStub(dir string, whole tree, p place, folder bool) error {
	if err := makeStubFolder(dir, whole, "."); err != nil {
		return err
	}
	for n := 1; n < len(p.parts); n++ {
		name := p.upTo(n)
		at := filepath.Join(dir, name)
		var err error
		if n <= p.there {
			err = errors.Join(b.unveil(name), makeStubFolder(at, whole, name))
		} else {
			err = plainFolder(at)
		}
		if err != nil {
			return err
		}
	}
	at := filepath.Join(dir, p.upTo(len(p.parts)))
	if folder {
		return plainFolder(at)
	}
	fd, err := unix.Open(at, unix.O_CREAT|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return pathError("create", at, err)
	}
	defer unix.Close(fd)
	return unix.Fchmod(fd, 0o644)
}

// unveil takes the opaque mark from a folder of the writable layer that hides nothing by it: many kernels mark every new one.
func (b *builder) unveil(name string) error {
	r := &b.cfg.Root
	at := filepath.Join(r.Upper, name)
	if !cow.IsOpaque(at, r.UserXattr) {
		return nil
	}
	_, hides, err := cow.NewStack(r.Lowers[:len(r.DiffIDs)], r.UserXattr).Lookup(name)
	if err != nil || hides {
		return err
	}
	return pathError("unmark", at, unix.Lremovexattr(at, cow.OpaqueXattr(r.UserXattr)))
}

func plainFolder(at string) error {
	err := os.Mkdir(at, 0o755)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(at, 0o755) // whatever the umask says
}

// makeStubFolder makes a folder that looks like the one that the tree has: a merged folder looks like its uppermost part.
func makeStubFolder(at string, whole tree, name string) error {
	if err := plainFolder(at); err != nil {
		return err
	}
	like, err := whole.open(name, unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return pathError("open", name, err)
	}
	defer unix.Close(like)
	fd, err := unix.Open(at, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", at, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(like, &st); err != nil {
		return pathError("stat", name, err)
	}
	if err := unix.Fchown(fd, int(st.Uid), int(st.Gid)); err != nil {
		return pathError("chown", at, err)
	}
	if err := unix.Fchmod(fd, st.Mode&0o7777); err != nil {
		return pathError("chmod", at, err)
	}
	return copyXattrs(like, fd)
}

// copyXattrs copies what else a folder has, such as its list of access rights (acl(5)). What only the kernel may set is left out.
func copyXattrs(from, to int) error {
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(from, names)
	if err != nil {
		return nil // a file system without any
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if name == "" || strings.Contains(name, ".overlay.") {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Fgetxattr(from, name, value)
		if err == nil {
			err = unix.Fsetxattr(to, name, value[:n], 0)
		}
		if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("copy attribute %s: %w", name, err)
		}
	}
	return nil
}
