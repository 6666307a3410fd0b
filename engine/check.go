package engine

import (
	"context"
	"fmt"

	"github.com/learn-containers/learn/engine/driver"
)

// Problem is one thing that is wrong in a home.
type Problem struct {
	Where  string // container, image, blob, snapshot
	Detail string
}

func (p Problem) String() string { return p.Where + ": " + p.Detail }

// Check verifies every blob, record and reference, reading all of them. It changes nothing; Open has mended before what can be mended.
func (e *Engine) Check(ctx context.Context) ([]Problem, error) {
	var found []Problem
	for _, p := range e.Images.Verify(ctx) {
		found = append(found, Problem{"image store", p.String()})
	}
	for _, p := range e.Containers.Verify(ctx) {
		found = append(found, Problem{"container", p.String()})
	}
	for _, p := range e.Volumes.Verify(ctx) {
		found = append(found, Problem{"volume store", p.String()})
	}
	leaks, err := e.leaks(ctx)
	if err != nil {
		return found, err
	}
	for _, l := range leaks {
		found = append(found, Problem{e.Driver.Name, l})
	}
	left, err := e.Home.Orphans()
	if err != nil {
		return found, err
	}
	for i := range left {
		found = append(found, Problem{"operation", fmt.Sprintf("%s by process %d died half-way", left[i].Name, left[i].Pid)})
	}
	return found, nil
}

// leaks asks while no operation is under way: a build step has processes without a container's record.
func (e *Engine) leaks(ctx context.Context) ([]string, error) {
	l, ok := e.Driver.Runtime.(driver.Leaker)
	if !ok {
		return nil, nil
	}
	unlock, err := e.Home.Lock(ctx, "gc", true)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return l.Leaks(ctx), nil
}
