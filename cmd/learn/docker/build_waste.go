package docker

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/dockerfile/lint"
	"github.com/learn-containers/learn/engine/image"
)

const (
	leastWaste = 100_000 // bytes below which nobody changes a Dockerfile for them
	mostWaste  = 5       // lines about waste that are shown
)

// printWaste tells, below a check, what the layers of the image hold in vain that this Dockerfile made last. Without such an image there is
// nothing to measure, and it says nothing.
func (app *App) printWaste(ctx context.Context, e *engine.Engine, o build.Options, call buildCall) error {
	if call.json || o.From != nil {
		return nil
	}
	img, below, ok := lastImage(ctx, e, o)
	if !ok {
		return nil
	}
	waste, err := e.Images.WasteAbove(ctx, img, below)
	if err != nil || waste.Bytes < leastWaste {
		return err
	}
	fmt.Fprintf(app.Out, "\nWasted bytes in the image that was built last (%s): %s of the %s above its base are files that a later layer overwrites, deletes or hides\n",
		format.ID(img.ID.String()), format.Size(waste.Bytes), format.Size(waste.Size))
	for i, g := range waste.Groups() {
		if i == mostWaste || g.Bytes < leastWaste {
			break
		}
		fmt.Fprintf(app.Out, "  %s\n", format.Clean(g.String()))
	}
	return nil
}

// lastImage finds the image that the last good build of a Dockerfile made, and how many of its layers are its base's.
func lastImage(ctx context.Context, e *engine.Engine, o build.Options) (img image.Image, below int, ok bool) {
	builds, err := e.Builder.Builds()
	if err != nil {
		return img, 0, false
	}
	for _, b := range builds {
		if b.Image == "" || b.Target != o.Target || !samePath(b.Dockerfile, o.Dockerfile) || !samePath(b.Context, o.ContextDir) {
			continue
		}
		if img, err = e.Images.Resolve(ctx, b.Image.String()); err != nil {
			continue
		}
		return img, baseLayers(ctx, e, b, img), true
	}
	return img, 0, false
}

func samePath(a, b string) bool {
	abs, err := filepath.Abs(b)
	return err == nil && a == abs
}

// baseLayers counts the layers that img has from the base image of its stage, as far as that is still here.
func baseLayers(ctx context.Context, e *engine.Engine, b build.BuildRecord, img image.Image) int {
	for _, base := range b.Bases {
		from, err := e.Images.Resolve(ctx, base.Image.String())
		if base.Image == "" || err != nil {
			continue
		}
		n := len(from.Layers)
		if n > 0 && n <= len(img.Layers) && img.Layers[n-1].ChainID == from.Layers[n-1].ChainID {
			return n
		}
	}
	return 0
}

// checked tells below a build's summary that docker's checks found something.
func (app *App) checked(ctx context.Context, e *engine.Engine, o build.Options) {
	if o.From != nil { // it was standard input or came from elsewhere: it can't be read again
		return
	}
	in, err := e.Builder.LintInput(ctx, o)
	if err != nil {
		return // the build itself worked
	}
	n := len(lint.Check(in.Name, in.Text, in.Options).Warnings())
	if n > 0 {
		fmt.Fprintf(app.Err, "%s found (more with: docker build --check)\n", format.Count(n, "warning"))
	}
}
