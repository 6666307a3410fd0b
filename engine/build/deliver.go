package build

import (
	"context"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/opencontainers/go-digest"
)

// export makes the image of the final stage, gives it its names, and writes what else was asked for.
func (s *session) export(ctx context.Context, final *stage) (img image.Image, err error) {
	id := s.display.work("exporting to image")
	for k, v := range s.opts.Labels {
		final.conf.SetLabel(k, v)
	}
	final.finish(s.opts.Epoch)
	outputs := s.opts.Outputs
	if len(outputs) == 0 {
		outputs = []Output{{Type: OutputImage}}
	}
	img, err = s.image(ctx, final, outputs, id)
	if err == nil {
		err = s.deliver(ctx, final, img, outputs)
	}
	s.display.Done(id, err)
	return img, err
}

// image makes the image in the home if an output says so, and otherwise only says what it is.
func (s *session) image(ctx context.Context, final *stage, outputs []Output, id int) (image.Image, error) {
	for _, o := range outputs {
		if !o.Stored() {
			continue
		}
		names := s.opts.Tags
		if len(o.Names) > 0 {
			names = o.Names
		}
		failpoint.Hit("build.image.before-create")
		img, err := s.images.Create(ctx, s.op, final.config, final.layers, names, "build")
		if err == nil {
			// The tree is unpacked now, so that the first container does not wait for it.
			_, err = s.images.Unpack(ctx, img)
		}
		failpoint.Hit("build.image.after-create")
		if err != nil {
			return img, err
		}
		s.display.Output(id, Stdout, []byte("writing image "+img.ID.String()+"\n"))
		for _, ref := range names {
			s.display.Output(id, Stdout, []byte("naming to "+ref.String()+"\n"))
		}
		return img, nil
	}
	return image.Assemble(final.config, final.layers)
}

// deliver writes the outputs, and gives the cache away.
func (s *session) deliver(ctx context.Context, final *stage, img image.Image, outputs []Output) error {
	for _, o := range outputs {
		for _, to := range s.opts.CacheTo {
			if to.Type != CacheInline {
				continue
			}
			notes, err := s.inlineCache(img, s.story.keys(s.below(final), false))
			if err != nil {
				return err
			}
			o.Annotations = merged(o.Annotations, notes)
		}
		if err := s.write(ctx, s.op, img, s.opts.Tags, o, s.opts.Stdout); err != nil {
			return err
		}
	}
	for _, to := range s.opts.CacheTo {
		if to.Type == CacheInline {
			continue
		}
		id := s.display.work("exporting cache to " + to.String())
		err := s.exportCache(ctx, to, s.story.keys(s.below(final), to.Max))
		s.display.Done(id, err)
		if err != nil && !to.IgnoreError {
			return err
		}
		if err != nil {
			s.warn(err.Error())
		}
	}
	return nil
}

// below lists the stage and those that it stands on.
func (s *session) below(st *stage) []int {
	var stages []int
	for i := st.planned.Index; i >= 0; i = s.plan.Stage(i).Base.Stage {
		stages = append(stages, i)
	}
	return stages
}

func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// imported reads the caches that the build may take results from, when the first step has missed.
func (s *session) imported(ctx context.Context) *importedCache {
	s.caches.once.Do(func() {
		id := s.display.work("importing cache manifests")
		cache, wrong := s.importCache(ctx, s.reachable(s.opts.CacheFrom))
		for _, err := range wrong {
			s.warn(err.Error())
		}
		s.display.Done(id, nil)
		s.caches.cache = cache
	})
	return s.caches.cache
}

// reachable leaves out what lies in registries that may not be asked.
func (s *session) reachable(refs []CacheRef) []CacheRef {
	return slices.DeleteFunc(slices.Clone(refs), func(r CacheRef) bool {
		out := s.opts.Offline && r.Type == CacheRegistry && !registry.Loopback(r.Ref.Domain())
		if out {
			s.warn(fmt.Sprintf("import cache from %s: not looked for: no registry is asked but those on this machine (LEARN_OFFLINE)", r))
		}
		return out
	})
}

// lookElsewhere finds the result of a step in the caches that were given, and keeps it here. That one does not work costs time only.
func (s *session) lookElsewhere(ctx context.Context, key digest.Digest) (Record, bool) {
	if len(s.opts.CacheFrom) == 0 {
		return Record{}, false
	}
	caches := s.imported(ctx)
	if caches == nil {
		return Record{}, false
	}
	if s.opts.DryRun {
		return caches.knows(key)
	}
	rec, ok, err := caches.lookUp(ctx, s.op, key)
	if err != nil { // another cache may have it all the same
		s.warn(fmt.Sprintf("import cache: %v", err))
	}
	if !ok {
		return rec, false
	}
	if err := s.cache.put(ctx, key, rec, nil); err != nil {
		s.warn(err.Error())
		return rec, false
	}
	return rec, true
}
