package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/exercises/quiz"
	"github.com/learn-containers/learn/exercises/quiz/export"
	"github.com/learn-containers/learn/lessons"
	"github.com/spf13/cobra"
)

// quizFlags are the options of learn quiz.
type quizFlags struct {
	auto       bool
	seed       uint64
	count      int
	difficulty int
	export     string
	out        string
}

func (s *session) quizCommand() *cobra.Command {
	f := quizFlags{}
	topics := strings.Join(quiz.Topics(), ", ")
	cmd := &cobra.Command{
		Use:   "quiz [TOPIC]",
		Short: "Answer generated questions, whose answers the engine finds",
		Long: `learn quiz asks questions and shows at once what is right, and the events that prove it. Each question is new: files and commands are made up
and carried out by the engine, in a home of their own. Topics: ` + topics + `; without one they are mixed.
What you answered wrongly comes back at the end, and after 1, 3 and 7 days. With --export the questions are written for Moodle or for printing.`,
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: quiz.Topics(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") && !f.auto && f.export == "" {
				f.seed = rand.Uint64() >> 32
			}
			return s.quiz(cmd.Context(), strings.Join(args, ""), f)
		},
	}
	cmd.Flags().BoolVar(&f.auto, "auto", false, "Print each question with its answer and evidence; a faulty question ends with exit code 1")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "Seed of the questions; without it they are new each time")
	cmd.Flags().IntVar(&f.count, "count", 5, "Number of new questions")
	cmd.Flags().IntVar(&f.difficulty, "difficulty", 0, "1 to 5; 0 follows your answers")
	cmd.Flags().StringVar(&f.export, "export", "", "Write new questions with their keys as gift, moodle-xml or sheet, and ask nothing")
	cmd.Flags().StringVar(&f.out, "out", "", "File for --export; without it, standard output")
	return cmd
}

// check finds what is wrong with the options.
func (f quizFlags) check(topic string) error {
	switch {
	case topic != "" && !slices.Contains(quiz.Topics(), topic):
		return fmt.Errorf("there is no topic %q; topics are %s", topic, strings.Join(quiz.Topics(), ", "))
	case f.difficulty < 0 || f.difficulty > quiz.MaxDifficulty:
		return fmt.Errorf("--difficulty %d: expected %d to %d, or 0 to follow your answers", f.difficulty, quiz.MinDifficulty, quiz.MaxDifficulty)
	case f.auto && f.export != "":
		return errors.New("--auto and --export: expected one of them")
	case f.out != "" && f.export == "":
		return errors.New("--out is for --export, which says what is to be written: gift, moodle-xml or sheet")
	case f.count < 1:
		return fmt.Errorf("--count %d: expected 1 or more", f.count)
	}
	return nil
}

// quiz asks questions, proves them, or exports them.
func (s *session) quiz(ctx context.Context, topic string, f quizFlags) error {
	if err := f.check(topic); err != nil {
		return err
	}
	if f.export != "" {
		if _, err := export.Named(f.export); err != nil {
			return err
		}
	}
	if err := s.settle(); err != nil {
		return err
	}
	q := &quizzing{session: s, flags: f, topic: topic, in: bufio.NewScanner(s.in)}
	var err error
	if q.beliefs, err = lessons.Misconceptions(); err != nil {
		return err
	}
	if !q.alone() {
		if q.history, err = s.quizHistory(); err != nil {
			return err
		}
	}
	if q.engine, err = s.newQuizEngine(); err != nil {
		return err
	}
	err = q.carryOut(ctx)
	if errors.Is(err, io.EOF) { // the learner has had enough
		err = nil
	}
	return errors.Join(err, q.engine.end(context.WithoutCancel(ctx)))
}

// newQuizEngine is what questions are asked on; it has a registry of its own.
func (s *session) newQuizEngine() (*furnishedEngine, error) {
	e, err := s.newFurnishedEngine("quiz")
	if err == nil {
		e.withRegistry = true
	}
	return e, err
}

// quizzing is one round of questions.
type quizzing struct {
	session *session
	engine  *furnishedEngine
	flags   quizFlags
	topic   string
	in      *bufio.Scanner
	beliefs map[string]lessons.Misconception
	history quiz.History
	again   []quiz.Item // answered wrongly in this round
	asked   int
	right   int
}

// alone tells that nobody answers.
func (q *quizzing) alone() bool { return q.flags.auto || q.flags.export != "" }

func (q *quizzing) carryOut(ctx context.Context) error {
	if q.flags.export != "" {
		return q.export(ctx)
	}
	return q.all(ctx)
}

// export writes new questions. A file is there only if all went well.
func (q *quizzing) export(ctx context.Context) error {
	form, err := export.Named(q.flags.export)
	if err != nil {
		return err
	}
	set := export.Set{Beliefs: q.beliefs}
	for i := range q.flags.count {
		question, err := q.ask(ctx, q.item(i))
		if err != nil {
			return err
		}
		set.Questions = append(set.Questions, question)
	}
	slices.SortStableFunc(set.Questions, func(a, b quiz.Question) int { // a category for each topic
		return slices.Index(quiz.Topics(), a.Topic) - slices.Index(quiz.Topics(), b.Topic)
	})
	var text bytes.Buffer
	if err := form.Write(&text, set); err != nil {
		return err
	}
	if q.flags.out == "" {
		_, err := text.WriteTo(q.session.out)
		return err
	}
	if err := os.WriteFile(q.flags.out, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("export questions: %w", err)
	}
	return nil
}

func (q *quizzing) ask(ctx context.Context, it quiz.Item) (quiz.Question, error) {
	return quiz.Ask(ctx, q.engine, filepath.Join(q.engine.dir, "work"), it)
}

// all asks what is due, then new questions, then once more what was wrong.
func (q *quizzing) all(ctx context.Context) error {
	if !q.flags.auto {
		defer q.summary()
		for _, it := range q.history.Due(q.topic, time.Now()) {
			if err := q.due(ctx, it); err != nil {
				return err
			}
		}
	}
	for i := range q.flags.count {
		if err := q.one(ctx, q.item(i), ""); err != nil {
			return err
		}
	}
	again := q.again
	for _, it := range again {
		if err := q.one(ctx, it, "Once more:"); err != nil {
			return err
		}
	}
	return nil
}

// item names the new question number i.
func (q *quizzing) item(i int) quiz.Item {
	it := quiz.Item{Topic: q.topic, Seed: q.flags.seed + uint64(i), Difficulty: q.flags.difficulty}
	if topics := quiz.Topics(); it.Topic == "" {
		it.Topic = topics[i%len(topics)]
	}
	switch {
	case it.Difficulty != 0:
	case q.alone():
		it.Difficulty = quiz.MinDifficulty + i%quiz.MaxDifficulty
	default:
		it.Difficulty = q.history.Difficulty(it.Topic)
	}
	return it
}

// due asks a question that has come back. One that can't be asked any more keeps nobody from the others.
func (q *quizzing) due(ctx context.Context, it quiz.Item) error {
	question, err := q.ask(ctx, it)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(q.session.err, "learn: left out: %v\n", err)
		return nil
	}
	if err != nil {
		return err
	}
	return q.put(question, "You had this one wrong before.")
}

func (q *quizzing) one(ctx context.Context, it quiz.Item, intro string) error {
	question, err := q.ask(ctx, it)
	if err != nil {
		return err
	}
	return q.put(question, intro)
}

// put shows a question and takes the answer in.
func (q *quizzing) put(question quiz.Question, intro string) error {
	it, out := question.Item, q.session.out
	q.asked++
	fmt.Fprintf(out, "Question %d: %s, difficulty %d, seed %d\n", q.asked, it.Topic, it.Difficulty, it.Seed)
	if intro != "" {
		fmt.Fprintln(out, intro)
	}
	fmt.Fprintln(out)
	question.Show(q.session.page())
	if q.flags.auto {
		q.reveal(question, "Answer")
		return nil
	}
	right, belief, err := q.read(question)
	if err != nil {
		return err
	}
	q.tell(question, right, belief)
	if right {
		q.right++
	} else {
		q.again = append(q.again, it)
	}
	q.history = q.history.Add(quiz.Answer{Item: it, Right: right, Belief: belief, At: time.Now().UTC().Truncate(time.Second)})
	return q.session.keepQuiz(q.history)
}

// read asks until there is an answer. q and the end of the input are io.EOF.
func (q *quizzing) read(question quiz.Question) (right bool, belief string, err error) {
	for {
		fmt.Fprintf(q.session.out, "Your answer, %s (q quits): ", question.How())
		if !q.in.Scan() || strings.TrimSpace(q.in.Text()) == "q" {
			fmt.Fprintln(q.session.out)
			return false, "", errors.Join(q.in.Err(), io.EOF)
		}
		right, belief, err = question.Judge(q.in.Text())
		if err == nil {
			return right, belief, nil
		}
		fmt.Fprintln(q.session.out, err)
	}
}

func (q *quizzing) tell(question quiz.Question, right bool, belief string) {
	if right {
		q.reveal(question, "Right")
		return
	}
	q.reveal(question, "Wrong. The answer is")
	if m, ok := q.beliefs[belief]; ok {
		p := q.session.page()
		p.Line("It is often believed: " + m.Claim)
		p.Line(m.Refutation)
		p.Line("Where to see it: " + m.Evidence)
		p.Raw("")
	}
}

// evidenceShown is how many events are listed; more say no more.
const evidenceShown = 3

func (q *quizzing) reveal(question quiz.Question, word string) {
	p := q.session.page()
	p.Line(word + ": " + question.Key())
	p.Line("Evidence:")
	for _, line := range question.Evidence[:min(evidenceShown, len(question.Evidence))] {
		p.Bullet(line)
	}
	fmt.Fprintln(q.session.out)
}

func (q *quizzing) summary() {
	fmt.Fprintf(q.session.out, "%d of %d right. Your answers are in %s\n", q.right, q.right+len(q.again), q.session.quizFile())
}

func (s *session) quizFile() string { return filepath.Join(s.home, "progress", "quiz.json") }

// quizHistory reads the kept answers; no file means none. What can't be read stops nobody: it is said, and a file that is no JSON is moved
// out of the way, so that it can be mended.
func (s *session) quizHistory() (quiz.History, error) {
	data, err := os.ReadFile(s.quizFile())
	if errors.Is(err, os.ErrNotExist) {
		return quiz.History{}, nil
	}
	if err != nil {
		return quiz.History{}, fmt.Errorf("read answers: %w", err)
	}
	h, leftOut, err := quiz.ParseHistory(data)
	if err != nil {
		aside := s.quizFile() + ".broken"
		fmt.Fprintf(s.err, "learn: read answers: %s: %v; begin anew, the file is now %s\n", s.quizFile(), err, aside)
		if err := os.Rename(s.quizFile(), aside); err != nil {
			return h, fmt.Errorf("put broken answers aside: %w", err)
		}
		return quiz.History{}, nil
	}
	for _, what := range leftOut {
		fmt.Fprintf(s.err, "learn: read answers: %s: left out: %s\n", s.quizFile(), what)
	}
	return h, nil
}

func (s *session) keepQuiz(h quiz.History) error {
	if err := os.MkdirAll(filepath.Dir(s.quizFile()), 0o700); err != nil {
		return fmt.Errorf("keep answers: %w", err)
	}
	return home.WriteJSON(s.quizFile(), h, 0o600)
}
