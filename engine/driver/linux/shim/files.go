//go:build linux

package shim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/pack"
)

// What a client may ask of the files stage.
const (
	FilesStat    = "stat"
	FilesArchive = "archive" // a pipe to write to comes along
	FilesExtract = "extract" // a pipe to read from comes along
)

// FilesOrder is the first message to the files stage: how to put the container's view together, or nothing to enter the one that the
// stage was given as a descriptor.
type FilesOrder struct {
	Config *Config `json:"config,omitempty"`
}

// FilesRequest is one thing to do. Names are bytes: they need not be UTF-8.
type FilesRequest struct {
	Do    string      `json:"do"`
	Path  []byte      `json:"path"`
	As    []byte      `json:"as,omitempty"`    // archive: its name in the archive
	Owner *pack.Owner `json:"owner,omitempty"` // extract: who owns everything; nil: whom the archive names
}

// The kinds of answer of the files stage.
const (
	FilesOK      = "ok"
	FilesMissing = "missing"
	FilesRefused = "refused"
	FilesFailed  = "failed"
)

// FilesReply is the answer to the order and to each request.
type FilesReply struct {
	Kind    string      `json:"kind"`
	Message []byte      `json:"message,omitempty"`
	Stat    *FileStat   `json:"stat,omitempty"`
	Counts  pack.Counts `json:"counts"`
}

// FileStat describes one file: driver.FileStat with the kernel's mode.
type FileStat struct {
	Name    []byte    `json:"name"`
	Size    int64     `json:"size"`
	Mode    uint32    `json:"mode"`
	ModTime time.Time `json:"mtime"`
	Link    []byte    `json:"link,omitempty"`
	Real    []byte    `json:"real"`
}

// filesStage reaches into a container's files for one client, which is at the other end of its connection. It stays in the host's process
// namespace, where no process of the container sees it, joins no control group, so that a frozen container does not freeze it, and
// executes and loads nothing once it is inside.
func filesStage() {
	runtime.LockOSThread()
	if dieWithParent() != nil || unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) != nil {
		os.Exit(1)
	}
	conn, err := NewConn(stageConn)
	if err != nil {
		os.Exit(1)
	}
	var order FilesOrder
	if conn.Receive(&order) != nil {
		os.Exit(1)
	}
	v, err := enterFiles(&order)
	if conn.Send(filesReply(err)) != nil || err != nil {
		os.Exit(1)
	}
	for {
		var req FilesRequest
		if conn.Receive(&req) != nil {
			os.Exit(0)
		}
		if conn.Send(v.serve(conn, &req)) != nil {
			os.Exit(1)
		}
	}
}

// enterFiles gives the container's view: the one that its processes have, or one made for the purpose.
func enterFiles(order *FilesOrder) (*view, error) {
	unix.Umask(0)
	own, err := unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", "/proc/self/fd", err)
	}
	if order.Config != nil {
		b := &builder{cfg: order.Config}
		if err := b.buildFiles(); err != nil {
			return nil, err
		}
	} else if err := joinView(); err != nil {
		return nil, err
	}
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", "/", err)
	}
	return &view{tree: tree{root}, descriptors: own}, nil
}

// joinView enters the mount namespace that came as a descriptor, of its own or of a process, and with it its root.
func joinView() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("part from the file system state: %w", err)
	}
	if err := enterTarget(stageTarget, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the container's files: %w", err)
	}
	return unix.Close(stageTarget)
}

// buildFiles puts together what a container that does not run would see of its own files: no kernel's file systems, no memory.
func (b *builder) buildFiles() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := b.openSources(); err != nil {
		return err
	}
	lowers, err := b.withStubs()
	if err != nil {
		return err
	}
	layers := b.cfg.Root
	layers.Lowers = lowers
	if b.root, err = mountOverlay(layers, layers.Upper); err != nil {
		return err
	}
	for _, step := range []func() error{b.bindNames, b.mountUser} {
		if err := step(); err != nil {
			return err
		}
	}
	if b.cfg.ReadOnly {
		if err := setAttrs(b.root.fd, unix.MOUNT_ATTR_RDONLY, false); err != nil {
			return fmt.Errorf("make root read-only: %w", err)
		}
	}
	return b.pivot()
}

// view is a container's files through the descriptor of its root.
type view struct {
	tree
	descriptors int // the host's /proc/self/fd
}

func (v *view) serve(conn *Conn, req *FilesRequest) FilesReply {
	name := string(req.Path)
	if req.Do == FilesStat {
		st, err := v.stat(name)
		reply := filesReply(err)
		reply.Stat = st
		return reply
	}
	fds, err := conn.TakeFDs(1)
	if err != nil {
		return filesReply(err)
	}
	pipe := os.NewFile(uintptr(fds[0]), "pipe")
	defer pipe.Close()
	var counts pack.Counts
	switch req.Do {
	case FilesArchive:
		counts, err = v.archive(name, string(req.As), pipe)
	case FilesExtract:
		var t *fileTarget
		if t, err = v.target(name); err == nil {
			counts, err = pack.Extract(context.Background(), pipe, t, pack.Options{Into: t.dir, Owner: req.Owner})
			t.leave()
		}
	default:
		err = fmt.Errorf("serve client: no such request: %q", req.Do)
	}
	reply := filesReply(err)
	reply.Counts = counts
	return reply
}

func filesReply(err error) FilesReply {
	r := FilesReply{Kind: FilesOK}
	if err == nil {
		return r
	}
	r.Kind, r.Message = FilesFailed, []byte(err.Error())
	var refused *pack.RefusedError
	switch {
	case errors.As(err, &refused):
		r.Kind = FilesRefused
	case errors.Is(err, unix.EROFS):
		r.Kind, r.Message = FilesRefused, []byte(volumeReadOnly)
	case errors.Is(err, unix.ENOENT):
		r.Kind = FilesMissing
	}
	return r
}

// Docker's words for what can't be written.
const (
	rootReadOnly   = "container rootfs is marked read-only"
	volumeReadOnly = "mounted volume is marked read-only"
)

// made are the folders whose content the kernel makes up for a running container. They are empty here.
var made = [...]string{"/proc", "/sys", "/dev"}

// kernels tells which of made a path lies in, or is.
func kernels(real string) string {
	for _, dir := range made {
		if real == dir || strings.HasPrefix(real, dir) && real[len(dir)] == '/' {
			return dir
		}
	}
	return ""
}

// files tells whether the open folder fd is one of the container's own, and not of a file system that the kernel makes up.
func (v *view) files(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return false
	}
	switch int64(st.Type) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.DEBUGFS_MAGIC,
		unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.BINFMTFS_MAGIC, unix.NSFS_MAGIC, unix.EFIVARFS_MAGIC, unix.SELINUX_MAGIC:
		return false
	}
	real, err := v.realName(fd)
	return err == nil && kernels(real) == ""
}

// realName is where the open file fd is in the view.
func (v *view) realName(fd int) (string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Readlinkat(v.descriptors, strconv.Itoa(fd), buf)
	return string(buf[:n]), err
}

// find opens what a path leads to, as a name. The last part is followed if it ends in a slash or a dot.
func (v *view) find(name string) (int, error) {
	clean := path.Clean("/" + name)
	if asksFolder(name) {
		fd, err := v.open(clean, unix.O_PATH|unix.O_DIRECTORY, 0)
		if errors.Is(err, unix.ENOTDIR) {
			return -1, &pack.RefusedError{Msg: "lstat " + name + ": not a directory"}
		}
		return fd, pathError("lstat", name, noFolder(err))
	}
	fd, err := v.open(clean, unix.O_PATH|unix.O_NOFOLLOW, 0)
	return fd, pathError("lstat", name, noFolder(err))
}

// noFolder says of a path through what is no folder that there is nothing, as it is said of files.
func noFolder(err error) error {
	if errors.Is(err, unix.ENOTDIR) {
		return unix.ENOENT
	}
	return err
}

func asksFolder(name string) bool {
	return name == "" || name == "." || strings.HasSuffix(name, "/") || strings.HasSuffix(name, "/.")
}

func (v *view) stat(name string) (*FileStat, error) {
	fd, err := v.find(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, pathError("lstat", name, err)
	}
	real, err := v.realName(fd)
	if err != nil {
		return nil, pathError("lstat", name, err)
	}
	if dir := kernels(real); dir != "" && dir != real {
		return nil, pathError("lstat", name, unix.ENOENT)
	}
	out := &FileStat{Name: []byte(path.Base(path.Clean("/" + name))), Size: st.Size, Mode: st.Mode, ModTime: time.Unix(st.Mtim.Unix()), Real: []byte(real)}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		if p, ok := v.resolve(path.Clean("/" + name)); ok || len(p.parts) == 0 {
			out.Link = []byte("/" + p.upTo(len(p.parts)))
		}
	}
	return out, nil
}
