package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/exercises/quiz"
	"github.com/learn-containers/learn/lessons"
)

// questionsATopic is how many questions of a topic are asked on the simulator. A tenth of them, and at least three, are asked on the kernel.
func questionsATopic(t *testing.T) int {
	t.Helper()
	const few = 10 // two of each difficulty
	said := os.Getenv("LEARN_QUIZ_QUESTIONS")
	if said == "" {
		return few
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1 {
		t.Fatalf("LEARN_QUIZ_QUESTIONS=%s: expected a number, 1 or greater", said)
	}
	return n
}

// newTestQuiz is an engine for questions, in memory where the machine has a folder for that: waiting for a disk takes far longer than a question.
func newTestQuiz(t *testing.T, driver string) *furnishedEngine {
	t.Helper()
	s := newSession(os.Stdin, os.Stdout, os.Stderr)
	s.home, s.driver = filepath.Join(memoryDir(t), "home"), driver
	e, err := s.newQuizEngine()
	check(t, err)
	t.Cleanup(func() { check(t, e.end(context.Background())) })
	return e
}

func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "learn-quiz-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	return dir
}

func testItem(topic string, i int) quiz.Item {
	return quiz.Item{Topic: topic, Seed: uint64(i), Difficulty: quiz.MinDifficulty + i%quiz.MaxDifficulty}
}

// TestQuiz proves questions of every topic and difficulty: the engine's answer is a choice, something proves it, and each
// wrong choice is a belief of the catalogue.
func TestQuiz(t *testing.T) {
	e := newTestQuiz(t, simName)
	for _, topic := range quiz.Topics() {
		t.Run(topic, func(t *testing.T) {
			for i := range questionsATopic(t) {
				proveQuestion(t, e, testItem(topic, i))
			}
		})
	}
}

func proveQuestion(t *testing.T, e *furnishedEngine, it quiz.Item) quiz.Question {
	t.Helper()
	q, err := quiz.Ask(t.Context(), e, filepath.Join(e.dir, "work"), it)
	if err != nil {
		t.Fatal(err)
	}
	beliefs, err := lessons.Misconceptions()
	check(t, err)
	for i, c := range q.Choices {
		if _, known := beliefs[c.Belief]; !known && !slices.Contains(q.Right, i) {
			t.Errorf("%v: %q comes from %q, which is not in the catalogue", it, c.Text, c.Belief)
		}
	}
	return q
}

// TestQuizIsTheSameOnBothDrivers: the kernel gives the simulator's keys.
func TestQuizIsTheSameOnBothDrivers(t *testing.T) {
	needRoot(t)
	simulated, kernel := newTestQuiz(t, simName), newTestQuiz(t, nativeName)
	for _, topic := range quiz.Topics() {
		t.Run(topic, func(t *testing.T) {
			for i := range max(3, questionsATopic(t)/10) {
				it := testItem(topic, i)
				a := proveQuestion(t, simulated, it)
				check(t, simulated.quiet(t.Context())) // its published ports are the machine's
				b := proveQuestion(t, kernel, it)
				check(t, kernel.quiet(t.Context()))
				a.Evidence, b.Evidence = nil, nil // event numbers and process ids differ
				if d := cmp.Diff(a, b); d != "" {
					t.Errorf("%v differs: %s", it, d)
				}
			}
		})
	}
}

// TestQuestionsLeaveNothing: a question has the same evidence, to the letter, whatever was asked before it in this home.
func TestQuestionsLeaveNothing(t *testing.T) {
	e := newTestQuiz(t, simName)
	it := quiz.Item{Topic: "cache", Seed: 2, Difficulty: 3}
	first := proveQuestion(t, e, it)
	for _, topic := range quiz.Topics() {
		proveQuestion(t, e, quiz.Item{Topic: topic, Seed: 5, Difficulty: 2})
	}
	if d := cmp.Diff(first, proveQuestion(t, e, it)); d != "" {
		t.Errorf("differs the second time: %s", d)
	}
}
