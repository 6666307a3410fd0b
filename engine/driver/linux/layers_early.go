//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// unpacked is the tree of a layer in a scratch folder. It implements driver.Unpacked.
type unpacked struct {
	layers  *Layers
	rec     *layerRecord
	op      *home.Operation
	tree    string
	skipped []skippedNode
}

// Begin implements driver.EarlyLayers.
func (l *Layers) Begin(ctx context.Context, parent digest.Digest, tar io.Reader) (driver.Unpacked, error) {
	u, err := l.extract(ctx, &layerRecord{Parent: parent}, func(a *applier, dir string) error {
		return a.unpack(dir, tar, ctx.Err)
	})
	if err != nil {
		return nil, fmt.Errorf("unpack layer: %w", err)
	}
	return u, nil
}

// Install implements driver.Unpacked.
func (u *unpacked) Install(ctx context.Context, chain, diffID digest.Digest) error {
	if err := errors.Join(chain.Validate(), diffID.Validate()); err != nil {
		return fmt.Errorf("apply layer %q: %w", diffID, err)
	}
	if u.layers.Has(chain) {
		return u.layers.reuse(ctx, chain, diffID)
	}
	u.rec.Chain, u.rec.DiffID = chain, diffID
	ctx, end := trace.Step(ctx, vocab.LayerApply, trace.String("diff_id", diffID.String()),
		trace.String("chain_id", chain.String()), trace.String("parent", u.rec.Parent.String()))
	err := u.layers.clear(ctx, chain)
	if err == nil {
		u.tellSkipped(ctx)
		err = u.layers.install(u.tree, u.rec, "layer.apply")
	}
	if err != nil {
		err = fmt.Errorf("apply layer %s: %w", diffID, err)
	}
	end(err, trace.Int("files", int64(u.rec.Files)), trace.Int("size_bytes", u.rec.Size))
	if errors.Is(err, driver.ErrExists) {
		return u.layers.reuse(ctx, chain, diffID)
	}
	return err
}

// Close implements driver.Unpacked.
func (u *unpacked) Close() error { return u.op.End() }

func (u *unpacked) tellSkipped(ctx context.Context) {
	for _, s := range u.skipped {
		trace.Fact(ctx, vocab.LayerSkip, trace.String("chain_id", u.rec.Chain.String()), trace.String("path", s.path), trace.String("reason", s.reason))
	}
}
