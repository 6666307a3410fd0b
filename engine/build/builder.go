package build

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Builder builds images. It is safe for concurrent use: builds share the cache and nothing else.
type Builder struct {
	// Random gives the bytes that the names of build steps under way are made of: crypto/rand, unless they are to repeat.
	Random io.Reader
	// Builtin is the name of an image that no registry is ever asked for.
	Builtin string
	// Folders keeps the folders of cache mounts; without it there are none.
	Folders driver.Folders

	home      *home.Home
	images    *image.Store
	layers    driver.Layers
	snapshots driver.Snapshots
	trees     driver.Trees
	runtime   driver.Runtime
}

// New returns a Builder over h and one driver.
func New(h *home.Home, images *image.Store, layers driver.Layers, snapshots driver.Snapshots, trees driver.Trees, runtime driver.Runtime) *Builder {
	return &Builder{Random: rand.Reader, home: h, images: images, layers: layers, snapshots: snapshots, trees: trees, runtime: runtime}
}

// RunError reports a RUN whose command failed. The steps before it stay in the cache.
type RunError struct {
	Command string
	Code    int
	Err     error  // why the command could not be started, or nil
	Step    string // as the progress shows it
	Output  []byte // the last of what it wrote
}

// Error words it as docker does.
func (e *RunError) Error() string {
	msg := fmt.Sprintf("The command '%s' returned a non-zero code: %d", e.Command, e.Code)
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap gives the reason why the command could not be started.
func (e *RunError) Unwrap() error { return e.Err }

// Build builds one image. Errors about the text of the Dockerfile are *dockerfile.SyntaxError; a failed RUN is a *RunError. After an
// error the Result holds the record of what was done.
func (b *Builder) Build(ctx context.Context, o Options) (res Result, err error) {
	if o.Progress == nil {
		o.Progress = silent{}
	}
	ctx, end := trace.Step(ctx, vocab.Build, trace.String("dockerfile", dockerfilePath(o)), trace.String("context", o.source()))
	defer func() {
		if err != nil {
			end(err)
			return
		}
		end(nil, trace.String("image", res.Image.ID.String()), trace.Int("hits", int64(res.Hits)), trace.Int("misses", int64(res.Misses)))
	}()
	scraps, err := b.locked(ctx, &res, o)
	if scraps {
		_, scrapErr := b.images.Collect(context.WithoutCancel(ctx), image.Roots{})
		err = errors.Join(err, scrapErr)
	}
	return res, err
}

// locked builds while nothing is collected. scraps tells that it left trees that nobody needs.
func (b *Builder) locked(ctx context.Context, res *Result, o Options) (scraps bool, err error) {
	unlock, err := b.home.Lock(ctx, "gc", false)
	if err != nil {
		return false, err
	}
	defer unlock()
	op, err := b.home.Begin("build")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	*res, scraps, err = b.build(ctx, op, o)
	return scraps, err
}

func (b *Builder) build(ctx context.Context, op *home.Operation, o Options) (res Result, scraps bool, err error) {
	s, err := b.newSession(op, o)
	if err != nil {
		return res, false, err
	}
	defer func() { err, scraps = errors.Join(err, s.close(ctx, &res, err)), s.scraps }()
	if err := s.load(ctx); err != nil {
		return res, false, err
	}
	final, err := s.stages(ctx)
	if err != nil {
		return res, false, err
	}
	res.UnusedArgs = s.plan.Unused()
	if !o.DryRun {
		res.Image, err = s.export(ctx, final)
	}
	return res, false, err
}
