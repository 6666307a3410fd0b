package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is how often a lock that another holds is tried again.
const lockPoll = 2 * time.Millisecond

// Lock takes the lock that name stands for, waiting until ctx ends: exclusive for one holder, otherwise shared. The
// kernel drops it when the process dies. The returned function gives it back.
func (h *Home) Lock(ctx context.Context, name string, exclusive bool) (func(), error) {
	l := h.newLock(filepath.Join(h.locks(), name))
	if err := l.wait(ctx, exclusive); err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return l.release, nil
}

// LockFolder takes the exclusive lock of a folder, which lies in it and goes with it; fs.ErrNotExist if the folder is not there. On
// Windows a folder in which a file is open can't be moved: there the lock is one of the home's.
func (h *Home) LockFolder(ctx context.Context, dir string) (func(), error) {
	l := h.newLock(h.folderLock(dir), flock.SetPermissions(0o600))
	if err := l.wait(ctx, true); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if _, err := os.Lstat(dir); err != nil { // it was removed while we waited
		l.release()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return l.release, nil
}

// FolderLocked reports whether somebody holds the lock of a folder right now.
func (h *Home) FolderLocked(dir string) bool {
	l := h.newLock(h.folderLock(dir), flock.SetFlag(os.O_RDWR))
	ok, err := l.try(true)
	l.release()
	return err == nil && !ok
}

func (h *Home) folderLock(dir string) string {
	if h.beside {
		return filepath.Join(h.locks(), "folder-"+filepath.Base(dir))
	}
	return filepath.Join(dir, "lock")
}

// lock is one holder's lock on one file.
type lock struct {
	file *flock.Flock
	home *Home
	held bool // in home.solo
}

func (h *Home) newLock(path string, opts ...flock.Option) *lock {
	return &lock{file: flock.New(path, opts...), home: h}
}

// wait takes the lock, waiting until ctx ends.
func (l *lock) wait(ctx context.Context, exclusive bool) error {
	for {
		ok, err := l.try(exclusive)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// try takes the lock if nobody holds it.
func (l *lock) try(exclusive bool) (bool, error) {
	take := l.file.TryRLock
	if exclusive {
		take = l.file.TryLock
	}
	ok, err := take()
	if !ok && err == nil || !errors.Is(err, errors.ErrUnsupported) {
		if err != nil {
			_ = l.file.Close()
		}
		return ok, err
	}
	return l.trySolo(exclusive)
}

// trySolo takes the lock where the system has none. There no two processes share a home either, so that it is enough to remember
// what this one holds; the file is made all the same, for those who look for it.
func (l *lock) trySolo(exclusive bool) (bool, error) {
	if _, err := os.Stat(filepath.Dir(l.file.Path())); err != nil {
		return false, err
	}
	l.held = l.home.solo.take(l.file.Path(), exclusive)
	return l.held, nil
}

func (l *lock) release() {
	if l.held {
		l.home.solo.drop(l.file.Path())
		l.held = false
	}
	_ = l.file.Close()
}

// solo is who holds which lock in a process that has its homes for itself: -1 for one exclusive holder, else how many share it.
type solo struct {
	mu      sync.Mutex
	holders map[string]int
}

func (s *solo) take(path string, exclusive bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.holders[path]
	if n < 0 || exclusive && n > 0 {
		return false
	}
	if s.holders == nil {
		s.holders = map[string]int{}
	}
	s.holders[path] = n + 1
	if exclusive {
		s.holders[path] = -1
	}
	return true
}

func (s *solo) drop(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.holders[path]; n > 1 {
		s.holders[path] = n - 1
		return
	}
	delete(s.holders, path)
}

// locksBeside tells that a locked or open file keeps its folder from being moved, so that locks must lie elsewhere.
func locksBeside() bool { return runtime.GOOS == "windows" }

// rename is os.Rename. On Windows a file can't be replaced while somebody reads it, which never takes long here.
func rename(from, to string) error {
	err := os.Rename(from, to)
	for try := 0; err != nil && runtime.GOOS == "windows" && errors.Is(err, fs.ErrPermission) && try < 50; try++ {
		time.Sleep(lockPoll)
		err = os.Rename(from, to)
	}
	return err
}
