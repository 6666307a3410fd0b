package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// holdLife takes the lock that says that the container in dir lives in this process. The system drops it when the process dies, however
// it does. A system without locks has but one process.
func holdLife(ctx context.Context, dir string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	l := flock.New(filepath.Join(dir, liveFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, time.Millisecond); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("take over container in %s: %w", dir, err)
	}
	return func() { _ = l.Close() }, nil
}

// lives reports whether a process holds the container in dir. Those who look share the lock, so they don't see each other.
func lives(dir string) bool {
	l := flock.New(filepath.Join(dir, liveFile), flock.SetFlag(os.O_RDWR), flock.SetPermissions(0o600))
	free, err := l.TryRLock()
	defer func() { _ = l.Close() }()
	return err == nil && !free
}

// awaitDeath waits until nobody holds the container in dir.
func awaitDeath(ctx context.Context, dir string, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for wait := 500 * time.Microsecond; lives(dir); wait = min(2*wait, 20*time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
		time.Sleep(wait)
	}
	return true
}
