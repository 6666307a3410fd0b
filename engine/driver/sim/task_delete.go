package sim

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// Delete implements driver.Task.
func (t *task) Delete(ctx context.Context) error {
	t.mu.Lock()
	if t.link != nil {
		t.link.close()
		t.link = nil
	}
	t.mu.Unlock()
	rec, recorded := readRecord(t.dir)
	if recorded {
		if err := t.end(ctx, rec); err != nil {
			return err
		}
	}
	t.handOut(ctx)
	if rec.Address != "" {
		_ = os.Remove(rec.Address) // of a supervisor that was killed
	}
	if far := rec.farFolder(t.runtime.home.Root()); far != "" {
		_ = os.RemoveAll(far)
	}
	// The record goes last: while it is there, a killed removal is taken up again.
	if err := removeState(t.dir, socketName, eventsFile, handFile, stderrFile, evidenceFile, exitFile, liveFile, taskFile); err != nil {
		return fmt.Errorf("delete task %s: %w", t.id, err)
	}
	return nil
}

// end brings the task to its end and waits until nobody holds its files.
func (t *task) end(ctx context.Context, rec record) error {
	if _, ended := readExit(t.dir); !ended {
		if l, err := t.dial(request{Do: doDelete, Why: "remove", Client: os.Getpid()}, driver.Streams{}); err == nil {
			_, _ = l.receive(ctx)
			l.close()
		}
	}
	if rec.Rests {
		_, _ = t.ask(ctx, request{Do: doDismiss}) // it may have gone meanwhile
	}
	if !awaitDeath(ctx, t.dir, 10*time.Second) {
		return fmt.Errorf("delete task %s: its supervisor (process %d) does not end", t.id, rec.Supervisor)
	}
	return nil
}

// farFolder is the folder outside of the home in which the task's socket lies, empty if there is none.
func (r record) farFolder(root string) string {
	if r.Address == "" || strings.HasPrefix(r.Address, root+string(filepath.Separator)) {
		return ""
	}
	dir := filepath.Dir(r.Address)
	if !strings.HasPrefix(filepath.Base(dir), farPrefix) {
		return ""
	}
	return dir
}
