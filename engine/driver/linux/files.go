//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/driver/pack"
	"github.com/learn-containers/learn/engine/failpoint"
)

// OpenFiles implements driver.FileOpener: a stage of our binary enters the view of the running container, or makes one of a container
// that does not run, and does there what is asked over a connection.
func (r *Runtime) OpenFiles(ctx context.Context, spec driver.Spec) (driver.Files, error) {
	t := &task{runtime: r, id: spec.ID, dir: spec.Dir, spec: &spec}
	st, err := t.Status(ctx)
	if err != nil {
		return nil, err
	}
	var f *files
	if st.State == driver.Running || st.State == driver.Paused {
		f, err = t.joinFiles(ctx)
	} else {
		f, err = t.buildFiles(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open files of %s: %w", spec.ID, err)
	}
	return f, nil
}

// files is the connection to a files stage. It implements driver.Files.
type files struct {
	conn *shim.Conn
	end  func() // returns when the stage is gone
}

// connectFiles makes a connection, of which start gives the far end to a stage, and sends the stage its order.
func connectFiles(ctx context.Context, order shim.FilesOrder, start func(far int) (end func(), err error)) (*files, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	end, err := start(pair[1])
	unix.Close(pair[1])
	if err != nil {
		unix.Close(pair[0])
		return nil, err
	}
	conn, err := shim.NewConn(pair[0])
	if err != nil {
		end()
		return nil, err
	}
	f := &files{conn, end}
	if err := conn.Send(order); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.receive(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// joinFiles has the supervisor start the stage: it may enter where a rootless command may not.
func (t *task) joinFiles(ctx context.Context) (*files, error) {
	return connectFiles(ctx, shim.FilesOrder{}, func(far int) (func(), error) {
		conn, err := shim.Dial(t.dir)
		if err != nil {
			return nil, errors.Join(driver.ErrNotRunning, err)
		}
		l := bareWire(conn)
		if err := conn.Send(shim.Request{Do: shim.DoFiles, Stdin: true}, far); err != nil {
			l.close()
			return nil, err
		}
		reply, err := l.receive(ctx)
		if err == nil {
			err = t.replyError(reply)
		}
		if err != nil {
			l.close()
			return nil, err
		}
		return func() {
			_, _ = l.receive(context.WithoutCancel(ctx)) // it ends with its connection
			l.close()
		}, nil
	})
}

// buildFiles starts the stage itself, in a mount namespace of its own.
func (t *task) buildFiles(ctx context.Context) (*files, error) {
	root, err := t.root(t.spec.Key)
	if err != nil {
		return nil, err
	}
	if err := writeNames(t.spec); err != nil {
		return nil, err
	}
	// What is changed now no events tell; so the next start does.
	if err := os.Remove(filepath.Join(t.dir, shim.ReportedFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	cfg := &shim.Config{ID: t.spec.ID, Dir: t.spec.Dir, Key: t.spec.Key, Hostname: t.spec.Hostname, Root: root, Scratch: root.Lowers[len(root.Lowers)-1],
		ReadOnly: t.spec.ReadOnly, Rootless: t.runtime.mode.Rootless}
	mounts, err := t.mounts()
	if err != nil {
		return nil, err
	}
	for _, m := range mounts {
		if m.Type != "tmpfs" { // what is in memory is gone
			cfg.Mounts = append(cfg.Mounts, m)
		}
	}
	return connectFiles(ctx, shim.FilesOrder{Config: cfg}, spawnFiles)
}

// spawnFiles starts a stage that lives no longer than this process. Nothing of the environment goes along.
func spawnFiles(far int) (func(), error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(null)
	runtime.LockOSThread() // the stage dies with the thread that forked it
	defer runtime.UnlockOSThread()
	fd := uintptr(null)
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"learn-" + shim.StageFiles}, &syscall.ProcAttr{Dir: "/",
		Env: shim.FilesEnv(), Files: []uintptr{fd, fd, fd, uintptr(far)}, Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}})
	if err != nil {
		return nil, fmt.Errorf("start stage: %w", namespaceHint(err))
	}
	return func() {
		for {
			if _, err := syscall.Wait4(pid, nil, 0, nil); !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	}, nil
}

// Close implements driver.Files. When it returns nothing is mounted any more.
func (f *files) Close() error {
	if f.end == nil {
		return nil
	}
	err := f.conn.Close()
	f.end()
	f.end = nil
	return err
}

// receive waits for an answer, and gives its error in the words of the seam.
func (f *files) receive(ctx context.Context) (shim.FilesReply, error) {
	stop := context.AfterFunc(ctx, f.conn.Interrupt)
	defer stop()
	var r shim.FilesReply
	if err := f.conn.Receive(&r); err != nil {
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the stage went away; the container may have ended: %w", driver.ErrNotRunning)
		}
		return r, err
	}
	switch r.Kind {
	case shim.FilesOK:
		return r, nil
	case shim.FilesRefused:
		return r, &driver.FileError{Msg: string(r.Message)}
	case shim.FilesMissing:
		return r, fmt.Errorf("%s: %w", r.Message, driver.ErrNotFound)
	}
	return r, errors.New(string(r.Message))
}

// Stat implements driver.Files.
func (f *files) Stat(ctx context.Context, path string) (driver.FileStat, error) {
	if err := f.conn.Send(shim.FilesRequest{Do: shim.FilesStat, Path: []byte(path)}); err != nil {
		return driver.FileStat{}, err
	}
	r, err := f.receive(ctx)
	if err != nil || r.Stat == nil {
		return driver.FileStat{}, err
	}
	s := r.Stat
	return driver.FileStat{Name: string(s.Name), Size: s.Size, Mode: modeOf(s.Mode), ModTime: s.ModTime, Link: string(s.Link), Real: string(s.Real)}, nil
}

// modeOf is a mode of stat(2) as package fs has it.
func modeOf(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	m |= map[uint32]fs.FileMode{unix.S_IFDIR: fs.ModeDir, unix.S_IFLNK: fs.ModeSymlink, unix.S_IFCHR: fs.ModeDevice | fs.ModeCharDevice,
		unix.S_IFBLK: fs.ModeDevice, unix.S_IFIFO: fs.ModeNamedPipe, unix.S_IFSOCK: fs.ModeSocket}[mode&unix.S_IFMT]
	for bit, flag := range map[uint32]fs.FileMode{unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky} {
		if mode&bit != 0 {
			m |= flag
		}
	}
	return m
}

// Archive implements driver.Files.
func (f *files) Archive(ctx context.Context, path, as string, w io.Writer) (driver.FileCounts, error) {
	failpoint.Hit("files.archive.before")
	return f.move(ctx, shim.FilesRequest{Do: shim.FilesArchive, Path: []byte(path), As: []byte(as)}, func(near, far *os.File) (ours, theirs *os.File, copy func() error) {
		return near, far, func() error {
			_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{near}, make([]byte, copyBytes))
			return err
		}
	})
}

// Extract implements driver.Files.
func (f *files) Extract(ctx context.Context, dir string, tar io.Reader, o driver.ExtractOptions) (driver.FileCounts, error) {
	failpoint.Hit("files.extract.before")
	req := shim.FilesRequest{Do: shim.FilesExtract, Path: []byte(dir)}
	if o.Owner != nil {
		req.Owner = &pack.Owner{UID: o.Owner.UID, GID: o.Owner.GID}
	}
	return f.move(ctx, req, func(r, w *os.File) (ours, theirs *os.File, copy func() error) {
		return w, r, func() error {
			_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{tar}, make([]byte, copyBytes))
			failpoint.Hit("files.extract.copied")
			if errors.Is(err, unix.EPIPE) {
				err = nil // the stage has read enough, or says what is wrong
			}
			return err
		}
	})
}

// move makes a request with one end of a pipe and copies through the other meanwhile. An error of the copying comes first: it is the cause.
// When it returns the copying has ended, unless the stage gave up and the source waits in a Read of its own.
func (f *files) move(ctx context.Context, req shim.FilesRequest, ends func(r, w *os.File) (ours, theirs *os.File, copy func() error)) (driver.FileCounts, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return driver.FileCounts{}, err
	}
	ours, theirs, copy := ends(r, w)
	if err := f.request(req, theirs); err != nil {
		return driver.FileCounts{}, errors.Join(err, r.Close(), w.Close())
	}
	_ = theirs.Close()
	stop := context.AfterFunc(ctx, func() { _ = ours.Close() })
	defer stop()
	var cause atomic.Pointer[error]
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := copy(); err != nil {
			cause.Store(&err)
		}
		_ = ours.Close()
	}()
	reply, err := f.receive(ctx)
	if err == nil || req.Do == shim.FilesArchive {
		<-done
	}
	counts := driver.FileCounts{Files: reply.Counts.Files, Bytes: reply.Counts.Bytes}
	if ctx.Err() != nil {
		return counts, ctx.Err()
	}
	if c := cause.Load(); c != nil {
		return counts, *c
	}
	return counts, err
}

func (f *files) request(req shim.FilesRequest, pipe *os.File) error {
	fd, err := rawFD(pipe)
	if err != nil {
		return err
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeBytes) // a user may not have so much: no harm
	return f.conn.Send(req, fd)
}

const pipeBytes = 1 << 20
