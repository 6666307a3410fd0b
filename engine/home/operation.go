package home

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Operation is a change of several steps that must be wholly done or not at all. It owns a scratch folder on the home's
// file system and a list of claims: things that are to be removed if the process dies before End.
type Operation struct {
	name    string
	dir     string
	journal *flock.Flock // of claims; locked as long as the process lives
	claims  *os.File     // the journal, for writing
}

// Claim names one thing that an operation made.
type Claim struct {
	What string `json:"what"` // container, snapshot, chain, blob, cgroup ...
	ID   string `json:"id"`
}

// Orphan is what a dead process left: an operation that never ended.
type Orphan struct {
	Name   string // what was under way, as given to Begin
	Pid    int
	Claims []Claim // in the order they were made
	op     *Operation
}

type journalHead struct {
	Name string `json:"operation"`
	Pid  int    `json:"pid"`
}

// Begin starts an operation. The caller must call End, whether the operation succeeds or fails.
func (h *Home) Begin(name string) (*Operation, error) {
	dir, err := os.MkdirTemp(h.tmp(), ".new-")
	if err != nil {
		return nil, fmt.Errorf("begin %s: %w", name, err)
	}
	op := &Operation{name: name, dir: dir, journal: journalOf(dir, os.O_CREATE)}
	if err := op.open(h); err != nil {
		_ = op.journal.Close()
		_ = os.RemoveAll(op.dir)
		return nil, fmt.Errorf("begin %s: %w", name, err)
	}
	return op, nil
}

const journalName = "journal"

func journalOf(dir string, flags int) *flock.Flock {
	return flock.New(filepath.Join(dir, journalName), flock.SetFlag(os.O_RDWR|os.O_APPEND|flags))
}

// open locks the folder before it gets the name under which Orphans looks at it.
func (op *Operation) open(h *Home) error {
	if err := op.journal.Lock(); err != nil {
		return err
	}
	f, err := os.OpenFile(op.journal.Path(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	op.claims = f
	if err := op.append(journalHead{op.name, os.Getpid()}); err != nil {
		return err
	}
	final := filepath.Join(h.tmp(), "op-"+strings.TrimPrefix(filepath.Base(op.dir), ".new-"))
	if err := os.Rename(op.dir, final); err != nil {
		return err
	}
	op.dir = final
	return nil
}

func (op *Operation) append(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = op.claims.Write(append(line, '\n'))
	return err
}

// Dir is the scratch folder. Everything in it is removed at End, or after a crash.
func (op *Operation) Dir() string { return op.dir }

// Claim says that the thing is about to be made and is to be removed if the process dies before End.
func (op *Operation) Claim(what, id string) error {
	if err := op.append(Claim{what, id}); err != nil {
		return fmt.Errorf("claim %s %s: %w", what, id, err)
	}
	return nil
}

// End releases all claims and removes the scratch folder. What was claimed stays.
func (op *Operation) End() error {
	// The new name comes first: a crash in the middle of the removal must not revive the claims.
	done := filepath.Join(filepath.Dir(op.dir), ".done-"+strings.TrimPrefix(filepath.Base(op.dir), "op-"))
	err := os.Rename(op.dir, done)
	if err == nil {
		err = clear(done)
	}
	_ = op.claims.Close()
	_ = op.journal.Close()
	if err != nil {
		return fmt.Errorf("end %s: %w", op.name, err)
	}
	return nil
}

// clear removes a folder, its journal last: as long as the folder is there, the lock on it tells whether somebody is at work.
func clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == journalName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if os.Remove(filepath.Join(dir, "lock")) == nil && os.Remove(dir) == nil {
		return nil // the usual case, in a quarter of the system calls
	}
	return os.RemoveAll(dir)
}

// Orphans takes over the operations whose process died. The caller undoes the claims of each, last first, and then calls
// Settle. It costs one directory listing when there are none.
func (h *Home) Orphans() ([]Orphan, error) {
	entries, err := os.ReadDir(h.tmp())
	if err != nil {
		return nil, fmt.Errorf("look for orphans: %w", err)
	}
	var found []Orphan
	for _, e := range entries {
		if o, ok := adopt(filepath.Join(h.tmp(), e.Name())); ok {
			found = append(found, o)
		}
	}
	return found, nil
}

// adopt takes over a folder whose lock is free. One that is just being made is left alone unless it is old: its maker has
// not locked it yet.
func adopt(dir string) (Orphan, bool) {
	name := filepath.Base(dir)
	flags := 0
	if stale(dir) {
		flags = os.O_CREATE
	} else if strings.HasPrefix(name, ".new-") {
		return Orphan{}, false
	}
	journal := journalOf(dir, flags)
	ok, err := journal.TryLock()
	if _, gone := os.Lstat(journal.Path()); err != nil || !ok || gone != nil {
		_ = journal.Close()
		return Orphan{}, false
	}
	o := Orphan{op: &Operation{dir: dir, journal: journal}}
	if strings.HasPrefix(name, "op-") {
		o.read()
	}
	return o, true
}

// stale tells a folder whose process died at its begin or end from one that is just being made or removed.
func stale(dir string) bool {
	fi, err := os.Lstat(dir)
	return err == nil && time.Since(fi.ModTime()) > time.Minute
}

func (o *Orphan) read() {
	f, err := os.Open(o.op.journal.Path())
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for first := true; lines.Scan(); first = false {
		if first {
			var head journalHead
			if json.Unmarshal(lines.Bytes(), &head) == nil {
				o.Name, o.Pid = head.Name, head.Pid
			}
			continue
		}
		var c Claim
		if json.Unmarshal(lines.Bytes(), &c) == nil && c.What != "" {
			o.Claims = append(o.Claims, c)
		}
	}
}

// Settle says that the orphan's claims are undone, and removes its scratch folder.
func (o *Orphan) Settle() error {
	err := clear(o.op.dir)
	_ = o.op.journal.Close()
	if err != nil {
		return fmt.Errorf("settle %s: %w", o.Name, err)
	}
	return nil
}
