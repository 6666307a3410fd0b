//go:build linux

package shim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// EvidenceFile holds what was seen of a run that its exit status does not tell. It is replaced whenever that grows, and not synced.
const EvidenceFile = "evidence.json"

const (
	maxSignals = 16
	maxRefused = 64 // different calls; the filter knows a few hundred
)

// Evidence is evidence.json.
type Evidence struct {
	Signals []SentSignal  `json:"signals,omitempty"`
	Refused []RefusedCall `json:"refused,omitempty"`
}

// SentSignal is a signal that a client had sent to the first process, with the masks that this one had then.
type SentSignal struct {
	Signal  int       `json:"signal"`
	Why     string    `json:"why,omitempty"`
	At      time.Time `json:"at"`
	Client  int       `json:"client,omitempty"`
	Blocked uint64    `json:"blocked,omitempty"`
	Ignored uint64    `json:"ignored,omitempty"`
	Caught  uint64    `json:"caught,omitempty"`
}

// RefusedCall is a system call that the filter refused.
type RefusedCall struct {
	Arch    uint32 `json:"arch"`
	Number  int32  `json:"number"`
	Count   int    `json:"count"`
	PID     int    `json:"pid"`
	Program string `json:"program"`
}

// ReadEvidence reads evidence.json in dir; what is missing or broken counts as nothing seen.
func ReadEvidence(dir string) Evidence {
	var e Evidence
	data, err := os.ReadFile(filepath.Join(dir, EvidenceFile))
	if err != nil || json.Unmarshal(data, &e) != nil {
		return Evidence{}
	}
	return e
}

// witness keeps the evidence of one run.
type witness struct {
	dir string

	mu     sync.Mutex
	seen   Evidence
	dirty  bool
	closed bool // the folder may be gone
}

// sent notes a signal before it goes out.
func (w *witness) sent(pid int, sig unix.Signal, why string, client int) {
	s := SentSignal{Signal: int(sig), Why: why, At: time.Now().UTC(), Client: client}
	s.Blocked, s.Ignored, s.Caught = signalMasks(pid)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Signals = append(w.seen.Signals, s)
	if n := len(w.seen.Signals); n > maxSignals {
		w.seen.Signals = slices.Delete(w.seen.Signals, 0, n-maxSignals)
	}
	w.dirty = true
	w.write()
}

// refused notes a call. The first of each kind is written down at once, how many came of it at the end.
func (w *witness) refused(arch uint32, number int32, pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dirty = true
	for i := range w.seen.Refused {
		if r := &w.seen.Refused[i]; r.Arch == arch && r.Number == number {
			r.Count++
			return
		}
	}
	if len(w.seen.Refused) < maxRefused {
		w.seen.Refused = append(w.seen.Refused, RefusedCall{arch, number, 1, pid, nameOf(pid)})
		w.write()
	}
}

// close writes what is not written yet. What comes afterwards is not kept.
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
	if err := writeFile(w.dir, EvidenceFile, w.seen, false); err != nil {
		fmt.Fprintln(os.Stderr, "supervisor: write evidence:", err)
	}
}

// nameOf is what a process calls itself; empty if it is gone.
func nameOf(pid int) string {
	data, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return string(bytes.TrimSuffix(data[:min(len(data), 64)], []byte("\n")))
}

// signalMasks reads what a process has arranged for signals. Blocked is what all its threads block: one that does not takes the signal.
func signalMasks(pid int) (blocked, ignored, caught uint64) {
	const enough = 64
	tasks := "/proc/" + strconv.Itoa(pid) + "/task/"
	dir, err := os.Open(tasks)
	if err != nil {
		return 0, 0, 0
	}
	defer dir.Close()
	threads, _ := dir.Readdirnames(enough)
	for i, thread := range threads {
		b, ig, c := threadMasks(tasks + thread)
		if i == 0 {
			blocked = b
		}
		blocked, ignored, caught = blocked&b, ig, c
	}
	return blocked, ignored, caught
}

// threadMasks reads proc_pid_status(5).
func threadMasks(dir string) (blocked, ignored, caught uint64) {
	f, err := os.Open(dir + "/status")
	if err != nil {
		return 0, 0, 0
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		to := map[string]*uint64{"SigBlk": &blocked, "SigIgn": &ignored, "SigCgt": &caught}[string(key)]
		if to != nil {
			*to, _ = strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64)
		}
	}
	return blocked, ignored, caught
}
