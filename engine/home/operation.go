package home

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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
	name   string
	dir    string
	lock   *lock    // held as long as the process lives; on the journal, unless locks lie beside
	claims *os.File // the journal, for writing; nil where it is opened for each claim
	beside bool
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
	Name  string `json:"operation"`
	Pid   int    `json:"pid"`
	Owner string `json:"owner,omitempty"`
}

// Begin starts an operation. The caller must call End, whether the operation succeeds or fails.
func (h *Home) Begin(name string) (*Operation, error) {
	dir, err := os.MkdirTemp(h.tmp(), ".new-")
	if err != nil {
		return nil, fmt.Errorf("begin %s: %w", name, err)
	}
	op := h.operation(dir, os.O_CREATE)
	op.name = name
	if err := op.open(h); err != nil {
		op.lock.release()
		_ = os.RemoveAll(op.dir)
		return nil, fmt.Errorf("begin %s: %w", name, err)
	}
	return op, nil
}

const journalName = "journal"

// operation is that of the scratch folder dir, which has the same last part of its name all its life.
func (h *Home) operation(dir string, flags int) *Operation {
	op := &Operation{dir: dir, beside: h.beside}
	path := filepath.Join(dir, journalName)
	if h.beside {
		name := filepath.Base(dir)
		path, flags = filepath.Join(h.tmp(), lockPrefix+name[strings.LastIndexByte(name, '-')+1:]), os.O_CREATE
	}
	op.lock = h.newLock(path, flock.SetFlag(os.O_RDWR|os.O_APPEND|flags))
	return op
}

const lockPrefix = "lock-"

// open locks the folder before it gets the name under which Orphans looks at it.
func (op *Operation) open(h *Home) error {
	if err := op.lock.wait(context.Background(), true); err != nil {
		return err
	}
	f, err := op.openJournal()
	if err != nil {
		return err
	}
	if op.claims = f; op.beside {
		op.claims = nil // an open file would keep the folder where it is
		defer f.Close()
	}
	if err := appendLine(f, journalHead{op.name, os.Getpid(), h.owner}); err != nil {
		return err
	}
	if op.beside {
		f.Close()
	}
	final := filepath.Join(h.tmp(), "op-"+strings.TrimPrefix(filepath.Base(op.dir), ".new-"))
	if err := rename(op.dir, final); err != nil {
		return err
	}
	op.dir = final
	return nil
}

func (op *Operation) openJournal() (*os.File, error) {
	return os.OpenFile(filepath.Join(op.dir, journalName), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

func appendLine(f *os.File, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return err
}

func (op *Operation) append(v any) error {
	if op.claims != nil {
		return appendLine(op.claims, v)
	}
	f, err := op.openJournal()
	if err != nil {
		return err
	}
	return errors.Join(appendLine(f, v), f.Close())
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
	err := rename(op.dir, done)
	if err == nil {
		err = clear(done)
	}
	if op.claims != nil {
		_ = op.claims.Close()
	}
	op.unlock()
	if err != nil {
		return fmt.Errorf("end %s: %w", op.name, err)
	}
	return nil
}

// unlock gives the lock back; where it lies beside, its file goes.
func (op *Operation) unlock() {
	op.lock.release()
	if op.beside {
		_ = os.Remove(op.lock.file.Path())
	}
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
		if err := RemoveTree(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if os.Remove(filepath.Join(dir, journalName)) == nil && os.Remove(dir) == nil {
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
		if strings.HasPrefix(e.Name(), lockPrefix) {
			continue
		}
		if o, ok := h.adopt(filepath.Join(h.tmp(), e.Name())); ok {
			found = append(found, o)
		}
	}
	return found, nil
}

// adopt takes over a folder whose lock is free. One that is just being made is left alone unless it is old: its maker has
// not locked it yet.
func (h *Home) adopt(dir string) (Orphan, bool) {
	name := filepath.Base(dir)
	begun := strings.HasPrefix(name, "op-") // it was locked before it got this name, so without a journal it is what a power cut left
	flags := 0
	if begun || stale(dir) {
		flags = os.O_CREATE
	} else if strings.HasPrefix(name, ".new-") {
		return Orphan{}, false
	}
	op := h.operation(dir, flags)
	ok, err := op.lock.try(true)
	if _, gone := os.Lstat(filepath.Join(dir, journalName)); err != nil || !ok || gone != nil && !h.beside {
		op.lock.release()
		return Orphan{}, false
	}
	o := Orphan{op: op}
	if head, ok := o.read(); begun && ok && head.Owner != h.owner {
		op.lock.release()
		return Orphan{}, false
	}
	return o, true
}

// stale tells a folder whose process died at its begin or end from one that is just being made or removed.
func stale(dir string) bool {
	fi, err := os.Lstat(dir)
	return err == nil && time.Since(fi.ModTime()) > time.Minute
}

// read takes in the journal. ok is false where its first line was not on disk yet when the power went: then anybody may clear up.
func (o *Orphan) read() (head journalHead, ok bool) {
	f, err := os.Open(filepath.Join(o.op.dir, journalName))
	if err != nil {
		return head, false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for first := true; lines.Scan(); first = false {
		if first {
			ok = json.Unmarshal(lines.Bytes(), &head) == nil
			o.Name, o.Pid = head.Name, head.Pid
			continue
		}
		var c Claim
		if json.Unmarshal(lines.Bytes(), &c) == nil && c.What != "" {
			o.Claims = append(o.Claims, c)
		}
	}
	return head, ok
}

// Settle says that the orphan's claims are undone, and removes its scratch folder.
func (o *Orphan) Settle() error {
	err := clear(o.op.dir)
	o.op.unlock()
	if err != nil {
		return fmt.Errorf("settle %s: %w", o.Name, err)
	}
	return nil
}
