//go:build linux

package wiring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// forwardIPv4 is the setting that all networks of a namespace share; the file is another one in each network namespace.
const forwardIPv4 = "/proc/sys/net/ipv4/ip_forward"

// lockRetry is the pause between two attempts: about what one Connect takes.
const lockRetry = 2 * time.Millisecond

// lock waits until no other process changes this namespace. The setting's file stands for the namespace: homes know nothing of one another,
// but their bridges share the setting.
func lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.Open(forwardIPv4)
	if err != nil {
		return nil, fmt.Errorf("lock the network namespace: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			break
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("lock the network namespace: %w", ctx.Err())
		case <-time.After(lockRetry):
		}
	}
	_ = f.Close()
	return nil, fmt.Errorf("lock the network namespace: %w", err)
}
