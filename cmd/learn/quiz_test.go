package main

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/exercises/quiz"
	"github.com/learn-containers/learn/lessons"
)

// TestQuiz proves questions of every topic and difficulty: the engine's answer is a choice, something proves it, and each
// wrong choice is a belief of the catalogue.
func TestQuiz(t *testing.T) {
	for _, topic := range quiz.Topics() {
		t.Run(topic, func(t *testing.T) {
			e := newTestLesson(t, simName, "quiz")
			count := quiz.MaxDifficulty // one of each difficulty
			if whole() {
				count = 60
			}
			for i := range count {
				proveQuestion(t, e, quiz.Item{Topic: topic, Seed: uint64(i), Difficulty: 1 + i%quiz.MaxDifficulty})
			}
		})
	}
}

func proveQuestion(t *testing.T, e *lessonEngine, it quiz.Item) quiz.Question {
	t.Helper()
	q, err := quiz.Ask(t.Context(), e, filepath.Join(e.dir, "work"), it)
	if err != nil {
		t.Fatal(err)
	}
	beliefs, err := lessons.Misconceptions()
	check(t, err)
	for i, c := range q.Choices {
		if _, known := beliefs[c.Belief]; !known && i != q.Right {
			t.Errorf("%v: %q comes from %q, which is not in the catalogue", it, c.Text, c.Belief)
		}
	}
	return q
}

// TestQuizIsTheSameOnBothDrivers: the kernel gives the simulator's keys.
func TestQuizIsTheSameOnBothDrivers(t *testing.T) {
	needRoot(t)
	simulated, kernel := newTestLesson(t, simName, "quiz"), newTestLesson(t, nativeName, "quiz")
	for i, topic := range quiz.Topics() {
		it := quiz.Item{Topic: topic, Seed: 3, Difficulty: 1 + (i+3)%quiz.MaxDifficulty}
		a, b := proveQuestion(t, simulated, it), proveQuestion(t, kernel, it)
		a.Evidence, b.Evidence = nil, nil // event numbers and process ids differ
		if d := cmp.Diff(a, b); d != "" {
			t.Errorf("%v differs: %s", it, d)
		}
	}
}
