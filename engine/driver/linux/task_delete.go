//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
)

// Delete implements driver.Task.
func (t *task) Delete(ctx context.Context) error {
	t.mu.Lock()
	if t.link != nil {
		t.leave()
		t.link.close()
		t.link = nil
	}
	t.mu.Unlock()
	rec, recorded := shim.ReadRecord(t.dir)
	if recorded {
		if err := t.end(ctx, rec); err != nil {
			return err
		}
		for _, dir := range rec.Cgroups {
			if err := shim.RemoveGroup(dir); err != nil {
				return err
			}
		}
	}
	t.handOut(ctx)
	// The record goes last: while it is there, a killed removal is taken up again.
	for _, name := range []string{"shim.sock", shim.EventsFile, shim.StderrFile, shim.EvidenceFile, shim.ExitFile, shim.TaskFile} {
		if err := os.Remove(filepath.Join(t.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete task %s: %w", t.id, err)
		}
	}
	return nil
}

// end brings the task to its end and waits until its supervisor is gone too: it holds the mount of the writable layer. Nobody
// mounts that of an ephemeral task again, so there the recorded end is enough.
func (t *task) end(ctx context.Context, rec shim.Record) error {
	boot := home.BootID()
	if rec.Supervised(boot) {
		pidfd, err := unix.PidfdOpen(rec.ShimPid, 0)
		if err == nil {
			defer unix.Close(pidfd)
			if err := t.awaitSupervisor(ctx, rec, pidfd); err != nil {
				return err
			}
		}
	}
	killLeftover(rec, boot)
	return nil
}

func (t *task) awaitSupervisor(ctx context.Context, rec shim.Record, pidfd int) error {
	_, ended := shim.ReadExit(t.dir)
	if !ended {
		t.askEnd(ctx)
		_, ended = shim.ReadExit(t.dir)
	}
	if ended && rec.Ephemeral {
		return nil
	}
	if ended && rec.Rests {
		_, _ = t.ask(ctx, shim.Request{Do: shim.DoDismiss}) // it may have gone meanwhile
	}
	if !awaitProcess(pidfd, 10*time.Second) {
		return fmt.Errorf("delete task %s: its supervisor (process %d) does not end", t.id, rec.ShimPid)
	}
	return nil
}

func (t *task) askEnd(ctx context.Context) {
	l, err := t.dial(shim.Request{Do: shim.DoDelete, Why: "remove", Client: os.Getpid()}, driver.Streams{})
	if err != nil {
		return // ended meanwhile
	}
	defer l.close()
	_, _ = l.receive(ctx)
}
