package depot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

const lockPoll = 2 * time.Millisecond

// lock is a lock on a file, which the kernel drops when the process dies. Where the system has none (WebAssembly) there is no second
// process either, and nothing is locked.
type lock struct{ file *flock.Flock }

func tryLock(path string) (*lock, bool, error) {
	l := &lock{flock.New(path)}
	ok, err := l.file.TryLock()
	if errors.Is(err, errors.ErrUnsupported) {
		return l, true, nil
	}
	if err != nil || !ok {
		_ = l.file.Close()
	}
	return l, ok, err
}

// waitLock takes a lock, waiting until ctx ends.
func waitLock(ctx context.Context, path string, exclusive bool) (*lock, error) {
	l := &lock{flock.New(path)}
	take := l.file.TryRLockContext
	if exclusive {
		take = l.file.TryLockContext
	}
	ok, err := take(ctx, lockPoll)
	if ok || errors.Is(err, errors.ErrUnsupported) {
		return l, nil
	}
	_ = l.file.Close()
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

func (l *lock) release() error { return l.file.Close() }
