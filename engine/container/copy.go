package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/pack"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// CopyOptions say how files are copied between a container and the host.
type CopyOptions struct {
	FollowLink bool // copy what the source leads to if it is a link
	Archive    bool // into a container: what is made belongs to the container's user, if it has one that is not root
	// Note gets what could not be made on the host, one sentence each; nil: nobody asks.
	Note func(string)
}

// Copied says what a copy came to.
type Copied struct {
	Bytes int64  // of the archive in which the files went
	To    string // where they went: a path of the host or of the container
}

// HostError is something on the host's side of a copy: docker's client says it, not its engine.
type HostError struct{ Err error }

func (e *HostError) Error() string { return e.Err.Error() }
func (e *HostError) Unwrap() error { return e.Err }

// CopyIn copies the file or folder source of the host, an absolute path, to the path dest of a container. Slashes and dots at the ends of
// paths mean what they mean to docker cp. Errors: *HostError, *driver.FileError, *InvalidError.
func (m *Manager) CopyIn(ctx context.Context, ref, source, dest string, o CopyOptions) (Copied, error) {
	src, err := hostSource(source, o.FollowLink)
	if err != nil {
		return Copied{}, &HostError{err}
	}
	var done Copied
	err = m.copyIn(ctx, ref, source, dest, func(ctx context.Context, c *Container, f driver.Files) (string, driver.FileCounts, error) {
		at, err := containerDest(ctx, f, ref, dest)
		if err != nil {
			return "", driver.FileCounts{}, err
		}
		dir, as, err := destine(src, at)
		if err != nil {
			return "", driver.FileCounts{}, err
		}
		done.To = at.path
		count := &counter{}
		counts, err := m.extract(ctx, c, f, dir, o, func(w io.Writer) error {
			count.w = w
			_, err := pack.Host{}.Archive(ctx, src.path, as, src.follow, count)
			return hostError(err)
		})
		done.Bytes = count.n
		return dir, counts, notFound(err, dir, ref)
	})
	return done, err
}

// CopyStream carries out an archive, plain or compressed, on the folder dest of a container.
func (m *Manager) CopyStream(ctx context.Context, ref string, tar io.Reader, dest string, o CopyOptions) error {
	return m.copyIn(ctx, ref, "-", dest, func(ctx context.Context, c *Container, f driver.Files) (string, driver.FileCounts, error) {
		at, err := containerDest(ctx, f, ref, dest)
		if err != nil {
			return "", driver.FileCounts{}, err
		}
		if !at.dir {
			return "", driver.FileCounts{}, &HostError{fmt.Errorf("destination \"%s:%s\" must be a directory", ref, dest)}
		}
		plain, _, err := layer.Decompress(tar)
		if err != nil {
			return "", driver.FileCounts{}, err
		}
		defer plain.Close()
		owner, err := m.copyOwner(ctx, c, o)
		if err != nil {
			return "", driver.FileCounts{}, err
		}
		counts, err := f.Extract(ctx, at.path, plain, driver.ExtractOptions{Owner: owner})
		return at.path, counts, notFound(err, at.path, ref)
	})
}

// copyIn opens the container's files, has do copy into them, and tells of it.
func (m *Manager) copyIn(ctx context.Context, ref, source, dest string, do func(context.Context, *Container, driver.Files) (dir string, counts driver.FileCounts, err error)) error {
	return m.withFiles(ctx, ref, dest, func(ctx context.Context, c *Container, f driver.Files) error {
		ctx, end := trace.Step(ctx, vocab.ContainerCopyIn, trace.String("container", c.ID), trace.String("source", source), trace.String("path", dest))
		dir, counts, err := do(ctx, c, f)
		into := ""
		if err == nil {
			into = m.holder(ctx, c, f, dir)
		}
		end(err, trace.String("into", into), trace.Int("files", int64(counts.Files)), trace.Int("size_bytes", counts.Bytes))
		return err
	})
}

// extract has write make an archive that is carried out on dir meanwhile.
func (m *Manager) extract(ctx context.Context, c *Container, f driver.Files, dir string, o CopyOptions, write func(io.Writer) error) (driver.FileCounts, error) {
	owner, err := m.copyOwner(ctx, c, o)
	if err != nil {
		return driver.FileCounts{}, err
	}
	r, w := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = w.CloseWithError(write(w))
	}()
	counts, err := f.Extract(ctx, dir, r, driver.ExtractOptions{Owner: owner})
	_ = r.Close()
	<-written
	return counts, err
}

// copyOwner is who owns what is copied into a container: as the source has it, unless an archive-mode copy goes to a container with a
// user of its own. (So docker's engine does it, whatever its manual says.)
func (m *Manager) copyOwner(ctx context.Context, c *Container, o CopyOptions) (*driver.Owner, error) {
	if !o.Archive || c.Config.User == "" {
		return nil, nil
	}
	who, err := m.identify(ctx, c.ID, c.Config.User, nil)
	if err != nil {
		return nil, err
	}
	return &driver.Owner{UID: int(who.uid), GID: int(who.gid)}, nil
}

// CopyOut copies the file or folder at the path source of a container to dest on the host, an absolute path.
func (m *Manager) CopyOut(ctx context.Context, ref, source, dest string, o CopyOptions) (Copied, error) {
	at, err := hostDest(dest)
	if err != nil {
		return Copied{}, &HostError{err}
	}
	done := Copied{To: dest}
	err = m.copyOut(ctx, ref, source, dest, o, func(ctx context.Context, f driver.Files, from string, src copySource) (driver.FileCounts, error) {
		dir, as, err := destine(src, at)
		if err != nil {
			return driver.FileCounts{}, err
		}
		host := pack.Host{}
		if o.Note != nil {
			host.Skipped = func(name, reason string) { o.Note(fmt.Sprintf("%s is not copied: %s", name, reason)) }
		}
		r, w := io.Pipe()
		extracted := make(chan error, 1)
		go func() {
			_, err := host.Extract(ctx, dir, r)
			_, _ = io.Copy(io.Discard, r) // what comes after the archive's end
			_ = r.CloseWithError(err)
			extracted <- hostError(err)
		}()
		count := &counter{w: w}
		counts, err := f.Archive(ctx, from, as, count)
		_ = w.CloseWithError(err)
		done.Bytes = count.n
		if local := <-extracted; local != nil && !errors.Is(local, err) || err == nil {
			err = local
		}
		return counts, err
	})
	return done, err
}

// CopyArchive writes the file or folder at the path source of a container as an archive.
func (m *Manager) CopyArchive(ctx context.Context, ref, source string, w io.Writer, o CopyOptions) error {
	return m.copyOut(ctx, ref, source, "-", o, func(ctx context.Context, f driver.Files, from string, src copySource) (driver.FileCounts, error) {
		return f.Archive(ctx, from, src.name, w)
	})
}

func (m *Manager) copyOut(ctx context.Context, ref, source, dest string, o CopyOptions, do func(ctx context.Context, f driver.Files, from string, src copySource) (driver.FileCounts, error)) error {
	return m.withFiles(ctx, ref, source, func(ctx context.Context, c *Container, f driver.Files) error {
		ctx, end := trace.Step(ctx, vocab.ContainerCopyOut, trace.String("container", c.ID), trace.String("path", source), trace.String("dest", dest))
		var counts driver.FileCounts
		from, src, err := containerSource(ctx, f, ref, source, o.FollowLink)
		if err == nil {
			counts, err = do(ctx, f, from, src)
			err = notFound(err, source, ref)
		}
		end(err, trace.Int("files", int64(counts.Files)), trace.Int("size_bytes", counts.Bytes))
		return err
	})
}

// withFiles opens a container's files for as long as do takes. One that does not run is locked meanwhile: it can't be started or removed.
func (m *Manager) withFiles(ctx context.Context, ref, name string, do func(context.Context, *Container, driver.Files) error) error {
	if name == "" {
		return invalid("bad parameter: path cannot be empty")
	}
	opener, ok := m.runtime.(driver.FileOpener)
	if !ok {
		return unsupported("copy files of a container")
	}
	for tries := 0; ; tries++ {
		c, err := m.own(ctx, ref)
		if err == nil {
			err = m.reachable(c)
		}
		if err != nil {
			return err
		}
		changed := false
		if c.State.Running {
			err = m.useFiles(ctx, opener, c, do)
			changed = errors.Is(err, errNotOpened)
		} else {
			err = m.locked(ctx, c.ID, func(c *Container) error {
				if changed = c.State.Live() || c.State.Starting; changed {
					return nil
				}
				if err := m.reachable(c); err != nil {
					return err
				}
				return m.useFiles(ctx, opener, c, do)
			})
		}
		if !changed || tries == 5 {
			return err
		}
	}
}

func (m *Manager) reachable(c *Container) error {
	if c.Problem != nil {
		return c.Problem
	}
	if c.State.Removing {
		return conflict("can't copy files of container %s, which is being removed", c.ID)
	}
	return nil
}

// errNotOpened says that a container ended before its files were opened: they are to be opened in another way.
var errNotOpened = errors.New("the container ended")

func (m *Manager) useFiles(ctx context.Context, opener driver.FileOpener, c *Container, do func(context.Context, *Container, driver.Files) error) error {
	spec := driver.Spec{ID: c.ID, Dir: m.dir(c.ID), Key: c.ID, Hostname: c.Config.Hostname, ReadOnly: c.HostConfig.ReadonlyRootfs, Ephemeral: m.ephemeral(c)}
	if err := m.specStorage(ctx, c, &spec); err != nil {
		return err
	}
	f, err := opener.OpenFiles(ctx, spec)
	if errors.Is(err, driver.ErrNotRunning) {
		return errors.Join(errNotOpened, err)
	}
	if err != nil {
		return err
	}
	err = do(ctx, c, f)
	return errors.Join(err, f.Close())
}

// notFound is what docker says of a path that is not there.
func notFound(err error, name, ref string) error {
	if !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	for _, dir := range []string{"/proc/", "/sys/", "/dev/"} {
		if strings.HasPrefix(path.Clean("/"+name), dir) {
			return &driver.FileError{Msg: fmt.Sprintf("Could not find the file %s in container %s: what is in %s is made by the kernel for the running container, "+
				"and no file of it; docker exec can read it", name, ref, path.Clean(dir))}
		}
	}
	return &driver.FileError{Msg: fmt.Sprintf("Could not find the file %s in container %s", name, ref)}
}

// holder says in a few words what keeps the files of a container's folder: its writable layer, or what is mounted there.
func (m *Manager) holder(ctx context.Context, c *Container, f driver.Files, dir string) string {
	real := path.Clean("/" + dir)
	if st, err := f.Stat(ctx, dir+"/."); err == nil {
		real = st.Real
	}
	var spec driver.Spec
	if m.specStorage(ctx, c, &spec) != nil {
		return ""
	}
	best, words := "", "the writable layer"
	for _, mnt := range spec.Mounts {
		if (real == mnt.Target || strings.HasPrefix(real, mnt.Target+"/")) && len(mnt.Target) > len(best) {
			best, words = mnt.Target, mountWords(mnt)
		}
	}
	return words
}

func mountWords(mnt driver.Mount) string {
	switch mnt.Type {
	case "folder":
		return "volume " + mnt.Source
	case "bind":
		return "folder " + mnt.Source + " of the host"
	case "tmpfs":
		return "memory"
	}
	return "a mount of type " + mnt.Type
}
