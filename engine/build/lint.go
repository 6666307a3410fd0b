package build

import (
	"context"
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

// LintInput reads the Dockerfile and the ignore file of a build, for package lint. Base images are those that Resolve finds. A context
// folder that is not there has no ignore file: checks of a Dockerfile from standard input need none.
func (b *Builder) LintInput(ctx context.Context, o Options) (LintInput, error) {
	s := &session{Builder: b, opts: o}
	path := dockerfilePath(o)
	in := LintInput{Name: filepath.Base(path), Text: o.Text}
	var err error
	if in.Text == nil {
		if in.Text, err = readDockerfile(path, o.ContextDir); err != nil {
			return in, err
		}
	}
	in.Options = lint.Options{Target: o.Target, Platform: o.Platform, Base: func(name string, _ dockerfile.Platform) (oci.Image, bool) {
		img, err := b.images.Resolve(ctx, name)
		return img.Config, err == nil
	}}
	if in.Options.Args, err = s.args(); err != nil {
		return in, err
	}
	in.Options.Ignored, err = ignoredBy(o.ContextDir, path)
	return in, err
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
