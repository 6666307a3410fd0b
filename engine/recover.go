package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/volume"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// Recover undoes what dead processes had under way, and after a restart of the machine brings every record up to date. It costs one
// directory listing when there is nothing to do.
func (e *Engine) Recover(ctx context.Context) error {
	orphans, err := e.Home.Orphans()
	if err != nil {
		return err
	}
	for i := range orphans {
		if err := e.undo(ctx, &orphans[i]); err != nil {
			return err
		}
	}
	restarted := e.Home.Restarted()
	if len(orphans) > 0 || restarted {
		if err := e.Sweep(ctx); err != nil {
			return err
		}
	}
	if n, ok := e.Driver.Runtime.(driver.Networker); ok {
		if err := n.SweepNetworks(ctx); err != nil {
			return err
		}
	}
	return e.Home.MarkBoot()
}

// MendNetworks brings what the machine has of networks in line with what runs: what belonged to the dead goes, and what was lost, as when
// somebody flushed the firewall, comes back.
func (e *Engine) MendNetworks(ctx context.Context) error {
	n, ok := e.Driver.Runtime.(driver.Networker)
	if !ok {
		return nil
	}
	return errors.Join(n.SweepNetworks(ctx), n.RestoreNetworks(ctx))
}

func (e *Engine) undo(ctx context.Context, o *home.Orphan) (err error) {
	ctx, end := trace.Step(ctx, vocab.Recover, trace.String("operation", o.Name), trace.Int("pid", int64(o.Pid)))
	removed := 0
	defer func() { end(err, trace.Int("removed", int64(removed))) }()
	for _, c := range slices.Backward(o.Claims) {
		undone, err := e.undoClaim(ctx, c)
		if err != nil {
			return err
		}
		if undone {
			removed++
			trace.Fact(ctx, vocab.RecoverRemove, trace.String("what", c.What), trace.String("path", c.ID))
		}
	}
	return o.Settle()
}

// undoClaim removes one claimed thing. Blobs and chains are left to the sweep that follows: whether they are garbage only the
// references tell.
func (e *Engine) undoClaim(ctx context.Context, c home.Claim) (bool, error) {
	switch c.What {
	case "container":
		return true, e.Containers.UndoClaim(ctx, c)
	case "snapshot":
		return true, e.Driver.Snapshots.Remove(ctx, c.ID)
	case "task":
		return e.Builder.UndoClaim(ctx, c)
	case volume.ClaimFolder, volume.ClaimUnused:
		return e.Volumes.UndoClaim(ctx, c)
	}
	return false, nil
}

// Sweep finishes removals that were cut short and collects what nothing refers to.
func (e *Engine) Sweep(ctx context.Context) error {
	err := e.Containers.ResumeRemovals(ctx)
	_, collectErr := e.Images.Collect(ctx, image.Roots{})
	return errors.Join(err, e.sweepSnapshots(ctx), e.Volumes.Sweep(ctx), e.Networks.Sweep(ctx), collectErr)
}

// sweepSnapshots removes writable layers that no container's record names. It needs a moment in which no operation is under way, and
// leaves them to a later sweep if there is none.
func (e *Engine) sweepSnapshots(ctx context.Context) error {
	moment, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	unlock, err := e.Home.Lock(moment, "gc", true)
	if err != nil {
		return ctx.Err()
	}
	defer unlock()
	keys, err := e.Driver.Snapshots.List(ctx)
	if err != nil {
		return err
	}
	containers, err := e.Containers.List(ctx, true)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, c := range containers {
		named[c.ID] = true
	}
	for _, k := range keys {
		if named[k] {
			continue
		}
		if err := e.Driver.Snapshots.Remove(ctx, k); err != nil {
			return err
		}
		trace.Fact(ctx, vocab.RecoverRemove, trace.String("what", "snapshot"), trace.String("path", k))
	}
	return nil
}

// roots are the blobs and chains that containers and the build cache keep, besides those of images.
func (e *Engine) roots(ctx context.Context) (image.Roots, error) {
	roots, err := e.Containers.Roots(ctx)
	if err != nil {
		return image.Roots{}, err
	}
	blobs, chains, err := e.Builder.Roots(ctx)
	if err != nil {
		return image.Roots{}, err
	}
	roots.Blobs = append(roots.Blobs, blobs...)
	roots.Chains = append(roots.Chains, chains...)
	return roots, nil
}
