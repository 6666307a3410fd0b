package vfs

import (
	"io/fs"
	"syscall"
	"time"

	"github.com/learn-containers/learn/engine/driver/sim/fsys"
	"github.com/learn-containers/learn/engine/userland"
)

// Namespace is the mount table of one container.
type Namespace struct{ root fsys.FS }

// New makes a namespace with root mounted at /.
func New(root fsys.FS) *Namespace { return &Namespace{root} }

// Mount is one file system in the tree.
type Mount struct {
	FS           fsys.FS
	Source, Type string
	Options      []string // ro, nosuid, nodev, noexec, ... and those of the file system
	File         string   // of a bind mount of one file: its name in FS; "." or empty for a folder
}

func (n *Namespace) Mount(target string, m Mount) error       { return syscall.ENOSYS }
func (n *Namespace) Unmount(target string, lazy bool) error   { return syscall.ENOSYS }
func (n *Namespace) Mounts() []userland.MountEntry            { return nil }
func (n *Namespace) Remount(target string, o ...string) error { return syscall.ENOSYS }
func (n *Namespace) View(c Cred, p Process) *View             { return &View{n, c, p} }

type View struct {
	ns   *Namespace
	cred Cred
	p    Process
}

func (v *View) OpenFile(name string, flag int, perm fs.FileMode) (userland.File, error) {
	return nil, syscall.ENOSYS
}
func (v *View) Stat(name string) (fs.FileInfo, error)         { return nil, syscall.ENOSYS }
func (v *View) Lstat(name string) (fs.FileInfo, error)        { return nil, syscall.ENOSYS }
func (v *View) ReadDir(name string) ([]fs.DirEntry, error)    { return nil, syscall.ENOSYS }
func (v *View) Mkdir(name string, perm fs.FileMode) error     { return syscall.ENOSYS }
func (v *View) Remove(name string) error                      { return syscall.ENOSYS }
func (v *View) Rename(from, to string) error                  { return syscall.ENOSYS }
func (v *View) Symlink(target, name string) error             { return syscall.ENOSYS }
func (v *View) Link(existing, name string) error              { return syscall.ENOSYS }
func (v *View) Readlink(name string) (string, error)          { return "", syscall.ENOSYS }
func (v *View) Chmod(name string, mode fs.FileMode) error     { return syscall.ENOSYS }
func (v *View) Lchown(name string, uid, gid int) error        { return syscall.ENOSYS }
func (v *View) Chtimes(name string, a, m time.Time) error     { return syscall.ENOSYS }
func (v *View) Attr(info fs.FileInfo) userland.Attr           { return userland.Attr{} }
func (v *View) Mknod(n string, m fs.FileMode, d uint64) error { return syscall.ENOSYS }
func (v *View) Xattrs(name string) (map[string]string, error) { return nil, syscall.ENOSYS }
func (v *View) SetXattr(name, attr, value string) error       { return syscall.ENOSYS }
func (v *View) RemoveXattr(name, attr string) error           { return syscall.ENOSYS }
func (v *View) List() ([]userland.MountEntry, error)          { return nil, syscall.ENOSYS }
func (v *View) Space(name string) (userland.Space, error)     { return userland.Space{}, syscall.ENOSYS }
func (v *View) Mount(m userland.MountEntry) error             { return syscall.ENOSYS }
func (v *View) Unmount(target string, lazy bool) error        { return syscall.ENOSYS }

// Umask sets the file mode creation mask and gives the old one.
func (v *View) Umask(mask int) int { return 0 }

// CheckExec tells whether name may be executed: EACCES if not, ENOENT and the like if it is not there.
func (v *View) CheckExec(name string) error { return syscall.ENOSYS }

// CheckDir tells whether name may become a working folder.
func (v *View) CheckDir(name string) error { return syscall.ENOSYS }

// Real is the name without links, dots and double slashes.
func (v *View) Real(name string) (string, error) { return "", syscall.ENOSYS }

type Tmpfs struct{}

// NewTmpfs makes an empty file system in memory whose root has mode. limit is its size in bytes, 0 for none. account, which may be nil,
// is told of every growth and may refuse it.
func NewTmpfs(limit int64, mode uint32, now func() time.Time, account func(delta int64) error) *Tmpfs {
	return nil
}

func (t *Tmpfs) Lstat(name string) (fsys.Attr, error)                { return fsys.Attr{}, syscall.ENOSYS }
func (t *Tmpfs) ReadDir(name string) ([]fsys.Dirent, error)          { return nil, syscall.ENOSYS }
func (t *Tmpfs) Readlink(name string) (string, error)                { return "", syscall.ENOSYS }
func (t *Tmpfs) Open(name string, how fsys.How) (fsys.Handle, error) { return nil, syscall.ENOSYS }
func (t *Tmpfs) Make(name string, n fsys.New) error                  { return syscall.ENOSYS }
func (t *Tmpfs) Link(existing, name string) error                    { return syscall.ENOSYS }
func (t *Tmpfs) Remove(name string) error                            { return syscall.ENOSYS }
func (t *Tmpfs) RemoveDir(name string) error                         { return syscall.ENOSYS }
func (t *Tmpfs) Rename(from, to string) error                        { return syscall.ENOSYS }
func (t *Tmpfs) Set(name string, c fsys.Change) error                { return syscall.ENOSYS }
func (t *Tmpfs) Xattr(name string) (map[string]string, error)        { return nil, syscall.ENOSYS }
func (t *Tmpfs) SetXattr(name, attr, value string) error             { return syscall.ENOSYS }
func (t *Tmpfs) RemoveXattr(name, attr string) error                 { return syscall.ENOSYS }
func (t *Tmpfs) Space() (total, free, files, filesFree int64)        { return }

// NewBind gives a folder or a single file of the host; a file is the name "." of its file system.
func NewBind(hostPath string, readOnly bool) (fsys.FS, error) { return nil, syscall.ENOSYS }

// NewProc is /proc.
func NewProc(src ProcSource) fsys.FS { return nil }

// NewSys is /sys.
func NewSys(src ProcSource) fsys.FS { return nil }

// NewDev is /dev. console is the terminal that is /dev/console, 0 for none.
func NewDev(now func() time.Time, console uint64) *Tmpfs { return nil }

// NewPts is /dev/pts with its ptmx; the kernel makes and removes the nodes of terminals in it.
func NewPts(now func() time.Time) *Tmpfs { return nil }

// StandardDevice gives null, zero, full, random and urandom; false for any other number.
func StandardDevice(rdev uint64) (Stream, bool) { return nil, false }
