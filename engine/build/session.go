package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// session is one build under way.
type session struct {
	*Builder
	blobs  *blob.Store
	op     *home.Operation
	opts   Options
	plan   *dockerfile.Plan
	cache  *cache
	tree   *contextTree // nil until a COPY needs it
	done   map[int]*stage
	number int // of the instruction under way, from 1
	total  int // instructions in all planned stages, FROM included
	shown  int // steps shown as progress
	hits   int
	misses int
}

// dockerfilePath is where the Dockerfile is looked for.
func dockerfilePath(o Options) string {
	if o.Dockerfile != "" {
		return o.Dockerfile
	}
	return filepath.Join(o.ContextDir, "Dockerfile")
}

// load reads and plans the Dockerfile.
func (s *session) load() error {
	if err := checkContextDir(s.opts.ContextDir); err != nil {
		return err
	}
	path := dockerfilePath(s.opts)
	text, err := readDockerfile(path, s.opts.ContextDir)
	if err != nil {
		return err
	}
	file, err := dockerfile.Parse(filepath.Base(path), text)
	if err != nil {
		return err
	}
	args := map[string]string{}
	for k, v := range s.opts.Args {
		if v == nil {
			continue
		}
		if !utf8.ValidString(k + *v) {
			return fmt.Errorf("build argument %q: the value is not UTF-8 text", k)
		}
		args[k] = *v
	}
	s.plan, err = file.Plan(dockerfile.PlanOptions{Target: s.opts.Target, Args: args, Platform: "linux/" + oci.Architecture()})
	if err != nil {
		return err
	}
	for _, st := range s.plan.Stages {
		s.total += 1 + len(st.Instructions)
	}
	s.cache.openHistory(path, s.opts.ContextDir, s.opts.Target)
	return nil
}

func checkContextDir(dir string) error {
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("unable to prepare context: path %q not found: give the folder that holds the files to copy", dir)
	case err != nil:
		return fmt.Errorf("unable to prepare context: %w", err)
	case !fi.IsDir():
		return fmt.Errorf("unable to prepare context: path %q is not a folder", dir)
	}
	return nil
}

// readDockerfile keeps docker's words for a missing file, and says where it looked. A Dockerfile in the context is opened
// through a root handle: a link there may not lead out of the context.
func readDockerfile(path, contextDir string) ([]byte, error) {
	const words = "failed to read dockerfile: open"
	f, err := openDockerfile(path, contextDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s %s: no such file or directory: write a Dockerfile there (looked for %s), or name another with -f",
			words, filepath.Base(path), path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", words, filepath.Base(path), err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, dockerfile.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", words, filepath.Base(path), err)
	}
	return text, nil
}

func openDockerfile(path, contextDir string) (*os.File, error) {
	rel, err := relative(contextDir, path)
	if err != nil || !filepath.IsLocal(rel) {
		if err := checkRegular(os.Stat(path)); err != nil {
			return nil, err
		}
		return os.Open(path)
	}
	root, err := os.OpenRoot(contextDir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := checkRegular(root.Stat(rel)); err != nil {
		return nil, err
	}
	return root.Open(rel)
}

// checkRegular comes before an open, which would wait for ever on a pipe.
func checkRegular(fi fs.FileInfo, err error) error {
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	return err
}

// relative is path as seen from dir.
func relative(dir, path string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	return filepath.Rel(dir, path)
}

// context reads the build context when the first step needs it.
func (s *session) context(ctx context.Context) (*contextTree, error) {
	if s.tree != nil {
		return s.tree, nil
	}
	id := s.progress("[internal] load build context")
	t, err := openContext(s.opts.ContextDir, dockerfilePath(s.opts), s.home.Cache())
	s.opts.Progress.Done(id, err)
	if err != nil {
		return nil, err
	}
	trace.Fact(ctx, vocab.BuildContext, trace.Int("files", int64(t.count())), trace.Int("size_bytes", t.bytes), trace.Int("ignored", int64(t.ignored)))
	s.tree = t
	return t, nil
}

// progress shows a step that is no instruction.
func (s *session) progress(text string) int {
	s.shown++
	s.opts.Progress.Step(Step{ID: s.shown, Text: text})
	return s.shown
}

// close keeps what the next build learns from: digests of unchanged files and the keys of this build's steps.
func (s *session) close() error {
	err := s.cache.saveHistory()
	if s.tree != nil {
		err = errors.Join(err, s.tree.close())
	}
	return err
}

// stages builds every planned stage and returns the last.
func (s *session) stages(ctx context.Context) (*stage, error) {
	var last *stage
	for _, planned := range s.plan.Stages {
		st, err := s.stage(ctx, planned)
		if err != nil {
			return nil, err
		}
		s.done[planned.Index] = st
		last = st
	}
	return last, nil
}

// stage builds one stage: its base, then its instructions in order.
func (s *session) stage(ctx context.Context, planned dockerfile.Stage) (*stage, error) {
	st := &stage{session: s, planned: planned, steps: countShown(planned)}
	if err := s.step(ctx, st, planned.From, st.from); err != nil {
		return nil, err
	}
	triggers, err := s.plan.File.Triggers(planned.From, st.config.Config.OnBuild)
	if err != nil {
		return nil, err
	}
	st.config.Config.OnBuild = nil
	s.total += len(triggers)
	for _, in := range append(triggers, planned.Instructions...) {
		if err := s.step(ctx, st, in, st.instruction); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// outcome is what a step came to.
type outcome struct {
	cached bool
	diffID string
}

type stepFunc func(ctx context.Context, in dockerfile.Instruction) (outcome, error)

func (s *session) step(ctx context.Context, st *stage, in dockerfile.Instruction, do stepFunc) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.number++
	ctx, end := trace.Step(ctx, vocab.BuildStep, trace.Int("step", int64(s.number)), trace.Int("steps", int64(s.total)), trace.String("instruction", in.Text))
	out, err := do(ctx, in)
	if err != nil {
		end(err)
		return err
	}
	end(nil, trace.Bool("cached", out.cached), trace.String("diff_id", out.diffID))
	return nil
}

// resolve finds a base image, with an error that tells the line.
func (s *session) resolve(ctx context.Context, in dockerfile.Instruction, name string) (image.Image, error) {
	img, err := s.images.Resolve(ctx, name)
	if err != nil {
		return image.Image{}, s.plan.File.Failed(in, name, err)
	}
	return img, nil
}

// now is the time that new things carry.
func (s *session) now() time.Time {
	if s.opts.Epoch != nil {
		return s.opts.Epoch.UTC()
	}
	return driver.Now(s.runtime).UTC()
}
