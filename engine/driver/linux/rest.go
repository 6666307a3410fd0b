//go:build linux

package linux

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
)

var _ driver.Rester = (*task)(nil)

// SetOnEnd implements driver.Rester.
func (t *task) SetOnEnd(ctx context.Context, command []string, rested time.Duration) error {
	_, err := t.ask(ctx, shim.Request{Do: shim.DoOnEnd, OnEnd: command, Env: withoutFailpoint(os.Environ()), Rested: rested})
	return err
}

// Dismiss implements driver.Rester.
func (t *task) Dismiss(ctx context.Context) error {
	rec, ok := shim.ReadRecord(t.dir)
	if !ok || !rec.Rests || !rec.Supervised(home.BootID()) {
		return nil
	}
	pidfd, err := unix.PidfdOpen(rec.ShimPid, 0)
	if err != nil {
		return nil // it went meanwhile
	}
	defer unix.Close(pidfd)
	_, _ = t.ask(ctx, shim.Request{Do: shim.DoDismiss}) // the same
	if !awaitProcess(pidfd, 10*time.Second) {
		return fmt.Errorf("let supervisor of %s go: process %d does not end", t.id, rec.ShimPid)
	}
	return nil
}
