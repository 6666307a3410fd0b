package userland

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"mvdan.cc/sh/v3/interp"
)

// spoken is an error in the C library's words that keeps its cause.
type spoken struct{ error }

func (s spoken) Error() string { return reason(s.error) }
func (s spoken) Unwrap() error { return s.error }

// openRedirect opens what a redirection names, for the interpreter.
func (sh *shell) openRedirect(ctx context.Context, name string, flag int, _ fs.FileMode) (io.ReadWriteCloser, error) {
	f, err := sh.openPath(ctx, name, flag)
	if err != nil || flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		return f, err
	}
	sh.mu.Lock()
	own := sh.reading != "" && sh.reading == name
	sh.reading = ""
	sh.mu.Unlock()
	if _, real := f.(*os.File); real || own {
		return f, nil
	}
	return sh.inputs.add(f), nil
}

// openPath opens a file, a descriptor by the name that a rewritten script has for it, or the text of a here-document.
func (sh *shell) openPath(ctx context.Context, name string, flag int) (io.ReadWriteCloser, error) {
	if text, ok := documentText(name); ok {
		return &document{r: strings.NewReader(text)}, nil
	}
	t := sh.inner(interp.HandlerCtx(ctx))
	fd, ok := descriptorName(name)
	if !ok && !sh.onHost() {
		fd, ok = ownStream(name)
	}
	if ok {
		f, err := sh.copyOf(t, fd)
		if err != nil {
			return nil, &os.PathError{Op: sh.name + ":", Path: fd, Err: spoken{err}}
		}
		return f, nil
	}
	f, err := sh.FS.OpenFile(t.abs(name), flag, 0o666)
	if err == nil {
		return f, nil
	}
	op := sh.name + ": can't open"
	if flag&os.O_CREATE != 0 {
		op = sh.name + ": can't create"
	}
	return nil, &os.PathError{Op: op, Path: name, Err: spoken{err}}
}

// ownStream is the number of a standard stream that a name means.
func ownStream(name string) (string, bool) {
	switch name {
	case "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return "0", true
	case "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return "1", true
	case "/dev/stderr", "/dev/fd/2", "/proc/self/fd/2":
		return "2", true
	}
	return "", false
}

func (sh *shell) statPath(ctx context.Context, name string, follow bool) (fs.FileInfo, error) {
	if fd, ok := strings.CutPrefix(path.Base(name), wordTerminal); ok {
		if runTest(sh.inner(interp.HandlerCtx(ctx)), []string{"-t", fd}) == 0 {
			return nil, nil
		}
		return nil, fs.ErrNotExist
	}
	if follow {
		return sh.FS.Stat(name)
	}
	return sh.FS.Lstat(name)
}

func (sh *shell) readDir(ctx context.Context, name string) ([]fs.DirEntry, error) {
	if !path.IsAbs(name) {
		name = path.Join(interp.HandlerCtx(ctx).Dir, name)
	}
	return sh.FS.ReadDir(name)
}

// access judges by the mode bits, as access(2) does on a plain file system.
func (sh *shell) access(_ context.Context, name string, mode interp.AccessMode) error {
	return sh.mayAccess(name, uint32(mode))
}

// mayAccess is access(2): want is a sum of 4 read, 2 write, 1 execute.
func (t *task) mayAccess(name string, want uint32) error {
	info, err := t.FS.Stat(t.abs(name))
	if err != nil {
		return err
	}
	mode := uint32(info.Mode().Perm())
	if t.User.UID == 0 {
		if want&1 != 0 && !info.IsDir() && mode&0o111 == 0 {
			return syscall.EACCES
		}
		return nil
	}
	a, shift := t.attr(info), uint(0)
	switch {
	case a.UID == t.User.UID:
		shift = 6
	case t.inGroup(a.GID):
		shift = 3
	}
	if mode>>shift&want != want {
		return syscall.EACCES
	}
	return nil
}

func (t *task) inGroup(gid int) bool {
	if gid == t.User.GID {
		return true
	}
	for _, g := range t.User.Groups {
		if g == gid {
			return true
		}
	}
	return false
}

// lookPath finds a command in PATH: its absolute file, or ENOENT, or EACCES when what was found may not run.
func (t *task) lookPath(name string) (string, error) {
	usable := func(file string) error {
		info, err := t.FS.Stat(file)
		switch {
		case err != nil:
			return err
		case info.IsDir():
			return syscall.EISDIR
		}
		return t.mayAccess(file, 1)
	}
	if containsSlash(name) {
		file := t.abs(name)
		return file, usable(file)
	}
	list := t.env("PATH")
	if _, set := lookupEnv(t.Environ, "PATH"); !set {
		list = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	result := error(syscall.ENOENT)
	for _, dir := range splitPath(list) {
		file := path.Join(t.abs(dir), name)
		err := usable(file)
		if err == nil {
			return file, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			result = syscall.EACCES
		}
	}
	if _, ours := lookup(name); ours && t.Starter == nil { // it runs within the one who asks, and needs no file
		return name, nil
	}
	return "", result
}
