package build

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// schedule is the stages of one build, as a graph: each is a goroutine that waits for the stages it needs when an instruction needs
// them, and a bounded number of instructions is carried out at once. With one slot there are no goroutines: stages are built one
// after the other, in the order of the file, so that a build that is stepped through or recorded always goes the same way.
type schedule struct {
	mu     sync.Mutex
	stages map[int]*building
	slots  chan struct{}
	going  sync.WaitGroup
	first  error // what went wrong first: the rest is consequences
	cancel context.CancelFunc
}

// building is a stage that is being built. Its fields are valid when done is closed.
type building struct {
	done chan struct{}
	st   *stage
	err  error
}

// minParallel lets steps that wait for something else than the processor wait side by side.
const minParallel = 8

func parallel(o Options) int {
	switch {
	case o.Debugger != nil, o.DryRun:
		return 1 // whoever steps must know where he is
	case o.Parallel > 0:
		return o.Parallel
	}
	return max(minParallel, 2*runtime.NumCPU())
}

// stages builds every planned stage and returns the last. All goroutines have ended when it returns.
func (s *session) stages(ctx context.Context) (*stage, error) {
	ctx, s.sched.cancel = context.WithCancel(ctx)
	defer s.sched.cancel()
	last := s.plan.Stages[len(s.plan.Stages)-1]
	for _, planned := range s.plan.Stages {
		p, mine := s.building(planned.Index)
		if !mine {
			continue
		}
		if !s.sequential() {
			s.sched.going.Go(func() { s.fill(ctx, p, planned) })
			continue
		}
		if s.fill(ctx, p, planned); p.err != nil {
			return nil, p.err
		}
	}
	st, err := s.await(ctx, last.Index)
	s.sched.going.Wait()
	if s.sched.first != nil {
		return nil, s.sched.first
	}
	return st, err
}

func (s *session) sequential() bool { return cap(s.sched.slots) == 1 }

// building gives the entry of a stage; mine tells that the caller is the one to fill it.
func (s *session) building(index int) (p *building, mine bool) {
	s.sched.mu.Lock()
	defer s.sched.mu.Unlock()
	if p, ok := s.sched.stages[index]; ok {
		return p, false
	}
	p = &building{done: make(chan struct{})}
	s.sched.stages[index] = p
	return p, true
}

// fill builds a stage. The first stage that fails ends the others.
func (s *session) fill(ctx context.Context, p *building, planned dockerfile.Stage) {
	defer close(p.done)
	p.st, p.err = s.stage(ctx, planned)
	if p.err == nil {
		return
	}
	s.sched.mu.Lock()
	if s.sched.first == nil {
		s.sched.first = p.err
	}
	s.sched.mu.Unlock()
	s.sched.cancel()
}

// await waits until a stage is built. One that only a trigger of a base image asks for is built by whoever asks first.
func (s *session) await(ctx context.Context, index int) (*stage, error) {
	p, mine := s.building(index)
	if mine {
		s.fill(ctx, p, s.plan.Stage(index))
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.err != nil {
		return nil, fmt.Errorf("stage %s: %w", stageName(s.plan.Stage(index)), p.err)
	}
	return p.st, nil
}

// slot waits for the right to carry out an instruction.
func (s *session) slot(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.sched.slots <- struct{}{}:
		return func() { <-s.sched.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func stageName(st dockerfile.Stage) string {
	if st.Name != "" {
		return st.Name
	}
	return strconv.Itoa(st.Index)
}

// turns lets one stage at a time carry out the step of a key; another one with the same step then finds its result.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{}
}

// take waits for the turn of key.
func (t *turns) take(ctx context.Context, key string) (give func(), err error) {
	for {
		t.mu.Lock()
		other, busy := t.taken[key]
		if !busy {
			mine := make(chan struct{})
			t.taken[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
