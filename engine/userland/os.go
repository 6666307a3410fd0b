package userland

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// OS is the real machine as an Env.
func OS() Env {
	env := Env{FS: osFS{}, Starter: osStarter{}, User: User{UID: os.Getuid(), GID: os.Getgid()},
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Now: time.Now, Dialer: osDialer{}}
	env.User.Groups, _ = os.Getgroups()
	env.Dir, _ = os.Getwd()
	if env.Dir == "" {
		env.Dir = "/"
	}
	system(&env)
	return env
}

// osFS is the operating system's file tree.
type osFS struct{}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}
func (osFS) Stat(name string) (fs.FileInfo, error)         { return os.Stat(name) }
func (osFS) Lstat(name string) (fs.FileInfo, error)        { return os.Lstat(name) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error)    { return os.ReadDir(name) }
func (osFS) Mkdir(name string, perm fs.FileMode) error     { return os.Mkdir(name, perm) }
func (osFS) Rename(from, to string) error                  { return osRename(from, to) }
func (osFS) Symlink(target, name string) error             { return os.Symlink(target, name) }
func (osFS) Link(existing, name string) error              { return os.Link(existing, name) }
func (osFS) Readlink(name string) (string, error)          { return os.Readlink(name) }
func (osFS) Chmod(name string, mode fs.FileMode) error     { return os.Chmod(name, mode) }
func (osFS) Lchown(name string, uid, gid int) error        { return os.Lchown(name, uid, gid) }
func (osFS) Chtimes(name string, a, m time.Time) error     { return os.Chtimes(name, a, m) }
func (osFS) Attr(info fs.FileInfo) Attr                    { return osAttr(info) }
func (osFS) Mknod(n string, m fs.FileMode, d uint64) error { return osMknod(n, m, d) }

// Remove tells the error of unlink for files and of rmdir for folders, as rm and rmdir do.
func (osFS) Remove(name string) error { return os.Remove(name) }

// osStarter starts real processes.
type osStarter struct{}

func (osStarter) Start(ctx context.Context, c Command) (Child, error) {
	cmd := &exec.Cmd{Path: c.Path, Args: c.Args, Env: c.Environ, Dir: c.Dir, Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr}
	for _, stream := range c.Files {
		f, _ := stream.(*os.File) // only real files can be inherited
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	processGroup(cmd, c.Group)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &osChild{cmd: cmd, group: c.Group.ID != 0, stop: context.AfterFunc(ctx, func() { cmd.Process.Kill() })}, nil
}

func (osStarter) Replace(c Command) error { return replace(c) }

type osChild struct {
	cmd   *exec.Cmd
	group bool // in another group than ours: it may be stopped
	stop  func() bool
}

func (c *osChild) PID() int { return c.cmd.Process.Pid }

func (c *osChild) Signal(signal int) error { return c.cmd.Process.Signal(syscall.Signal(signal)) }

func (c *osChild) Wait() (int, error) {
	if c.group && stopped(c.cmd.Process.Pid) {
		return 0, ErrStopped
	}
	err := c.cmd.Wait()
	c.stop()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, err
	}
	return exitCode(c.cmd.ProcessState), nil
}

// isSelf tells whether path is the file of this very program.
func isSelf(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	self, err := os.Stat(selfExe())
	return err == nil && os.SameFile(info, self)
}
