package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// atOnce is how many layers are fetched side by side.
const atOnce = 3

// fetched is one layer's blob: staged, or here already.
type fetched struct {
	desc   v1.Descriptor
	diffID digest.Digest // that the config expects
	staged *staged       // nil if it was here
	plain  plain
	err    error
}

func (p *puller) small(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	r, err := p.client.Blob(ctx, p.ref, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	p.count(len(data))
	return data, err
}

// layers sees to it that all blobs of layers are here, and fills in their uncompressed sizes. The blobs are stored lowest first, also
// those that came whole though another did not.
func (p *puller) layers(ctx context.Context, layers []Layer) error {
	all := p.fetchAll(ctx, layers)
	defer func() {
		for _, f := range all {
			if f.staged != nil {
				_ = f.staged.writer.Close()
			}
		}
	}()
	byDigest := map[digest.Digest]*fetched{}
	var failed error
	for _, f := range all {
		byDigest[f.desc.Digest] = f
		if err := p.keep(ctx, f); err != nil && (failed == nil || errors.Is(failed, context.Canceled)) {
			failed = err // what was cancelled was so because of another error
		}
	}
	if failed != nil {
		return failed
	}
	for i, l := range layers {
		f := byDigest[l.Descriptor.Digest]
		if f.plain.digest != l.DiffID {
			return fmt.Errorf("layer %s: uncompressed it has digest %s, the config says %s", l.Descriptor.Digest, f.plain.digest, l.DiffID)
		}
		layers[i].Size = f.plain.size
	}
	return nil
}

// keep stores a blob that came whole.
func (p *puller) keep(ctx context.Context, f *fetched) error {
	if f.err != nil {
		return f.err
	}
	if f.staged != nil {
		if _, err := f.staged.commit(ctx, f.desc.MediaType); err != nil {
			return err
		}
		p.count(int(f.desc.Size))
		failpoint.Hit("image.pull.after-layer")
	}
	if f.plain.err != nil {
		return fmt.Errorf("layer %s: %w", f.desc.Digest, f.plain.err)
	}
	return nil
}

// fetchAll fetches each blob once, a few at a time, and returns when all are done. The first error stops the others.
func (p *puller) fetchAll(ctx context.Context, layers []Layer) []*fetched {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []*fetched
	seen := map[digest.Digest]bool{}
	for _, l := range layers {
		if !seen[l.Descriptor.Digest] {
			seen[l.Descriptor.Digest] = true
			all = append(all, &fetched{desc: l.Descriptor, diffID: l.DiffID})
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, f := range all {
		slots <- struct{}{}
		wg.Go(func() {
			if f.err = p.fetch(ctx, f); f.err != nil {
				cancel()
			}
			<-slots
		})
	}
	wg.Wait()
	return all
}

// fetch brings one blob to scratch space, or finds it here.
func (p *puller) fetch(ctx context.Context, f *fetched) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.here(f) {
		return nil
	}
	r, err := p.client.Blob(ctx, p.ref, f.desc)
	if err != nil {
		return err
	}
	defer r.Close()
	f.staged, err = stage(p.Store.blobs, p.op, string(f.desc.Digest), r)
	if err != nil {
		return err
	}
	f.plain = f.staged.plain
	return nil
}

// here looks whether a blob is in the store and whole, and measures what it is when decompressed.
func (p *puller) here(f *fetched) bool {
	size, err := p.Store.blobs.Stat(f.desc.Digest)
	if err != nil || size != f.desc.Size {
		return false
	}
	if f.desc.Digest == f.diffID { // it isn't compressed: nothing has to be read
		f.plain = plain{digest: f.desc.Digest, size: size}
		return true
	}
	r, err := p.Store.blobs.Open(f.desc.Digest)
	if err != nil {
		return false
	}
	defer r.Close()
	f.plain, err = copyMeasured(io.Discard, r)
	if f.plain.digest == "" {
		f.plain.digest, f.plain.size = f.desc.Digest, size
	}
	return err == nil
}
