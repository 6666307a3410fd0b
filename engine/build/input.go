package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// dockerfilePath is where the Dockerfile is looked for.
func dockerfilePath(o Options) string {
	if o.Dockerfile != "" {
		return o.Dockerfile
	}
	return filepath.Join(o.ContextDir, "Dockerfile")
}

// prepare fetches the context, if it is not a folder already.
func (s *session) prepare(ctx context.Context) error {
	if s.opts.From == nil {
		return nil
	}
	what := "[internal] load build context from " + s.opts.Source
	if s.opts.ContextDir != "" {
		what = "[internal] load build definition from standard input"
	}
	id := s.display.work(what)
	got, err := s.fetchContext(ctx)
	s.display.Done(id, err)
	if err != nil {
		return err
	}
	if left := got.Unpacked.Skipped; len(left) > 0 {
		s.warn("the context's archive holds what no context can: left out were " + strings.Join(left, ", "))
	}
	s.opts.ContextDir, s.opts.Text = got.Dir, got.Dockerfile
	name := s.opts.Dockerfile
	if got.Dockerfile != nil || name == "" {
		name = "Dockerfile"
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(got.Dir, name)
	}
	s.opts.Dockerfile = name
	return nil
}

func (s *session) fetchContext(ctx context.Context) (fetch.Prepared, error) {
	scratch := filepath.Join(s.op.Dir(), "context")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return fetch.Prepared{}, err
	}
	spec := *s.opts.From
	spec.Download.Cache = s.downloads()
	return fetch.Prepare(ctx, scratch, spec)
}

// downloads is where files from HTTP servers are kept.
func (s *session) downloads() string { return filepath.Join(s.home.Cache(), downloadsName) }

const downloadsName = "http"

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
	s.tree.once.Do(func() { s.tree.tree, s.tree.err = s.readContext(ctx) })
	return s.tree.tree, s.tree.err
}

func (s *session) readContext(ctx context.Context) (*contextTree, error) {
	id := s.display.work("[internal] load build context")
	known := s.home.Cache()
	if strings.HasPrefix(s.opts.ContextDir, s.op.Dir()) {
		known = s.op.Dir() // the folder is new each time: nothing is known of its files, nor worth knowing
	}
	t, err := openContext(s.opts.ContextDir, dockerfilePath(s.opts), known)
	s.display.Done(id, err)
	if err != nil {
		return nil, err
	}
	trace.Fact(ctx, vocab.BuildContext, trace.Int("files", int64(t.count())), trace.Int("size_bytes", t.bytes), trace.Int("ignored", int64(t.ignored)))
	return t, nil
}
