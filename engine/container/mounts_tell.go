package container

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// tellVolumes says which volumes a container has got, or lets go, by a change of its state.
func (m *Manager) tellVolumes(ctx context.Context, id string, t transition) {
	runs, ran := living(t.to), living(t.from)
	if runs == ran || trace.From(ctx) == nil {
		return
	}
	c, err := m.read(id)
	if err != nil {
		return // removed meanwhile, which says it too
	}
	for _, p := range c.Mounts {
		if p.Type != mount.TypeVolume {
			continue
		}
		attrs := []trace.Attr{trace.String("volume", p.Name), trace.String("container", id), trace.String("target", p.Destination)}
		if runs {
			trace.Fact(ctx, vocab.VolumeMount, append(attrs, trace.Bool("read_only", !p.RW))...)
		} else {
			trace.Fact(ctx, vocab.VolumeUnmount, attrs...)
		}
	}
}

func living(s container.ContainerState) bool {
	return s == container.StateRunning || s == container.StatePaused
}
