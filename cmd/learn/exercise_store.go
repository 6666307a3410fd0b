package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/home"
)

// exerciseRecord is kept of an exercise that was begun, in exercises/ID/record.json of the learner's home. Beside it lie the exercise's own
// home and its trace.
type exerciseRecord struct {
	ID       string    `json:"id"`
	Seed     uint64    `json:"seed"`
	Folder   string    `json:"folder"` // where the learner works
	Driver   string    `json:"driver"`
	Registry bool      `json:"registry,omitempty"` // it has a registry of its own
	Began    uint64    `json:"began"`              // number of the setup's last event
	At       time.Time `json:"at"`
	Hints    int       `json:"hints"` // rungs of the ladder that were shown
}

func (s *session) exercisesDir() string          { return filepath.Join(s.base(), "exercises") }
func (s *session) exerciseDir(id string) string  { return filepath.Join(s.exercisesDir(), id) }
func (s *session) exerciseHome(id string) string { return filepath.Join(s.exerciseDir(id), "home") }
func (s *session) exerciseTrace(id string) string {
	return filepath.Join(s.exerciseDir(id), "trace.jsonl")
}
func (s *session) exerciseRecordOf(id string) string {
	return filepath.Join(s.exerciseDir(id), "record.json")
}
func (s *session) foldersFile() string { return filepath.Join(s.exercisesDir(), "folders.json") }

// base is the learner's home, also while the session works in that of an exercise.
func (s *session) base() string {
	if s.exercise != "" {
		return filepath.Dir(filepath.Dir(filepath.Dir(s.home)))
	}
	return s.home
}

// readRecord reads an exercise's record; ok is false if it was not begun.
func (s *session) readRecord(id string) (rec exerciseRecord, ok bool, err error) {
	data, err := os.ReadFile(s.exerciseRecordOf(id))
	if errors.Is(err, fs.ErrNotExist) {
		return rec, false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if err != nil {
		return rec, false, fmt.Errorf("read record of exercise %s: %w; learn reset %s begins it anew", id, err, id)
	}
	return rec, true, nil
}

func (s *session) keepRecord(rec exerciseRecord) error {
	if err := home.WriteJSON(s.exerciseRecordOf(rec.ID), rec, 0o600); err != nil {
		return fmt.Errorf("keep record of exercise %s: %w", rec.ID, err)
	}
	return nil
}

// folders says which folder belongs to which exercise. A file that can't be read says nothing: record.json of the exercise is what counts.
func (s *session) folders() map[string]string {
	byFolder := map[string]string{}
	if data, err := os.ReadFile(s.foldersFile()); err != nil || json.Unmarshal(data, &byFolder) != nil {
		return map[string]string{}
	}
	return byFolder
}

// keepFolder notes an exercise's folder; an empty one forgets it.
func (s *session) keepFolder(id, folder string) error {
	byFolder := s.folders()
	for f, other := range byFolder {
		if other == id {
			delete(byFolder, f)
		}
	}
	if folder != "" {
		byFolder[folder] = id
	}
	if err := os.MkdirAll(s.exercisesDir(), 0o700); err != nil {
		return fmt.Errorf("keep the exercise's folder: %w", err)
	}
	return home.WriteJSON(s.foldersFile(), byFolder, 0o600)
}

// exerciseAt is the id of the exercise in whose folder dir lies, or empty.
func (s *session) exerciseAt(dir string) string {
	byFolder := s.folders()
	if len(byFolder) == 0 {
		return ""
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for {
		if id, ok := byFolder[dir]; ok {
			return id
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// enterExercise lets the engine's commands work in the home of the exercise in whose folder they are given, or whose home was named, and
// write its trace. A home that was named otherwise is left alone.
func (s *session) enterExercise() error {
	id := ""
	if s.home == homePath() {
		dir, err := os.Getwd()
		if err != nil {
			return nil
		}
		id = s.exerciseAt(dir)
	} else if dir := filepath.Dir(s.home); filepath.Base(s.home) == "home" && filepath.Base(filepath.Dir(dir)) == "exercises" {
		inner := filepath.Base(dir)
		if _, err := os.Lstat(filepath.Join(dir, "record.json")); err == nil {
			s.exercise = inner
			rec, _, err := s.readRecord(inner)
			s.withRegistry = rec.Registry
			return err
		}
		return nil
	}
	if id == "" || strings.ContainsAny(id, `/\`) {
		return nil
	}
	rec, ok, err := s.readRecord(id)
	if err != nil || !ok {
		return err
	}
	s.enterRecord(rec)
	return nil
}

func (s *session) enterRecord(rec exerciseRecord) {
	s.home, s.driver = s.exerciseHome(rec.ID), rec.Driver
	s.exercise, s.withRegistry = rec.ID, rec.Registry
}

// exerciseProgress is kept of each exercise in progress/exercises.json.
type exerciseProgress struct {
	State string    `json:"state"` // solved, skipped or shown: the learner has looked at the solution first
	At    time.Time `json:"at"`
	Tries int       `json:"tries"` // checks until then
	Hints int       `json:"hints"`
	Seed  uint64    `json:"seed"`
}

func (s *session) exerciseProgressFile() string {
	return filepath.Join(s.base(), "progress", "exercises.json")
}

// exercisesDone reads what is known of exercises; a broken file means nothing is.
func (s *session) exercisesDone() map[string]exerciseProgress {
	done := map[string]exerciseProgress{}
	if data, err := os.ReadFile(s.exerciseProgressFile()); err == nil && json.Unmarshal(data, &done) != nil {
		done = map[string]exerciseProgress{}
	}
	return done
}

// keepProgress changes what is known of one exercise.
func (s *session) keepProgress(id string, change func(*exerciseProgress)) error {
	done := s.exercisesDone()
	p := done[id]
	change(&p)
	p.At = time.Now().UTC().Truncate(time.Second)
	done[id] = p
	if err := os.MkdirAll(filepath.Dir(s.exerciseProgressFile()), 0o700); err != nil {
		return fmt.Errorf("keep progress: %w", err)
	}
	return home.WriteJSON(s.exerciseProgressFile(), done, 0o600)
}
