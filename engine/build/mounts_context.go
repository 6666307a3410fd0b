package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/opencontainers/go-digest"
)

// boundFile is the name of a single file of the context in the tree that is made for it.
const boundFile = "file"

// contextChain unpacks a part of the build context as a tree that can be mounted: a command must see the files as they were when the key was
// made, and none that .dockerignore leaves out. The chain is garbage when the build has ended.
func (s *session) contextChain(ctx context.Context, sel *selection) (chain digest.Digest, err error) {
	archive, sum, err := s.archive(ctx, sel)
	if err != nil {
		return "", fmt.Errorf("mount build context: %w", err)
	}
	defer archive.Close()
	if err := s.op.Claim("chain", sum.String()); err != nil {
		return "", err
	}
	s.mu.Lock()
	s.scraps = true
	s.mu.Unlock()
	if err := s.layers.Apply(ctx, sum, "", sum, archive); err != nil && !errors.Is(err, driver.ErrExists) {
		return "", fmt.Errorf("mount build context: %w", err)
	}
	return sum, nil
}

// archive writes what is selected into a scratch file, as a layer whose root is the source itself.
func (s *session) archive(ctx context.Context, sel *selection) (f *os.File, sum digest.Digest, err error) {
	if f, err = os.CreateTemp(s.op.Dir(), "context-*"); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	p := newPlacement(noTree{}, newest(sel))
	defer func() { err = errors.Join(err, p.close()) }()
	dest := "/"
	if !sel.sources[0].isDir() {
		dest = "/" + boundFile
	}
	if err := p.add(sel.sources[0], dest); err != nil {
		return f, "", err
	}
	h := sha256.New()
	w := layer.NewWriter(io.MultiWriter(f, h))
	if err := p.write(ctx, w); err != nil {
		return f, "", err
	}
	if err := w.Close(); err != nil {
		return f, "", err
	}
	_, err = f.Seek(0, io.SeekStart)
	return f, digest.NewDigestFromBytes(digest.SHA256, h.Sum(nil)), err
}

// scrapPath is where a mount may keep something beside the task's own files, in the scratch folder of the build.
func (s *session) scrapPath(name string) string { return filepath.Join(s.op.Dir(), name) }
