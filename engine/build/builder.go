package build

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Builder builds images. It is safe for concurrent use: builds share the cache and nothing else.
type Builder struct {
	// Random gives the bytes that the names of build steps under way are made of: crypto/rand, unless they are to repeat.
	Random io.Reader

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

// Options say what to build.
type Options struct {
	ContextDir string             // folder that COPY and ADD read from
	Dockerfile string             // path; empty: Dockerfile in ContextDir
	Tags       []oci.Ref          // names for the image; none is fine
	Target     string             // stage to build; empty: the last
	NoCache    bool               // carry out every step, and keep the results
	Args       map[string]*string // --build-arg; nil: named, but without a value
	Labels     map[string]string  // added to the image
	Epoch      *time.Time         // SOURCE_DATE_EPOCH: the one time that the image and its layers carry
	Progress   Progress           // nil: silence
}

// Result is what a build made.
type Result struct {
	Image        image.Image
	Hits, Misses int      // steps with a tree taken from the cache, and carried out
	UnusedArgs   []string // build arguments that no ARG asked for
}

// RunError reports a RUN whose command failed. The steps before it stay in the cache.
type RunError struct {
	Command string
	Code    int
	Err     error // why the command could not be started, or nil
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

// Build builds one image. Errors about the text of the Dockerfile are *dockerfile.SyntaxError; a failed RUN is a *RunError.
func (b *Builder) Build(ctx context.Context, o Options) (res Result, err error) {
	if o.Progress == nil {
		o.Progress = silent{}
	}
	file := dockerfilePath(o)
	ctx, end := trace.Step(ctx, vocab.Build, trace.String("dockerfile", file), trace.String("context", o.ContextDir))
	defer func() {
		if err != nil {
			end(err)
			return
		}
		end(nil, trace.String("image", res.Image.ID.String()), trace.Int("hits", int64(res.Hits)), trace.Int("misses", int64(res.Misses)))
	}()
	unlock, err := b.home.Lock(ctx, "gc", false)
	if err != nil {
		return res, err
	}
	defer unlock()
	op, err := b.home.Begin("build")
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, op.End()) }()
	return b.build(ctx, op, o)
}

func (b *Builder) build(ctx context.Context, op *home.Operation, o Options) (res Result, err error) {
	blobs, err := blob.Open(b.home.Images())
	if err != nil {
		return res, err
	}
	s := &session{Builder: b, blobs: blobs, op: op, opts: o, cache: openCache(b.home.Cache()), done: map[int]*stage{}}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.load(); err != nil {
		return res, err
	}
	final, err := s.stages(ctx)
	if err != nil {
		return res, err
	}
	res.Hits, res.Misses, res.UnusedArgs = s.hits, s.misses, s.plan.Unused()
	res.Image, err = s.export(ctx, final)
	return res, err
}

// export makes the image of the final stage and gives it its names.
func (s *session) export(ctx context.Context, final *stage) (image.Image, error) {
	id := s.progress("exporting to image")
	for k, v := range s.opts.Labels {
		final.conf.SetLabel(k, v)
	}
	final.finish(s.opts.Epoch)
	failpoint.Hit("build.image.before-create")
	img, err := s.images.Create(ctx, s.op, final.config, final.layers, s.opts.Tags, "build")
	if err == nil {
		// The tree is unpacked now, so that the first container does not wait for it.
		_, err = s.images.Unpack(ctx, img)
	}
	failpoint.Hit("build.image.after-create")
	if err == nil {
		s.opts.Progress.Output(id, Stdout, []byte("writing image "+img.ID.String()+"\n"))
		for _, ref := range s.opts.Tags {
			s.opts.Progress.Output(id, Stdout, []byte("naming to "+ref.String()+"\n"))
		}
	}
	s.opts.Progress.Done(id, err)
	return img, err
}
