package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/layer"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	atOnce   = 3        // blobs that are fetched side by side
	restWait = 64 << 20 // bytes that are still fetched after an error, to tell whether the registry is to blame
)

// arrival is one distinct blob of a layer: fetched, or here already.
type arrival struct {
	desc    v1.Descriptor
	diffID  digest.Digest // that the config expects
	shared  string        // image here that has the same layer, which was checked then
	here    bool          // in the store before
	told    bool          // to the trace
	size    int64         // uncompressed; valid if shared is set, or when the layer was unpacked
	partial *blob.Partial
	begun   chan struct{} // closed when here, partial or err tell where to read it
	done    chan struct{} // closed when it is in the store, or err tells why not
	err     error
}

func (a *arrival) isDone() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func (p *puller) small(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	r, err := p.client.Blob(ctx, p.ref, d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	p.count(int64(len(data)))
	return data, err
}

// layers fetches what is missing and unpacks it, and fills in the uncompressed sizes. The lowest layers come first. A layer is unpacked
// while it comes, when those below it are; those that came whole are kept, also after an error with another.
func (p *puller) layers(ctx context.Context, layers []Layer) error {
	all, err := p.arrivals(layers)
	if err != nil {
		return err
	}
	err = p.fetchAndUnpack(ctx, layers, all)
	if err == nil || ctx.Err() != nil {
		return err
	}
	resumed := false
	for _, a := range all {
		resumed = resumed || a.partial != nil && a.partial.Resumed() > 0 && a.err != nil
	}
	if !resumed || !errors.As(err, new(*blob.DigestError)) {
		return err
	}
	// What an earlier process left was wrong: it was thrown away.
	if all, err = p.arrivals(layers); err != nil {
		return err
	}
	return p.fetchAndUnpack(ctx, layers, all)
}

// arrivals lists the distinct blobs of layers and finds out which are here, and of which it is known what they are uncompressed.
func (p *puller) arrivals(layers []Layer) (map[digest.Digest]*arrival, error) {
	all := map[digest.Digest]*arrival{}
	var doubtful []*arrival
	for _, l := range layers {
		if all[l.Descriptor.Digest] != nil {
			continue
		}
		a := &arrival{desc: l.Descriptor, diffID: l.DiffID, begun: make(chan struct{}), done: make(chan struct{})}
		all[l.Descriptor.Digest] = a
		if p.Store.canGive(a.desc) {
			a.here = true
			close(a.begun)
			close(a.done)
			doubtful = append(doubtful, a)
		}
	}
	if len(doubtful) == 0 {
		return all, nil
	}
	return all, p.findShared(doubtful)
}

// findShared looks for images here that have the same layers: what they are was checked when those came.
func (p *puller) findShared(doubtful []*arrival) error {
	x, err := p.Store.readIndex()
	if err != nil {
		return err
	}
	missing := len(doubtful)
	for _, d := range x.Manifests {
		if missing == 0 {
			break
		}
		if !isOurs(d) {
			continue
		}
		img, err := p.Store.read(&index{}, d)
		if err != nil {
			continue // check and List tell of it
		}
		for _, a := range doubtful {
			for _, l := range img.Layers {
				if a.shared == "" && l.Descriptor.Digest == a.desc.Digest && l.DiffID == a.diffID && l.Size > 0 {
					a.shared, a.size = sharedName(d, img), l.Size
					missing--
				}
			}
		}
	}
	return nil
}

func sharedName(d v1.Descriptor, img Image) string {
	if ref := refOf(d); !ref.IsZero() {
		return ref.Familiar()
	}
	return oci.ShortID(img.ID)
}

// fetchAndUnpack runs the two side by side. When it returns nothing is under way any more.
func (p *puller) fetchAndUnpack(ctx context.Context, layers []Layer, all map[digest.Digest]*arrival) (err error) {
	whole := ctx
	ctx, p.cancel = context.WithCancelCause(ctx)
	var order []*arrival
	seen := map[*arrival]bool{}
	for _, l := range layers {
		if a := all[l.Descriptor.Digest]; !seen[a] {
			seen[a] = true
			order = append(order, a)
			p.announce(a)
		}
	}
	var fetching sync.WaitGroup
	if p.told { // one after the other, so that the same is told each time
		err = p.unpackAll(ctx, layers, all, func(a *arrival) { p.fetchOne(ctx, a) })
	} else {
		fetching.Go(func() { p.fetchAll(ctx, order) })
		err = p.unpackAll(ctx, layers, all, func(*arrival) {})
	}
	if err != nil {
		p.cancel(err)
	}
	fetching.Wait()
	if cause := context.Cause(ctx); cause != nil && whole.Err() == nil {
		err = cause // the first error: it stopped the others
	}
	p.cancel(nil)
	for _, a := range order {
		if a.partial != nil {
			err = errors.Join(err, a.partial.Close())
		}
	}
	return err
}

func (p *puller) announce(a *arrival) {
	stage := BlobAnnounced
	if a.here {
		stage = BlobExists
	}
	p.progress.Blob(BlobState{Blob: a.desc.Digest, Stage: stage})
}

// fetchAll fetches what is missing, a few at a time in order.
func (p *puller) fetchAll(ctx context.Context, order []*arrival) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	n := 0
	for _, a := range order {
		if a.here {
			continue
		}
		if n++; n > atOnce {
			p.progress.Blob(BlobState{Blob: a.desc.Digest, Stage: BlobWaiting})
		}
	}
	for _, a := range order {
		if a.here {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			p.fetchOne(ctx, a)
			<-slots
		})
	}
	wg.Wait()
}

// fetchOne brings one blob into the store.
func (p *puller) fetchOne(ctx context.Context, a *arrival) {
	if a.here || a.isDone() {
		return
	}
	defer func() {
		if a.err != nil {
			p.cancel(fmt.Errorf("layer %s: %w", a.desc.Digest, a.err))
		}
		close(a.done)
	}()
	if a.err = ctx.Err(); a.err == nil {
		a.partial, a.err = p.Store.blobs.Begin(ctx, p.Store.home, p.op, a.desc)
	}
	if errors.Is(a.err, blob.ErrExists) { // another process was quicker
		a.err, a.here = nil, true
		p.progress.Blob(BlobState{Blob: a.desc.Digest, Stage: BlobDownloaded})
	}
	close(a.begun)
	if a.err != nil || a.here {
		return
	}
	if a.err = p.fill(ctx, a); a.err == nil {
		a.err = a.partial.Commit(ctx)
	}
	a.partial.Fail(a.err)
	if a.err == nil {
		p.progress.Blob(BlobState{Blob: a.desc.Digest, Stage: BlobDownloaded})
		failpoint.Hit("image.pull.after-layer")
	}
}

func (p *puller) fill(ctx context.Context, a *arrival) error {
	state := BlobState{Blob: a.desc.Digest, Stage: BlobDownloading, Total: a.desc.Size}
	err := a.partial.Fill(func(from int64) (io.ReadCloser, error) { return p.client.BlobFrom(ctx, p.ref, a.desc, from) }, func(have int64) {
		state.Done = have
		p.progress.Blob(state)
	})
	if err == nil {
		p.count(a.desc.Size - a.partial.Resumed())
		p.progress.Blob(BlobState{Blob: a.desc.Digest, Stage: BlobVerifying})
	}
	return err
}

// unpackAll unpacks the layers, lowest first. fetch is called before each.
func (p *puller) unpackAll(ctx context.Context, layers []Layer, all map[digest.Digest]*arrival, fetch func(*arrival)) error {
	var parent digest.Digest
	for i, l := range layers {
		a := all[l.Descriptor.Digest]
		fetch(a)
		<-a.begun
		if p.told && !a.told && a.err == nil {
			a.told = true
			p.tell(ctx, a)
		}
		if err := p.unpackOne(ctx, a, l, parent); err != nil {
			return p.blame(ctx, a, l, err)
		}
		layers[i].Size, parent = a.size, l.ChainID
	}
	return nil
}

// blame finds out whose fault it is that a layer can't be unpacked: wrong bytes are the registry's.
func (p *puller) blame(ctx context.Context, a *arrival, l Layer, failed error) error {
	if ctx.Err() == nil && a.desc.Size <= restWait {
		<-a.done
	}
	switch {
	case !a.isDone():
		if a.partial != nil {
			a.partial.Spoil()
		}
	case a.err != nil:
		failed = a.err
	case ctx.Err() == nil && !errors.Is(failed, layer.ErrBomb):
		src := &arriving{p: p, a: &arrival{desc: a.desc, begun: a.begun, done: a.done}}
		if err := errors.Join(src.check(l.DiffID), src.Close()); err != nil {
			failed = err
		}
	}
	return fmt.Errorf("layer %s: %w", a.desc.Digest, failed)
}

// tell says where a blob came from.
func (p *puller) tell(ctx context.Context, a *arrival) {
	var resumed int64
	if a.partial != nil {
		resumed = a.partial.Resumed()
	}
	trace.Fact(ctx, vocab.BlobFetch, trace.String("digest", string(a.desc.Digest)), trace.Int("size_bytes", a.desc.Size),
		trace.Bool("existed", a.partial == nil), trace.Int("resumed_bytes", resumed), trace.String("shared_with", a.shared))
}

// unpackOne unpacks one layer, or checks one that is unpacked.
func (p *puller) unpackOne(ctx context.Context, a *arrival, l Layer, parent digest.Digest) error {
	known := a.shared != "" && l.DiffID == a.diffID
	if known && p.Store.layers.Has(l.ChainID) {
		return nil
	}
	src := &arriving{p: p, a: a}
	err := p.Store.unpackFrom(ctx, l, parent, src)
	if errors.Is(err, driver.ErrExists) && !known {
		err = src.check(l.DiffID)
	} else if errors.Is(err, driver.ErrExists) {
		err = nil
	}
	if err = errors.Join(err, src.Close()); err != nil {
		return err
	}
	if <-a.done; a.err != nil {
		return a.err
	}
	if !known {
		a.size = src.n
	}
	if !a.here {
		p.progress.Blob(BlobState{Blob: a.desc.Digest, Stage: BlobPulled})
	}
	return nil
}
