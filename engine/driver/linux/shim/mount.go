//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The attributes of nearly every mount in a container. Devices work only where a device node itself is mounted, so a program
// that may make nodes gains nothing by it.
const plainAttrs = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC

// option is one key and value for fsconfig(2); a key without value is a flag.
type option struct{ key, value string }

// newMount makes a mount of a file system that is not attached anywhere yet.
func newMount(fstype string, attrs int, options ...option) (int, error) {
	fs, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("mount %s: %w", fstype, err)
	}
	defer unix.Close(fs)
	for _, o := range options {
		if o.value == "" {
			err = unix.FsconfigSetFlag(fs, o.key)
		} else {
			err = unix.FsconfigSetString(fs, o.key, o.value)
		}
		if err != nil {
			return -1, fmt.Errorf("mount %s: option %s=%s: %w", fstype, o.key, o.value, explain(fs, err))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("mount %s: %w", fstype, explain(fs, err))
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return -1, fmt.Errorf("mount %s: %w", fstype, explain(fs, err))
	}
	return mnt, nil
}

// explain adds what the kernel wrote about the error to the file system context.
func explain(fs int, err error) error {
	buf := make([]byte, 4096)
	n, rerr := unix.Read(fs, buf)
	if rerr != nil || n <= 2 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.TrimSpace(string(buf[2:n])))
}

// attach puts a mount onto an open file or folder and closes both descriptors.
func attach(mnt, target int) error {
	defer unix.Close(mnt)
	defer unix.Close(target)
	return unix.MoveMount(mnt, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// clone makes a further mount of what dir and name lead to; an empty name means the descriptor itself.
func clone(dir int, name string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return unix.OpenTree(dir, name, flags)
}

// setAttrs adds attributes to a mount and, if asked, to all below it.
func setAttrs(mnt int, attrs uint64, recursive bool) error {
	flags := uint(unix.AT_EMPTY_PATH)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	return unix.MountSetattr(mnt, "", flags, &unix.MountAttr{Attr_set: attrs})
}

// mountOverlay mounts layers and gives their root, attached at a folder. That of the container's root is its own upper folder: a place
// that exists, that is ours, and that nobody else in this mount namespace looks at.
func mountOverlay(r Root, place string) (tree, error) {
	if r.Upper != "" {
		// The mark of a volatile mount, which would forbid the next one. Whoever asked for it knows that a power cut may cost the layer.
		_ = unix.Unlink(r.Work + "/work/incompat/volatile/dirty")
		_ = unix.Rmdir(r.Work + "/work/incompat/volatile")
	}
	mnt, err := overlay(r)
	if r.Volatile && errors.Is(err, unix.EINVAL) {
		r.Volatile = false // Linux 5.10 has it
		mnt, err = overlay(r)
	}
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return classicOverlay(r, place, err)
	}
	if err != nil {
		return tree{}, err
	}
	if err := attachAt(mnt, place); err != nil {
		return tree{}, fmt.Errorf("attach overlay: %w", err)
	}
	return tree{mnt}, nil
}

// attachAt puts a mount onto a folder of the host's, for this namespace only, and keeps its descriptor.
func attachAt(mnt int, place string) error {
	at, err := unix.Open(place, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("open", place, err)
	}
	defer unix.Close(at)
	return unix.MoveMount(mnt, "", at, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// overlay hands over the layers one by one: a single option string is cut at a page, and the error for that is misleading.
func overlay(r Root) (int, error) {
	var options []option
	for _, dir := range r.Lowers {
		options = append(options, option{"lowerdir+", dir})
	}
	attrs := unix.MOUNT_ATTR_NODEV
	if r.Nodes {
		attrs = 0
	}
	if r.Upper == "" {
		attrs |= unix.MOUNT_ATTR_RDONLY
	} else {
		options = append(options, option{"upperdir", r.Upper}, option{"workdir", r.Work})
	}
	options = append(options, option{"source", "overlay"})
	if r.UserXattr {
		options = append(options, option{key: "userxattr"})
	}
	if r.Volatile {
		options = append(options, option{key: "volatile"})
	}
	return newMount("overlay", attrs, options...)
}

// classicOverlay serves kernels before 6.7, which know no lowerdir+.
func classicOverlay(r Root, place string, why error) (tree, error) {
	base, lowers := shorten(r.Lowers)
	data, flags := "lowerdir="+strings.Join(lowers, ":"), uintptr(unix.MS_NODEV)
	if r.Nodes {
		flags = 0
	}
	if r.Upper == "" {
		flags |= unix.MS_RDONLY
	} else {
		data += ",upperdir=" + escape(r.Upper) + ",workdir=" + escape(r.Work)
	}
	if r.UserXattr {
		data += ",userxattr"
	}
	if len(data) >= os.Getpagesize() {
		return tree{}, fmt.Errorf("mount overlay of %d layers: this kernel takes fewer at once; Linux 6.7 or later takes 500: %w", len(r.Lowers), why)
	}
	if err := os.Chdir(base); err != nil {
		return tree{}, err
	}
	if err := unix.Mount("overlay", place, "overlay", flags, data); err != nil {
		return tree{}, fmt.Errorf("mount overlay: %w (before: %w)", err, why)
	}
	fd, err := unix.Open(place, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return tree{fd}, pathError("open", place, err)
}

// shorten cuts the folder that all paths have in common, and gives it.
func shorten(paths []string) (string, []string) {
	base := "/"
	if len(paths) > 0 {
		base = paths[0][:strings.LastIndexByte(paths[0], '/')+1]
	}
	for _, p := range paths {
		for !strings.HasPrefix(p, base) {
			base = base[:strings.LastIndexByte(strings.TrimSuffix(base, "/"), '/')+1]
		}
	}
	short := make([]string, len(paths))
	for i, p := range paths {
		short[i] = escape(p[len(base):])
	}
	return base, short
}

func escape(p string) string { return strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(p) }

// bind mounts what is at source on the host onto an open target.
func bind(source string, target int, readOnly bool) error {
	fd, err := unix.Open(source, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(target)
		return pathError("bind", source, err)
	}
	defer unix.Close(fd)
	mnt, err := cloneWith(fd, true, readOnly)
	if err != nil {
		unix.Close(target)
		return pathError("bind", source, err)
	}
	return pathError("bind", source, attach(mnt, target))
}

// cloneWith makes a further mount of what fd has open, in which devices do not work.
func cloneWith(fd int, recursive, readOnly bool) (int, error) {
	mnt, err := clone(fd, "", recursive)
	if err != nil {
		return -1, err
	}
	attrs := uint64(unix.MOUNT_ATTR_NODEV)
	if readOnly {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	if err := setAttrs(mnt, attrs, recursive); err != nil {
		unix.Close(mnt)
		return -1, fmt.Errorf("set attributes: %w", err)
	}
	return mnt, nil
}

// magic reports whether fd lies on the file system with this number (statfs(2)).
func magic(fd int, want int64) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && int64(st.Type) == want
}

func procFD(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
