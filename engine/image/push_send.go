package image

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// pushAtOnce is how many layers are sent side by side, as docker does.
const pushAtOnce = 5

// sideBySide is n, but one where the work is told: what is told has one order.
func sideBySide(ctx context.Context, n int) int {
	if trace.From(ctx) != nil {
		return 1
	}
	return n
}

// outgoing is one blob on its way. A config has no layer.
type outgoing struct {
	layer  Layer
	upload registry.Upload
	news   knownBlob // what will be known of it besides its digest and size
	done   registry.Outcome
	err    error
}

// sendAll sees to it that the repository has blobs, a few at a time. The first error stops the others.
func (p *pusher) sendAll(ctx context.Context, list []*outgoing) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, sideBySide(ctx, pushAtOnce))
	for _, o := range list[min(cap(slots), len(list)):] {
		p.progress.Blob(BlobState{Blob: o.layer.DiffID, Stage: BlobWaiting})
	}
	for _, o := range list {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if o.err = p.send(ctx, o); o.err != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	var failed error
	for _, o := range list {
		if o.err != nil && (failed == nil || errors.Is(failed, context.Canceled)) {
			failed = o.err // what was cancelled was so because of another error
		}
	}
	return failed
}

// send sees to it that the repository has one blob, and tells how it came there.
func (p *pusher) send(ctx context.Context, o *outgoing) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p.prepare(o)
	done, err := p.client.Push(ctx, p.ref, o.upload)
	if err != nil {
		return err
	}
	done.Blob.MediaType = o.upload.Blob.MediaType
	o.done = done
	o.news.Digest, o.news.Size = done.Blob.Digest, done.Blob.Size
	p.count(done, o.news)
	if o.layer.DiffID != "" {
		p.tellLayer(ctx, o)
	}
	return nil
}

// prepare names the repositories that may have the blob already, and lets its progress be seen.
func (p *pusher) prepare(o *outgoing) {
	if o.upload.Blob.Digest != "" {
		o.upload.From = p.known.candidates(o.upload.Blob.Digest, p.ref)
	}
	if o.layer.DiffID == "" {
		return
	}
	total := o.upload.Blob.Size
	o.upload.Sent = func(n int64) {
		p.progress.Blob(BlobState{Blob: o.layer.DiffID, Stage: BlobPushing, Done: n, Total: total})
	}
	o.upload.Wait = func(d time.Duration) {
		p.progress.Blob(BlobState{Blob: o.layer.DiffID, Stage: BlobRetrying, Seconds: int((d + time.Second - 1) / time.Second)})
	}
}

// tellLayer says how a layer came to be where it is.
func (p *pusher) tellLayer(ctx context.Context, o *outgoing) {
	state, sent := BlobState{Blob: o.layer.DiffID, Stage: BlobPushed, From: o.done.From}, int64(0)
	switch o.done.How {
	case registry.Existed:
		state.Stage = BlobPresent
	case registry.Mounted:
		state.Stage = BlobMounted
	case registry.Uploaded:
		sent = o.done.Blob.Size
	}
	p.progress.Blob(state)
	trace.Fact(ctx, vocab.ImagePushLayer, trace.String("diff_id", string(o.layer.DiffID)), trace.String("digest", string(o.done.Blob.Digest)),
		trace.String("how", string(o.done.How)), trace.String("from", o.done.From), trace.Int("sent_bytes", sent), trace.Int("layer_bytes", o.layer.Size))
}

func (p *pusher) count(done registry.Outcome, news knownBlob) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.news = append(p.news, news)
	if done.How != registry.Existed {
		p.lacked++
	}
	switch done.How {
	case registry.Mounted:
		p.taken++
	case registry.Uploaded:
		p.bytes += done.Blob.Size
	}
}

// counted are the figures of a push for its trace.
func (p *pusher) counted(manifest string) []trace.Attr {
	return []trace.Attr{trace.String("manifest", manifest), trace.Int("blobs", p.lacked), trace.Int("mounted", p.taken), trace.Int("size_bytes", p.bytes)}
}

// outgoingLayers are the layers, each blob once, the top one first as docker does. upload says how one leaves.
func (p *pusher) outgoingLayers(layers []Layer, upload func(Layer) (registry.Upload, knownBlob)) []*outgoing {
	var list []*outgoing
	for _, l := range slices.Backward(layers) {
		p.progress.Blob(BlobState{Blob: l.DiffID, Stage: BlobPreparing})
		if slices.ContainsFunc(list, func(o *outgoing) bool { return o.layer.Descriptor.Digest == l.Descriptor.Digest }) {
			continue
		}
		o := &outgoing{layer: l}
		o.upload, o.news = upload(l)
		list = append(list, o)
	}
	return list
}
