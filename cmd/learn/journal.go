package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/exercises/journal"
	"github.com/learn-containers/learn/trace"
	"golang.org/x/term"
)

func (s *session) journal(id string) journal.Journal { return journal.In(s.exerciseDir(id)) }

// note puts a command that is about to run into the journal of the exercise in whose folder it is given. ended has to be called with its exit code.
// A journal that can't be kept is a warning: the learner's work goes on.
func (s *session) note(app *docker.App, words []string) (ended func(code int)) {
	nothing := func(int) {}
	if s.exercise == "" || !notable(words) {
		return nothing
	}
	rec, ok, err := s.readRecord(s.exercise)
	if err != nil || !ok {
		return nothing
	}
	dir, ok := below(rec.Folder, app.Dir)
	if !ok {
		return nothing
	}
	j := s.journal(rec.ID)
	input := &keptInput{in: app.In, left: journal.MaxInput}
	terminal := term.IsTerminal(int(s.in.Fd()))
	if !terminal {
		app.In = input
	}
	n, err := j.Note(journal.Line{Kind: journal.Command, Dir: dir, Argv: words, Terminal: terminal}, rec.Folder)
	if err != nil {
		s.warnJournal(err)
		return nothing
	}
	ended = func(code int) { s.noteEnd(j, n, code, input) }
	if die := app.Die; die != nil {
		app.Die = func(sig driver.Signal) {
			ended(128 + int(sig))
			die(sig)
		}
	}
	return ended
}

func (s *session) noteEnd(j journal.Journal, n, code int, input *keptInput) {
	data, truncated := input.bytes()
	hash, err := j.Input(data)
	if err == nil {
		_, err = j.Note(journal.Line{Kind: journal.End, Of: n, Code: code, Input: hash, Truncated: truncated, Made: journal.Made(s.told.Events())}, "")
	}
	if err != nil {
		s.warnJournal(err)
	}
}

// noteCheck puts a check into the journal, with the folder that is checked.
func (s *session) noteCheck(id string) (ended func(code int)) {
	rec, ok, err := s.readRecord(id)
	if err != nil || !ok {
		return func(int) {}
	}
	j := s.journal(id)
	s.told = &trace.Collect{} // what checks make is nothing to the learner's command lines
	n, err := j.Note(journal.Line{Kind: journal.Check}, rec.Folder)
	if err != nil {
		s.warnJournal(err)
		return func(int) {}
	}
	return func(code int) { s.noteEnd(j, n, code, &keptInput{}) }
}

func (s *session) warnJournal(err error) {
	if errors.Is(err, journal.ErrFull) {
		fmt.Fprintln(s.err, "learn: the exercise's journal is full: what you do from now on can't be handed in; learn reset begins anew")
		return
	}
	fmt.Fprintln(s.err, "learn:", err)
}

// notable leaves out what the program says to itself, what only asks for help, and passwords.
func notable(words []string) bool {
	if len(words) == 0 || slices.Contains(words, "--help") || words[0] == "login" || words[0] == "logout" {
		return false
	}
	return len(words) < 2 || words[0] != "container" || words[1] != "cleanup" && words[1] != "again"
}

// below is dir relative to folder, with slashes; ok is false if it lies elsewhere.
func below(folder, dir string) (name string, ok bool) {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	name, err := filepath.Rel(folder, dir)
	if err != nil || name == ".." || strings.HasPrefix(name, ".."+string(os.PathSeparator)) {
		return "", false
	}
	return filepath.ToSlash(name), true
}

// keptInput hands a command its standard input and keeps the first bytes of it.
type keptInput struct {
	in        io.Reader
	mu        sync.Mutex // a command may leave a reader behind that waits
	kept      bytes.Buffer
	left      int
	truncated bool
}

// Read implements io.Reader.
func (k *keptInput) Read(p []byte) (int, error) {
	n, err := k.in.Read(p)
	k.mu.Lock()
	defer k.mu.Unlock()
	keep := min(n, k.left)
	k.kept.Write(p[:keep])
	k.left -= keep
	k.truncated = k.truncated || keep < n
	return n, err
}

func (k *keptInput) bytes() ([]byte, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.kept.Bytes()), k.truncated
}
