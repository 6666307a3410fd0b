package quiz

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/trace/world"
)

// Question is a plan that was carried out.
type Question struct {
	Item
	Prompt   string
	Kind     Kind
	Choices  []Choice
	Orders   []Sequence // wrong orders with the misconceptions behind them, for ByOrder
	Right    []int      // indexes of the right choices, rising; for ByOrder those of all, in the right order
	Evidence []string
}

// Ask makes the item's plan, carries it out on e, which it empties first, and in the folder dir, which it empties too. An
// error means that the question can't be asked: a command failed, or the key is no choice, or nothing proves it.
func Ask(ctx context.Context, e lessons.Engine, dir string, it Item) (Question, error) {
	plan, err := Make(it)
	if err != nil {
		return Question{}, err
	}
	q := Question{Item: it, Prompt: plan.Prompt, Kind: plan.Kind, Choices: plan.Choices, Orders: plan.Orders}
	ran, err := carryOut(ctx, e, dir, plan.Steps)
	if err != nil {
		return q, q.broken(err)
	}
	found, err := plan.Key(ran)
	if err != nil {
		return q, q.broken(err)
	}
	for _, ev := range found.Evidence {
		q.Evidence = append(q.Evidence, lessons.EventLine(ev))
	}
	if err := q.settle(found.Answers); err != nil {
		return q, q.broken(err)
	}
	return q, nil
}

func (q *Question) broken(err error) error {
	return fmt.Errorf("ask %s question with seed %d and difficulty %d: %w", q.Topic, q.Seed, q.Difficulty, err)
}

func carryOut(ctx context.Context, e lessons.Engine, dir string, steps []Step) (Ran, error) {
	if err := e.Reset(ctx); err != nil {
		return Ran{}, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return Ran{}, fmt.Errorf("empty the workspace: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Ran{}, fmt.Errorf("make the workspace: %w", err)
	}
	var ran Ran
	for _, s := range steps {
		if err := s.prepare(dir); err != nil {
			return Ran{}, err
		}
		before := len(ran.Events)
		if err := s.run(ctx, e, dir, &ran); err != nil {
			return Ran{}, err
		}
		since, err := e.Trace(ctx, uint64(before))
		if err != nil {
			return Ran{}, fmt.Errorf("read the trace: %w", err)
		}
		ran.Events, ran.Last = append(ran.Events, since...), since
	}
	ran.World = world.Fold(ran.Events)
	return ran, nil
}

func (s Step) prepare(dir string) error {
	for _, f := range s.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
		if err := os.WriteFile(path, []byte(f.Text), 0o644); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
	}
	later := time.Now().Add(time.Hour)
	for _, name := range s.Touch {
		if err := os.Chtimes(filepath.Join(dir, filepath.FromSlash(name)), later, later); err != nil {
			return fmt.Errorf("touch %s: %w", name, err)
		}
	}
	return nil
}

func (s Step) run(ctx context.Context, e lessons.Engine, dir string, ran *Ran) error {
	if len(s.Argv) == 0 {
		return ctx.Err()
	}
	var out bytes.Buffer
	env := []string{"HOME=" + dir, "LEARN_HOME=" + e.Home(), "NO_COLOR=1", "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH")}
	ran.Code = e.Run(ctx, s.Argv, lessons.Streams{In: strings.NewReader(""), Out: &out, Err: &out}, dir, env)
	ran.Out = out.String()
	if ran.Code != 0 && !s.MayFail {
		return fmt.Errorf("run %q: exit code %d: %s", strings.Join(s.Argv, " "), ran.Code, strings.TrimSpace(ran.Out))
	}
	return ctx.Err()
}

// Show writes the question to a page.
func (q Question) Show(p lessons.Page) {
	q.ShowPrompt(p)
	if q.Kind == ByNumber {
		return
	}
	for i, c := range q.Choices {
		p.Raw(fmt.Sprintf("  %d) %s", i+1, c.Text))
	}
	p.Raw("")
}

// ShowPrompt writes what is asked. Commands and files, which are indented, stay as they are.
func (q Question) ShowPrompt(p lessons.Page) {
	for _, part := range strings.Split(strings.Trim(q.Prompt, "\n"), "\n\n") {
		if part = strings.Trim(part, "\n"); strings.HasPrefix(part, "    ") {
			p.Raw(part)
		} else {
			p.Line(strings.ReplaceAll(part, "\n", " "))
		}
		p.Raw("")
	}
}
