package sim

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/folder"
	"github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
	"github.com/learn-containers/learn/engine/failpoint"
)

// OpenFiles implements driver.FileOpener: those of a container that runs are reached where it lives, others are put together here.
func (r *Runtime) OpenFiles(ctx context.Context, spec driver.Spec) (driver.Files, error) {
	t := &task{runtime: r, id: spec.ID, dir: spec.Dir, spec: &spec}
	st, err := t.Status(ctx)
	if err != nil {
		return nil, err
	}
	if st.State == driver.Running || st.State == driver.Paused {
		return farFiles{t}, nil
	}
	f, err := r.buildFiles(ctx, &spec)
	if err != nil {
		return nil, fmt.Errorf("open files of %s: %w", spec.ID, err)
	}
	return f, nil
}

// nearFiles are the files of a container that does not run.
type nearFiles struct {
	fileView
	unions []*tree.Union
}

// buildFiles puts together what a container that does not run would see of its own files: no kernel's file systems, no memory.
func (r *Runtime) buildFiles(ctx context.Context, spec *driver.Spec) (*nearFiles, error) {
	if err := writeNames(spec); err != nil {
		return nil, err
	}
	root, err := r.trees.Open(ctx, spec.Key, nil)
	if err != nil {
		return nil, err
	}
	b := &builder{spec: spec, now: r.machine.clock.Now, root: root, ns: vfs.New(root), home: r.home, trees: r.trees,
		unions: map[string]*tree.Union{}, folders: map[string]*folder.FS{}}
	b.view = b.ns.View(vfs.Cred{Privileged: true}, nobody{b.now})
	f := &nearFiles{fileView: newFileView(b.ns, nobody{b.now}), unions: []*tree.Union{root}}
	if err := b.buildFiles(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for _, u := range b.unions {
		f.unions = append(f.unions, u)
	}
	return f, nil
}

func (b *builder) buildFiles() error {
	if err := b.bindNames(); err != nil {
		return err
	}
	for _, m := range b.spec.Mounts {
		if m.Type == "tmpfs" {
			continue // what is in memory is gone
		}
		if err := b.mountOne(&m); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	if b.spec.ReadOnly {
		return b.ns.Remount("/", "ro")
	}
	return nil
}

// Archive implements driver.Files.
func (f *nearFiles) Archive(ctx context.Context, path, as string, w io.Writer) (driver.FileCounts, error) {
	failpoint.Hit("files.archive.before")
	return f.fileView.Archive(ctx, path, as, w)
}

// Extract implements driver.Files.
func (f *nearFiles) Extract(ctx context.Context, dir string, r io.Reader, o driver.ExtractOptions) (driver.FileCounts, error) {
	failpoint.Hit("files.extract.before")
	counts, err := f.fileView.Extract(ctx, dir, r, o)
	failpoint.Hit("files.extract.copied")
	return counts, err
}

// Close implements driver.Files: what was written is on disk then.
func (f *nearFiles) Close() error {
	var err error
	for _, u := range f.unions {
		err = errors.Join(err, u.Close())
	}
	f.unions = nil
	return err
}

// farFiles are the files of a container that runs, here or in a supervisor. Every call is a connection.
type farFiles struct{ task *task }

// Close implements driver.Files.
func (farFiles) Close() error { return nil }

// call makes one request with the streams that it needs.
func (f farFiles) call(ctx context.Context, req filesRequest, s driver.Streams) (*filesReply, error) {
	l, err := f.task.dial(request{Do: doFiles, Files: &req}, s)
	if err != nil {
		return &filesReply{}, err
	}
	defer l.close()
	r, err := l.receive(ctx)
	if err == nil {
		err = f.task.replyError(r)
	}
	f.task.handOut(ctx)
	if err != nil || r.Files == nil {
		return &filesReply{}, err
	}
	if r.Files.Refused != "" {
		err = &driver.FileError{Msg: r.Files.Refused}
	}
	return r.Files, err
}

// Stat implements driver.Files.
func (f farFiles) Stat(ctx context.Context, path string) (driver.FileStat, error) {
	r, err := f.call(ctx, filesRequest{Do: filesStat, Path: []byte(path)}, driver.Streams{})
	if err != nil || r.Stat == nil {
		return driver.FileStat{}, err
	}
	s := *r.Stat
	return driver.FileStat{Name: string(s.Name), Size: s.Size, Mode: s.Mode, ModTime: s.ModTime, Link: string(s.Link), Real: string(s.Real)}, nil
}

// Archive implements driver.Files.
func (f farFiles) Archive(ctx context.Context, path, as string, w io.Writer) (driver.FileCounts, error) {
	failpoint.Hit("files.archive.before")
	out := &checked{w: w}
	r, err := f.call(ctx, filesRequest{Do: filesArchive, Path: []byte(path), As: []byte(as)}, driver.Streams{Stdout: out})
	if out.err != nil {
		err = out.err
	}
	return r.Counts, err
}

// checked remembers why a stream could not be written: connections drop what nobody takes.
type checked struct {
	w   io.Writer
	err error
}

func (c *checked) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(p)
	c.err = err
	return n, err
}

// Extract implements driver.Files.
func (f farFiles) Extract(ctx context.Context, dir string, tar io.Reader, o driver.ExtractOptions) (driver.FileCounts, error) {
	failpoint.Hit("files.extract.before")
	in := &source{r: tar}
	r, err := f.call(ctx, filesRequest{Do: filesExtract, Path: []byte(dir), Owner: o.Owner}, driver.Streams{Stdin: in})
	failpoint.Hit("files.extract.copied")
	if cause := in.cause(); cause != nil {
		err = cause
	}
	return r.Counts, err
}
