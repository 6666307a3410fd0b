package container_test

import (
	"context"
	"testing"

	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/oci"
)

// BenchmarkWholeLife is what this package adds to create, start, wait and remove: the machine below costs nothing.
func BenchmarkWholeLife(b *testing.B) {
	for name, ephemeral := range map[string]bool{"kept": false, "rm": true} {
		b.Run(name, func(b *testing.B) {
			bb := newBench(b, oci.ImageConfig{Cmd: []string{"exit", "0"}})
			ctx := context.Background()
			for b.Loop() {
				c, err := bb.Create(ctx, container.CreateOptions{Image: "img", HostConfig: api.HostConfig{AutoRemove: ephemeral}, Run: true})
				if err != nil {
					b.Fatal(err)
				}
				if err := bb.Start(ctx, c.ID, container.StartOptions{}); err != nil {
					b.Fatal(err)
				}
				if _, err := bb.Wait(ctx, c.ID); err != nil {
					b.Fatal(err)
				}
				if ephemeral {
					continue // waiting removed it
				}
				if err := bb.Remove(ctx, c.ID, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkList lists 500 containers.
func BenchmarkList(b *testing.B) {
	bb := newBench(b, oci.ImageConfig{Cmd: []string{"exit", "0"}})
	ctx := context.Background()
	for range 500 {
		if _, err := bb.Create(ctx, container.CreateOptions{Image: "img", HostConfig: api.HostConfig{AutoRemove: true}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		if all, err := bb.List(ctx, true); err != nil || len(all) != 500 {
			b.Fatal(err)
		}
	}
}
