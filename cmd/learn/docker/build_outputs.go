package docker

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/learn-containers/learn/engine/build"
)

// outputs reads --output, --push and --load, and --cache-from and --cache-to. Paths start in the folder of the command.
func (app *App) outputs(f buildFlags, o *build.Options) error {
	specs := f.outputs
	if f.push {
		specs = append(specs, "type=registry")
	}
	if f.load {
		specs = append(specs, "type=docker")
	}
	o.Stdout = app.Out
	for _, spec := range specs {
		out, err := build.ParseOutput(spec)
		if err != nil {
			return usagef("invalid --output: %v", err)
		}
		if out.Dest != "" && !out.Streams() {
			out.Dest = app.path(out.Dest)
		}
		o.Outputs = append(o.Outputs, out)
	}
	return app.caches(f, o)
}

func (app *App) caches(f buildFlags, o *build.Options) error {
	for _, spec := range f.cacheFrom {
		c, err := build.ParseCache(spec)
		if err == nil {
			err = c.CheckFrom()
		}
		if err != nil {
			return usagef("invalid --cache-from: %v", err)
		}
		o.CacheFrom = append(o.CacheFrom, app.inFolder(c))
	}
	for _, spec := range f.cacheTo {
		c, err := build.ParseCache(spec)
		if err == nil {
			err = c.CheckTo()
		}
		if err != nil {
			return usagef("invalid --cache-to: %v", err)
		}
		o.CacheTo = append(o.CacheTo, app.inFolder(c))
	}
	return nil
}

func (app *App) inFolder(c build.CacheRef) build.CacheRef {
	if c.Dir != "" {
		c.Dir = app.path(c.Dir)
	}
	return c
}

// deliver prints and writes down what a build made.
func (app *App) deliver(f buildFlags, res build.Result) error {
	if f.quiet || f.progress == "quiet" {
		fmt.Fprintln(app.Out, res.Image.ID)
	}
	if f.iidfile != "" {
		if err := os.WriteFile(app.path(f.iidfile), []byte(res.Image.ID), 0o644); err != nil {
			return err
		}
	}
	if f.metadata == "" {
		return nil
	}
	return os.WriteFile(app.path(f.metadata), metadata(res), 0o644)
}

// metadata is what --metadata-file holds, with buildx's keys.
func metadata(res build.Result) []byte {
	m := map[string]any{"buildx.build.ref": res.Build.ID, "containerimage.config.digest": res.Image.ID}
	if d := res.Image.Manifest; d.Digest != "" {
		d.Annotations = nil
		m["containerimage.digest"], m["containerimage.descriptor"] = d.Digest, d
	}
	if len(res.Build.Tags) > 0 {
		m["image.name"] = strings.Join(res.Build.Tags, ",")
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil // digests and names always encode
	}
	return append(text, '\n')
}
