package container_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/oci"
)

// Two drivers may serve one home. What one made lives on a machine that the other can't reach.
func TestContainerOfAnotherDriver(t *testing.T) {
	b := newBench(t, oci.ImageConfig{})
	c := b.create("web", "sleep")
	b.start("web")
	other := container.New(b.home, b.images, snapshots{newMachine()}, trees{newMachine()}, runtime{newMachine()})
	other.Driver = "another"
	list, err := other.List(b.ctx, false)
	b.must(err)
	if len(list) != 1 || !list[0].State.Running {
		t.Fatalf("List() = %v, want the running container as its record says", list)
	}
	for name, do := range map[string]func() error{
		"start":  func() error { return other.Start(b.ctx, "web", container.StartOptions{}) },
		"stop":   func() error { return other.Stop(b.ctx, "web", container.StopOptions{}) },
		"kill":   func() error { return other.Kill(b.ctx, "web", "KILL") },
		"pause":  func() error { return other.Pause(b.ctx, "web") },
		"remove": func() error { return other.Remove(b.ctx, c.ID, true) },
		"export": func() error { return other.Export(b.ctx, "web", io.Discard) },
		"attach": func() error { return other.Attach(b.ctx, "web", driver.Streams{Stdout: &bytes.Buffer{}}) },
	} {
		err := do()
		if !errors.As(err, new(*container.ConflictError)) || !strings.Contains(err.Error(), "--driver") {
			t.Errorf("%s: %v, want a conflict that names the way out", name, err)
		}
	}
	b.must(other.ResumeRemovals(b.ctx))
	if !b.state("web").Running {
		t.Error("the other driver changed the record")
	}
}

// A lesson that is played twice gives its containers the same ids and names.
func TestIdsRepeatWithTheirSource(t *testing.T) {
	made := func() string {
		b := newBench(t, oci.ImageConfig{})
		b.Random = rand.NewChaCha8([32]byte{1})
		one, two := b.create("", "a"), b.create("", "b")
		return one.ID + one.Name + two.ID + two.Name
	}
	if one, two := made(), made(); one != two {
		t.Errorf("ids and names differ: %s, %s", one, two)
	}
}
