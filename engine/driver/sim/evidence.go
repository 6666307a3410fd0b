package sim

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

// evidenceFile holds driver.Evidence of the present or last run. It is replaced whenever that grows, and not synced.
const evidenceFile = "sim.evidence.json"

var (
	_ driver.Witness = (*task)(nil)
	_ driver.Sender  = (*task)(nil)
)

// Evidence implements driver.Witness. What is missing or broken counts as nothing seen.
func (t *task) Evidence(context.Context) (driver.Evidence, error) {
	var e driver.Evidence
	if !readJSON(filepath.Join(t.dir, evidenceFile), &e) {
		return driver.Evidence{}, nil
	}
	return e, nil
}

// witness keeps the evidence of one run.
type witness struct {
	dir      string
	now      func() time.Time
	complain func(what string, err error)

	mu     sync.Mutex
	seen   driver.Evidence
	dirty  bool
	closed bool // the folder may be gone
}

// sent notes a signal before it goes out to the first process of source.
func (w *witness) sent(source vfs.ProcSource, sig driver.Signal, why string, client int) {
	s := driver.SentSignal{Signal: sig, Why: why, At: w.now().UTC(), Client: client}
	if first, ok := source.Process(1); ok {
		s.Fate = driver.FateOf(sig, 0, first.Ignored, first.Caught)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Signals = append(w.seen.Signals, s)
	if n := len(w.seen.Signals); n > driver.MaxSignals {
		w.seen.Signals = slices.Delete(w.seen.Signals, 0, n-driver.MaxSignals)
	}
	w.dirty = true
	w.write()
}

// refused notes a call that the kernel refused to a process. The first of each kind is written down at once, how many came of it at the end.
func (w *witness) refused(call string, pid int, program string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirty = true
	for i := range w.seen.Refused {
		if r := &w.seen.Refused[i]; r.Name == call {
			r.Count++
			return
		}
	}
	w.seen.Refused = append(w.seen.Refused, driver.RefusedCall{Name: call, Count: 1, PID: pid, Program: program[:min(len(program), 15)]})
	w.write()
}

// close writes what is not written yet.
func (w *witness) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.write()
	w.closed = true
}

func (w *witness) write() {
	if !w.dirty || w.closed {
		return
	}
	w.dirty = false
	if err := writeState(w.dir, evidenceFile, w.seen, false); err != nil {
		w.complain("write evidence", err)
	}
}
