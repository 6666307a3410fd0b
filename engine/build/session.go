package build

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
)

// session is one build under way. Its stages are built by goroutines of their own: what they share is either never changed after
// load, or guarded.
type session struct {
	*Builder
	blobs   *blob.Store
	op      *home.Operation
	opts    Options
	plan    *dockerfile.Plan
	cache   *cache
	display *display
	sched   schedule
	turns   turns
	story   *chronicle
	tree    onceTree // the build context
	caches  onceCaches

	mu     sync.Mutex
	number int // of the instruction under way, from 1
	total  int // instructions in all planned stages, FROM included
	hits   int
	misses int
	saved  Saving
	made   map[digest.Digest]Record // by this build
	bases  map[string]image.Image   // by name and platform
	warned []string
	scraps bool // trees were unpacked that nothing refers to
}

// onceTree is the build context, read when the first step needs it.
type onceTree struct {
	once sync.Once
	tree *contextTree
	err  error
}

// onceCaches is the caches of --cache-from, read when the first step has missed.
type onceCaches struct {
	once  sync.Once
	cache *importedCache
}

func (b *Builder) newSession(op *home.Operation, o Options) (*session, error) {
	blobs, err := blob.Open(b.home.Images())
	if err != nil {
		return nil, err
	}
	return &session{
		Builder: b, blobs: blobs, op: op, opts: o, cache: openCache(b.home.Cache()), display: &display{to: o.Progress},
		sched: schedule{stages: map[int]*building{}, slots: make(chan struct{}, parallel(o))},
		turns: turns{taken: map[string]chan struct{}{}}, made: map[digest.Digest]Record{}, bases: map[string]image.Image{},
	}, nil
}

// load reads and plans the Dockerfile.
func (s *session) load(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	if err := checkContextDir(s.opts.ContextDir); err != nil {
		return err
	}
	path := dockerfilePath(s.opts)
	text := s.opts.Text
	if text == nil {
		var err error
		if text, err = readDockerfile(path, s.opts.ContextDir); err != nil {
			return err
		}
	}
	file, err := dockerfile.Parse(filepath.Base(path), text)
	if err != nil {
		return err
	}
	args, err := s.args()
	if err != nil {
		return err
	}
	s.plan, err = file.Plan(dockerfile.PlanOptions{Target: s.opts.Target, Args: args, Platform: s.opts.Platform})
	if err != nil {
		return err
	}
	if err := s.setEpoch(); err != nil {
		return err
	}
	if err := s.enforceChecks(ctx, file, text); err != nil {
		return err
	}
	for _, st := range s.plan.Stages {
		s.total += 1 + len(st.Instructions)
	}
	s.story, err = s.cache.begin(s.Builder, path, s.opts)
	return err
}

// setEpoch takes the one time of the build from the Dockerfile, if nobody gave it: from an ARG before the first FROM.
func (s *session) setEpoch() error {
	text := s.plan.Epoch()
	if s.opts.Epoch != nil || text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("invalid SOURCE_DATE_EPOCH %q: expected the seconds since 1970-01-01 00:00 UTC", text)
	}
	t := time.Unix(n, 0).UTC()
	s.opts.Epoch = &t
	return nil
}

// args are the build arguments that have a value.
func (s *session) args() (map[string]string, error) {
	args := map[string]string{}
	for k, v := range s.opts.Args {
		if v == nil {
			continue
		}
		if !utf8.ValidString(k + *v) {
			return nil, fmt.Errorf("build argument %q: the value is not UTF-8 text", k)
		}
		args[k] = *v
	}
	return args, nil
}

// close keeps what the next build learns from: digests of unchanged files, and what this build did and why.
func (s *session) close(ctx context.Context, res *Result, failed error) error {
	res.Hits, res.Misses, res.Saved, res.Warnings = s.hits, s.misses, s.saved, s.warned
	var err error
	if s.story != nil {
		res.Build, err = s.story.end(s, res, failed)
	}
	if s.tree.tree != nil {
		s.tree.tree.sums.dirty = s.tree.tree.sums.dirty && !s.opts.DryRun
		err = errors.Join(err, s.tree.tree.close())
	}
	if s.misses > 0 && !s.opts.DryRun {
		err = errors.Join(err, s.cache.limit(ctx, s.opts.MaxCache))
	}
	return err
}

// warn tells of something that the build can do without. Each text is told once.
func (s *session) warn(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.warned, text) {
		s.warned = append(s.warned, text)
	}
}

// stage builds one stage: its base, then its instructions in order.
func (s *session) stage(ctx context.Context, planned dockerfile.Stage) (*stage, error) {
	st := &stage{session: s, planned: planned, steps: countShown(planned), fresh: s.isFresh(planned)}
	if err := s.from(ctx, st); err != nil {
		return nil, err
	}
	triggers, err := s.plan.File.Triggers(planned.From, st.config.Config.OnBuild)
	if err != nil {
		return nil, err
	}
	st.config.Config.OnBuild = nil
	s.mu.Lock()
	s.total += len(triggers)
	s.mu.Unlock()
	all := append(triggers, planned.Instructions...)
	st.texts = treeTexts(all)
	for _, in := range all {
		if err := s.step(ctx, st, in); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// isFresh tells whether the stage must not use the cache.
func (s *session) isFresh(planned dockerfile.Stage) bool {
	return s.opts.NoCache || slices.ContainsFunc(s.opts.NoCacheOf, func(name string) bool {
		return strings.EqualFold(name, planned.Name) || name == strconv.Itoa(planned.Index)
	})
}

// from sets a stage on its base, when that is there.
func (s *session) from(ctx context.Context, st *stage) error {
	if b := st.planned.Base.Stage; b >= 0 {
		if _, err := s.await(ctx, b); err != nil {
			return err
		}
	}
	return s.carryOut(ctx, st, st.planned.From, func(ctx context.Context) (outcome, error) { return st.from(ctx, st.planned.From) })
}

// step carries out one instruction, when the stages are there that it takes something from.
func (s *session) step(ctx context.Context, st *stage, in dockerfile.Instruction) error {
	in.Text = shownText(in)
	st.scope.SetWorkdir(st.config.Config.WorkingDir)
	cmd, err := st.scope.Expand(in)
	if err != nil {
		return err
	}
	needs, err := st.needs(in, cmd)
	if err != nil {
		return err
	}
	for _, i := range needs {
		if _, err := s.await(ctx, i); err != nil {
			return err
		}
	}
	return s.carryOut(ctx, st, in, func(ctx context.Context) (outcome, error) { return st.instruction(ctx, in, cmd) })
}

// outcome is what a step came to.
type outcome struct {
	cached bool
	diffID string
}

// carryOut does what one instruction says, within a slot and a step of the trace.
func (s *session) carryOut(ctx context.Context, st *stage, in dockerfile.Instruction, do func(context.Context) (outcome, error)) error {
	release, err := s.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	s.mu.Lock()
	s.number++
	number, total := s.number, s.total
	s.mu.Unlock()
	if err := st.pause(ctx, in, number, total); err != nil {
		return err
	}
	ctx, end := trace.Step(ctx, vocab.BuildStep, trace.Int("step", int64(number)), trace.Int("steps", int64(total)), trace.String("instruction", in.Text))
	out, err := do(ctx)
	if err != nil {
		err = s.placed(ctx, in, err)
		end(err)
		return err
	}
	end(nil, trace.Bool("cached", out.cached), trace.String("diff_id", out.diffID))
	return nil
}

// placed gives an error its place in the Dockerfile, if it has none yet and the build was not told to end.
func (s *session) placed(ctx context.Context, in dockerfile.Instruction, err error) error {
	syntax, step := (*dockerfile.SyntaxError)(nil), (*dockerfile.StepError)(nil)
	if ctx.Err() != nil || errors.As(err, &syntax) || errors.As(err, &step) {
		return err
	}
	return s.plan.File.Failed(in, "", err)
}

// now is the time that new things carry.
func (s *session) now() time.Time {
	if s.opts.Epoch != nil {
		return s.opts.Epoch.UTC()
	}
	return driver.Now(s.runtime).UTC()
}
