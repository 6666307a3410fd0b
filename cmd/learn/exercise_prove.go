package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/learn-containers/learn/exercises"
)

// proofEpoch dates what an exercise builds while it is proven, so that each proof gives the same.
const proofEpoch = 1700000000

// proveExercise carries an exercise out for a seed: untouched it must fail, with the solution it must be solved, and each wrong attempt, where these
// are wanted, must fail and fit its own misconception. The first fault ends it. Nothing runs on the engine afterwards.
func proveExercise(ctx context.Context, e *furnishedEngine, x exercises.Exercise, seed uint64, wrong bool) (err error) {
	t, err := x.Task(seed)
	if err != nil {
		return err
	}
	e.withRegistry = x.Registry
	defer func() {
		e.withRegistry = false
		err = errors.Join(err, e.quiet(context.WithoutCancel(ctx)), os.RemoveAll(filepath.Join(e.dir, "work")))
	}()
	p := proof{engine: e, task: t}
	if err := p.solution(ctx); err != nil {
		return fmt.Errorf("prove exercise %s with seed %d on %s: %w", x.ID, seed, e.driver.Name, err)
	}
	for _, w := range t.Wrong {
		if !wrong {
			break
		}
		if err := p.wrong(ctx, w); err != nil {
			return fmt.Errorf("prove exercise %s with seed %d on %s: %w", x.ID, seed, e.driver.Name, err)
		}
	}
	return nil
}

// proof is one exercise on one engine.
type proof struct {
	engine *furnishedEngine
	task   exercises.Task
}

func (p proof) begin(ctx context.Context) (exercises.Bench, error) {
	b := exercises.Bench{Engine: p.engine, Programs: p.engine, Folder: filepath.Join(p.engine.dir, "work", "folder"), Scratch: filepath.Join(p.engine.dir, "work", "scratch"), Epoch: proofEpoch}
	if err := p.engine.Reset(ctx); err != nil {
		return b, err
	}
	if err := os.RemoveAll(filepath.Dir(b.Folder)); err != nil {
		return b, err
	}
	var err error
	b.Began, err = p.task.Begin(ctx, b)
	return b, err
}

// solution judges the untouched start, too: a learner may ask at once.
func (p proof) solution(ctx context.Context) error {
	b, err := p.begin(ctx)
	if err != nil {
		return err
	}
	v, err := p.task.Judge(ctx, b)
	if err != nil {
		return err
	}
	if v.Solved() {
		return errors.New("untouched, it is solved; expected a check that does not hold")
	}
	if err := p.task.Apply(ctx, b, p.task.Solution); err != nil {
		return err
	}
	if v, err = p.task.Judge(ctx, b); err != nil {
		return err
	}
	if f := v.First(); f != nil {
		return fmt.Errorf("with the solution, check %s does not hold: %q", f.Check.ID, f.Reasons)
	}
	return nil
}

func (p proof) wrong(ctx context.Context, a exercises.Attempt) error {
	b, err := p.begin(ctx)
	if err != nil {
		return err
	}
	if err := p.task.Apply(ctx, b, a); err != nil {
		return err
	}
	v, err := p.task.Judge(ctx, b)
	if err != nil {
		return fmt.Errorf("wrong/%s: %w", a.Name, err)
	}
	if v.Solved() {
		return fmt.Errorf("wrong/%s solves it; expected a check that does not hold", a.Name)
	}
	if !slices.Contains(v.Beliefs(), a.Name) {
		return fmt.Errorf("wrong/%s is taken for %q by check %s; expected its own misconception (%q)", a.Name, v.Beliefs(), v.First().Check.ID, v.First().Reasons)
	}
	return nil
}
