//go:build linux

package linux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/layer"
)

var (
	_ driver.FolderFiller = (*Snapshots)(nil)
	_ driver.FolderPlacer = (*Snapshots)(nil)
)

// fills holds, by the name of the folder, what is whole and on its way into it.
func (s *Snapshots) fills() string { return filepath.Join(s.home.Snapshots(), "fills") }

// FillFolder implements driver.FolderFiller. The copy is made apart, where no container reaches it, and then moved entry by entry: the folder
// itself stays the one that running containers may have mounted.
func (s *Snapshots) FillFolder(ctx context.Context, name string, chain digest.Digest, p string, durable bool) (driver.Filling, error) {
	done, err := s.fillFolder(ctx, name, chain, p, durable)
	if err != nil {
		return done, fmt.Errorf("fill folder %s: %w", name, err)
	}
	return done, nil
}

func (s *Snapshots) fillFolder(ctx context.Context, name string, chain digest.Digest, p string, durable bool) (done driver.Filling, err error) {
	to, err := s.FolderPath(name)
	if err != nil {
		return done, err
	}
	if err := s.finishFill(name); err != nil {
		return done, err
	}
	if has, err := os.ReadDir(to); err != nil || len(has) > 0 {
		return done, err
	}
	from, err := s.source(ctx, chain, p)
	if from == nil || err != nil {
		return done, err
	}
	defer from.Close()
	op, err := s.home.Begin("folder.fill")
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	made := filepath.Join(op.Dir(), "fill")
	if err := home.MakeFolders(made); err != nil {
		return done, err
	}
	if done, err = s.copyFolder(ctx, from, made); err != nil {
		return done, err
	}
	failpoint.Hit("folder.fill.copied")
	return done, s.install(made, name, durable)
}

// source opens the folder that p leads to in the tree of chain, nil if there is none.
func (s *Snapshots) source(ctx context.Context, chain digest.Digest, p string) (*os.File, error) {
	t, err := s.OpenChain(ctx, chain)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	fd, err := openIn(t.(*tree).root, path.Clean("/"+p), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: p, Err: err}
	}
	return os.NewFile(uintptr(fd), p), nil
}

// copyFolder copies an open folder of layers into the empty folder dir, through an archive in memory: what an archive can hold is what a layer
// can have.
func (s *Snapshots) copyFolder(ctx context.Context, from *os.File, dir string) (driver.Filling, error) {
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		buffered := bufio.NewWriterSize(w, 256<<10)
		a := archiver{ctx: ctx, out: layer.NewWriter(buffered), links: map[inode]string{}}
		err := a.folder(int(from.Fd()), ".")
		if err == nil {
			err = a.out.Close()
		}
		if err == nil {
			err = buffered.Flush()
		}
		_ = w.CloseWithError(err)
	}()
	a := applier{ctx: ctx, mode: s.mode}
	err := a.unpack(dir, r, ctx.Err)
	_ = r.Close()
	<-ended
	if err != nil {
		return driver.Filling{}, err
	}
	meta, err := metaOfFolder(".", procPath(int(from.Fd()), "."))
	if err != nil {
		return driver.Filling{}, err
	}
	return driver.Filling{Filled: true, Files: a.files, Bytes: a.bytes}, s.dress(dir, meta)
}

func (s *Snapshots) dress(dir string, meta dirMeta) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return setOpenMeta(fd, meta, s.mode)
}

// install gives the finished copy its place, from which on it will get into the folder, whoever moves it.
func (s *Snapshots) install(made, name string, durable bool) error {
	if durable {
		if err := syncFS(made); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(s.fills(), 0o700); err != nil {
		return err
	}
	if err := os.Rename(made, filepath.Join(s.fills(), name)); err != nil {
		return err
	}
	failpoint.Hit("folder.fill.placed")
	return s.finishFill(name)
}

// finishFill moves what is on its way to the folder name, if anything is. What the folder has got meanwhile stays.
func (s *Snapshots) finishFill(name string) error {
	at := filepath.Join(s.fills(), name)
	from, err := unix.Open(at, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: at, Err: err}
	}
	defer unix.Close(from)
	if err := s.moveInto(from, at, name); err != nil && !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	return home.RemoveTree(at)
}

func (s *Snapshots) moveInto(from int, at, name string) error {
	dir, err := s.FolderPath(name)
	if err != nil {
		return err
	}
	to, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(to)
	meta, err := metaOfFolder(".", at)
	if err != nil {
		return err
	}
	names, err := readNames(from)
	if err != nil {
		return err
	}
	for _, n := range names {
		err := unix.Renameat2(from, n, to, n, unix.RENAME_NOREPLACE)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return &os.LinkError{Op: "move", Old: filepath.Join(at, n), New: filepath.Join(dir, n), Err: err}
		}
		failpoint.Hit("folder.fill.moving")
	}
	if err := setOpenMeta(to, meta, s.mode); err != nil {
		return err
	}
	return unix.Fsync(to)
}

// FinishFills implements driver.FolderFiller.
func (s *Snapshots) FinishFills(ctx context.Context) error {
	names, err := home.Names(s.fills())
	if err != nil {
		return fmt.Errorf("list fillings: %w", err)
	}
	var problems []error
	for _, name := range names {
		if err := s.finishFill(name); err != nil {
			problems = append(problems, fmt.Errorf("fill folder %s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}
