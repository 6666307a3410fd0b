package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/dockerfile/lint"
	"github.com/learn-containers/learn/engine/oci"
)

// LintInput is a Dockerfile with what its checks ask about.
type LintInput struct {
	Name    string // as messages name it
	Text    []byte
	Options lint.Options
}

// LintInput reads the Dockerfile and the ignore file of a build, for package lint. Base images are those that Resolve finds.
func (b *Builder) LintInput(ctx context.Context, o Options) (in LintInput, err error) {
	if o.Progress == nil {
		o.Progress = silent{}
	}
	op, err := b.home.Begin("check")
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	s := &session{Builder: b, op: op, opts: o, display: &display{to: o.Progress}}
	if err := s.prepare(ctx); err != nil {
		return in, err
	}
	text := s.opts.Text
	if text == nil {
		if text, err = readDockerfile(dockerfilePath(s.opts), s.opts.ContextDir); err != nil {
			return in, err
		}
	}
	return s.lintInput(ctx, text)
}

func (s *session) lintInput(ctx context.Context, text []byte) (in LintInput, err error) {
	path := dockerfilePath(s.opts)
	in = LintInput{Name: filepath.Base(path), Text: text}
	in.Options = lint.Options{Target: s.opts.Target, Platform: s.opts.Platform, Base: func(name string, _ dockerfile.Platform) (oci.Image, bool) {
		img, err := s.images.Resolve(ctx, name)
		return img.Config, err == nil
	}}
	if in.Options.Args, err = s.args(); err != nil {
		return in, err
	}
	in.Options.Ignored, err = ignoredBy(s.opts.ContextDir, path)
	return in, err
}

// enforceChecks ends a build whose Dockerfile asks for that where docker's rules warn, before anything is built.
func (s *session) enforceChecks(ctx context.Context, file *dockerfile.File, text []byte) error {
	if !file.Check.Error {
		return nil
	}
	in, err := s.lintInput(ctx, text)
	if err != nil {
		return err
	}
	return lint.Check(in.Name, in.Text, in.Options).Violation(in.Name, in.Text)
}

func ignoredBy(contextDir, dockerfile string) (func(string) bool, error) {
	root, err := os.OpenRoot(contextDir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read build context: %w", err)
	}
	defer root.Close()
	list, err := findIgnore(root, dockerfile)
	if err != nil {
		return nil, fmt.Errorf("read build context %s: %w", contextDir, err)
	}
	var patterns []string
	for _, r := range list.rules {
		patterns = append(patterns, r.pattern)
	}
	return lint.Ignored(patterns)
}
