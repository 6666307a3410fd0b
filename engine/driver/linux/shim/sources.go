//go:build linux

package shim

import (
	"errors"
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/standard"
)

// source is what is mounted for the container's owner: a mount that is attached nowhere yet, and what its event says of it.
type source struct {
	mnt                   int
	dir                   bool
	fstype, from, options string
}

// openSources makes the mounts that the container's owner asked for, while the host can still be seen as it is.
func (b *builder) openSources() error {
	trees := map[string]tree{} // of writable layers, which may be mounted only once
	for i, m := range b.cfg.Mounts {
		if s, ok := b.peers[i]; ok {
			b.sources = append(b.sources, s)
			continue
		}
		s, err := b.openSource(&m, trees)
		if err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
		b.sources = append(b.sources, s)
	}
	for _, t := range trees {
		b.unstage(t.fd)
	}
	return nil
}

func (b *builder) openSource(m *Mount, trees map[string]tree) (source, error) {
	switch m.Type {
	case "tmpfs":
		fs := standard.Tmpfs(m.Target, m.ReadOnly, m.Options)
		mnt, err := newStandard(fs)
		return source{mnt, true, "tmpfs", "tmpfs", fs.Describe()}, err
	case "tree":
		return b.openTree(m, trees)
	case "folder":
		return openFolder(m)
	case "file":
		return b.openFile(m)
	case "socket":
		return openSocket(m)
	}
	return openBind(m)
}

func openBind(m *Mount) (source, error) {
	fd, err := unix.Open(m.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return source{}, fmt.Errorf("bind source path does not exist: %s", m.Source)
	}
	if err != nil {
		return source{}, pathError("bind", m.Source, err)
	}
	defer unix.Close(fd)
	if err := checkPeers(fd, m); err != nil {
		return source{}, err
	}
	s, err := sourceOf(fd, !m.Flat, m.ReadOnly && !m.FlatRO)
	if err == nil && m.ReadOnly && m.FlatRO {
		err = setAttrs(s.mnt, unix.MOUNT_ATTR_RDONLY, false)
	}
	if err == nil {
		err = propagate(s.mnt, m.Propagation)
	}
	s.fstype, s.from, s.options = "bind", m.Source, standard.BindOptionsOf(m.ReadOnly, m.Flat, m.Propagation)
	return s, pathError("bind", m.Source, err)
}

// sourceOf makes a further mount of what fd has open.
func sourceOf(fd int, recursive, readOnly bool) (source, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return source{}, err
	}
	mnt, err := cloneWith(fd, recursive, readOnly)
	return source{mnt: mnt, dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}, err
}

// openTree finds a path in the tree of layers. Links in it lead to places in the tree, whatever they say.
func (b *builder) openTree(m *Mount, trees map[string]tree) (source, error) {
	t, done, err := b.attachTree(m, trees)
	if err != nil {
		return source{}, err
	}
	defer done()
	name := path.Clean("/" + m.Source)
	fd, err := t.open(name, unix.O_PATH, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return source{}, standard.NotInTree(name, m.Name)
	}
	if err != nil {
		return source{}, pathError("open", name, err)
	}
	defer unix.Close(fd)
	s, err := sourceOf(fd, false, m.ReadOnly)
	s.fstype, s.from, s.options = "overlay", m.Name, overlayOptions(*m.Tree)
	return s, pathError("mount", name, err)
}

// attachTree mounts the layers of a tree at the scratch folder, since only what is attached can be mounted in part; done takes it away.
// That of a writable layer is kept for further mounts of the same one.
func (b *builder) attachTree(m *Mount, trees map[string]tree) (t tree, done func(), err error) {
	if t, ok := trees[m.Tree.Upper]; ok && m.Tree.Upper != "" {
		whole, err := clone(t.fd, "", false)
		if err != nil {
			return tree{}, nil, fmt.Errorf("mount %s again: %w", m.Name, err)
		}
		return b.stage(whole)
	}
	if m.Tree.Upper == "" && len(m.Tree.Lowers) == 1 { // nothing to lay over one another
		return b.stagePlain(m.Tree.Lowers[0])
	}
	if t, err = mountOverlay(*m.Tree, b.cfg.Scratch); err != nil {
		return t, nil, err
	}
	if m.Tree.Upper == "" {
		return t, func() { b.unstage(t.fd) }, nil
	}
	trees[m.Tree.Upper] = t
	return t, func() {}, nil
}

// stage attaches a mount at the scratch folder; done takes it away.
func (b *builder) stage(mnt int) (t tree, done func(), err error) {
	if err := attachAt(mnt, b.cfg.Scratch); err != nil {
		unix.Close(mnt)
		return tree{}, nil, pathError("attach at", b.cfg.Scratch, err)
	}
	return tree{mnt}, func() { b.unstage(mnt) }, nil
}

// stagePlain stages a folder of the host's that is to be read only.
func (b *builder) stagePlain(dir string) (t tree, done func(), err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return tree{}, nil, pathError("open", dir, err)
	}
	defer unix.Close(fd)
	mnt, err := cloneWith(fd, false, true)
	if err != nil {
		return tree{}, nil, pathError("mount", dir, err)
	}
	return b.stage(mnt)
}

func (b *builder) unstage(mnt int) {
	unix.Close(mnt)
	_ = unix.Unmount(b.cfg.Scratch, unix.MNT_DETACH)
}

// openFolder finds a path in a folder that several containers may be changing: the kernel keeps it inside.
func openFolder(m *Mount) (source, error) {
	fd, err := unix.Open(m.Source, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return source{}, fmt.Errorf("open folder %s: %w", m.Name, err)
	}
	defer unix.Close(fd)
	at := fd
	if sub := path.Clean("/" + m.Subpath); sub != "/" {
		if at, err = subpath(tree{fd}, sub, m.Strict); err != nil {
			return source{}, fmt.Errorf("subpath of folder %s: %w", m.Name, err)
		}
		defer unix.Close(at)
	}
	s, err := sourceOf(at, false, m.ReadOnly)
	s.fstype, s.from, s.options = "bind", m.Source, standard.FolderOptions(m.ReadOnly)
	if err != nil {
		err = fmt.Errorf("bind folder %s: %w", m.Name, err)
	}
	return s, err
}

func subpath(t tree, sub string, strict bool) (int, error) {
	if !strict {
		return t.ensureDir(sub, 0)
	}
	fd, err := t.open(sub, unix.O_PATH, 0)
	return fd, pathError("open", sub, err)
}

// openFile makes a file that is in memory only. Its file system has no other name, and is not swapped out where that can be had.
func (b *builder) openFile(m *Mount) (source, error) {
	const room = 1 << 20 // for what the container adds
	options := []option{{"mode", "0700"}, {"nr_inodes", "16"}, {"size", strconv.Itoa(len(m.Data) + room)}}
	attrs := plainAttrs
	if m.Mode&0o111 != 0 {
		attrs &^= unix.MOUNT_ATTR_NOEXEC // as standard.File has it
	}
	mnt, err := newMount("tmpfs", attrs, append(options, option{key: "noswap"})...)
	if err != nil { // Linux 6.4 has it, for the machine's root
		mnt, err = newMount("tmpfs", attrs, options...)
	}
	if err != nil {
		return source{}, err
	}
	t, done, err := b.stage(mnt)
	if err != nil {
		return source{}, err
	}
	defer done()
	fd, err := writeMemory(t, m)
	if err != nil {
		return source{}, err
	}
	defer unix.Close(fd)
	s, err := sourceOf(fd, false, m.ReadOnly)
	s.fstype, s.from, s.options = "tmpfs", "tmpfs", standard.File(m.ReadOnly, m.Mode, m.UID, m.GID).Describe()
	return s, err
}

// writeMemory makes the one file of t.
func writeMemory(t tree, m *Mount) (int, error) {
	const name = "file"
	fd, err := t.open(name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0)
	if err != nil {
		return -1, fmt.Errorf("make file: %w", err)
	}
	defer unix.Close(fd)
	for data := m.Data; len(data) > 0; {
		n, err := unix.Write(fd, data)
		if err != nil {
			return -1, fmt.Errorf("write file: %w", err)
		}
		data = data[n:]
	}
	if err := unix.Fchown(fd, int(m.UID), int(m.GID)); err != nil {
		return -1, fmt.Errorf("give file to %d:%d: %w", m.UID, m.GID, idHintOf(err))
	}
	if err := unix.Fchmod(fd, m.Mode); err != nil {
		return -1, fmt.Errorf("set mode of file: %w", err)
	}
	return t.open(name, unix.O_PATH, unix.RESOLVE_NO_SYMLINKS)
}

func idHintOf(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return idHint(errno)
	}
	return err
}

// mountUser puts what the container's owner asked for in its places.
func (b *builder) mountUser() error {
	for i, m := range b.cfg.Mounts {
		if err := b.mountSource(&b.sources[i], m.Target); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	return nil
}

func (b *builder) mountSource(s *source, name string) error {
	ensure := b.root.ensureFile
	if s.dir {
		ensure = func(p string) (int, error) { return b.root.ensureDir(p, 0) }
	}
	target, err := ensure(name)
	if err != nil {
		return err
	}
	if err := b.mayCover(target); err != nil {
		unix.Close(target)
		return err
	}
	if err := attach(s.mnt, target); err != nil {
		return err
	}
	b.mounted(name, s.fstype, s.from, s.options)
	return nil
}

// mayCover refuses places that the container's isolation rests on.
func (b *builder) mayCover(target int) error {
	if magic(target, unix.PROC_SUPER_MAGIC) {
		return standard.InsideProc
	}
	var root, st unix.Stat_t
	if err := errors.Join(unix.Fstat(b.root.fd, &root), unix.Fstat(target, &st)); err != nil {
		return err
	}
	if root.Dev == st.Dev && root.Ino == st.Ino {
		return standard.CoversRoot
	}
	return nil
}
