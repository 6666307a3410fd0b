// Package quiz makes questions about images and containers whose answers are found by carrying them out.
//
// A Generator makes a Plan from random numbers: files, commands, a prompt and choices. Ask runs the plan on an engine
// and reads the key off the trace and the World folded from it. It is not a store of questions, and it knows no rule of
// the engine: no key is ever computed by a second model of what should happen.
//
// Invariants: the same topic, seed and difficulty give the same plan on every machine; a Question has a right and a wrong
// answer, no two equal choices, and evidence; every wrong choice names the misconception that it comes from.
package quiz

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/world"
)

// Difficulties are from MinDifficulty to MaxDifficulty.
const (
	MinDifficulty = 1
	MaxDifficulty = 5
)

// Generator makes the questions of one topic. Make takes all that varies from r, so that equal random numbers and
// difficulty give the same plan.
type Generator interface {
	Topic() string
	Make(r *rand.Rand, difficulty int) Plan
}

// Plan is a question before anybody has found its answer.
type Plan struct {
	Steps   []Step // carried out in order; the question is about what the last one does
	Prompt  string
	Kind    Kind
	Choices []Choice   // may have equal ones, of which the first counts
	Orders  []Sequence // wrong orders that people think of, for the kind Order
	Key     func(Ran) (Finding, error)
}

// Step writes and touches files of the workspace, then runs a command, if there is one.
type Step struct {
	Files   []File
	Touch   []string // their times are set an hour ahead
	Argv    []string
	MayFail bool // an exit code other than 0 is part of the question
}

// File is a file of the workspace; its path has slashes.
type File struct{ Path, Text string }

// Kind is how a question is answered.
type Kind string

// The kinds. Of the choices, one is right (Choice), or several are (Multi), or all are and have to be put in order (Order). Where a
// number is asked for, nobody sees the choices; their texts are the numbers that people think of.
const (
	ByChoice Kind = "choice"
	ByMulti  Kind = "multi"
	ByNumber Kind = "number"
	ByOrder  Kind = "order"
)

// Choice is a possible answer. Belief is the id of the misconception that it comes from, should it be wrong. Among several right
// choices it is also what makes people leave this one out.
type Choice struct{ Text, Belief string }

// Sequence is an order of the choices' texts, and the misconception that leads to it.
type Sequence struct {
	Texts  []string
	Belief string
}

// Ran is what came of carrying out a plan.
type Ran struct {
	Events []trace.Event // since the engine was empty
	Last   []trace.Event // of the last step
	World  world.World   // after it
	Out    string        // what the last step printed
	Code   int           // its exit code
}

// Finding is a key and the events that prove it.
type Finding struct {
	Answers  []string // texts of choices: the right one, all right ones, or all in their order
	Evidence []trace.Event
}

// one is the finding that a single answer is right.
func one(answer string, evidence []trace.Event) Finding { return Finding{[]string{answer}, evidence} }

// Item names a question: it can be made again from it.
type Item struct {
	Topic      string `json:"topic"`
	Seed       uint64 `json:"seed"`
	Difficulty int    `json:"difficulty"`
}

// Generators returns those of all topics, in the order in which a mixed quiz takes them.
func Generators() []Generator {
	return []Generator{cacheTopic{}, layersTopic{}, lifecycleTopic{}, entrypointTopic{}, cowTopic{}, tagsTopic{}, expansionTopic{}, dockerignoreTopic{}, volumesTopic{}, portsTopic{}, transferTopic{}}
}

// Topics names them.
func Topics() []string {
	var names []string
	for _, g := range Generators() {
		names = append(names, g.Topic())
	}
	return names
}

// Make makes an item's plan. An unknown topic or difficulty is an error that says what there is.
func Make(it Item) (Plan, error) {
	if it.Difficulty < MinDifficulty || it.Difficulty > MaxDifficulty {
		return Plan{}, fmt.Errorf("make a question: difficulty %d; expected %d to %d", it.Difficulty, MinDifficulty, MaxDifficulty)
	}
	for _, g := range Generators() {
		if g.Topic() == it.Topic {
			h := fnv.New64a()
			h.Write([]byte(it.Topic))
			r := rand.New(rand.NewPCG(it.Seed, h.Sum64()))
			p := g.Make(r, it.Difficulty)
			p.Choices = distinct(p.Choices)
			if p.Kind == "" {
				p.Kind = ByChoice
			}
			r.Shuffle(len(p.Choices), func(i, j int) { p.Choices[i], p.Choices[j] = p.Choices[j], p.Choices[i] })
			return p, nil
		}
	}
	return Plan{}, fmt.Errorf("make a question: there is no topic %q; topics are %s", it.Topic, strings.Join(Topics(), ", "))
}

func distinct(all []Choice) []Choice {
	seen := map[string]bool{}
	var out []Choice
	for _, c := range all {
		if !seen[c.Text] {
			out = append(out, c)
		}
		seen[c.Text] = true
	}
	return out
}

// numberIf is the kind of a question that can ask for a number or offer some.
func numberIf(number bool) Kind {
	if number {
		return ByNumber
	}
	return ByChoice
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// words picks n different short words.
func words(r *rand.Rand, n int) []string {
	all := []string{"apple", "birch", "cedar", "daisy", "elder", "fern", "grape", "hazel", "iris", "juniper", "lemon", "maple", "olive", "peach"}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

// numbered shows lines with their numbers, as the steps of a build are counted.
func numbered(lines []string) string {
	var b strings.Builder
	width := len(strconv.Itoa(len(lines)))
	for i, l := range lines {
		fmt.Fprintf(&b, "    %*d  %s\n", width, i+1, l)
	}
	return b.String()
}

func dockerfile(lines []string) File {
	return File{"Dockerfile", strings.Join(lines, "\n") + "\n"}
}
