package tree

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
)

// manyFiles is an archive of n files of some hundred bytes.
func manyFiles(t testing.TB, n int) []byte {
	t.Helper()
	var entries []header
	for i := range n {
		if i%100 == 0 {
			entries = append(entries, folder(fmt.Sprintf("d%d", i/100)))
		}
		entries = append(entries, file(fmt.Sprintf("d%d/f%d", i/100, i), fmt.Sprintf("%0300d", i)))
	}
	return archive(t, entries...)
}

func BenchmarkApply10k(b *testing.B) {
	s := newStore(b)
	data := manyFiles(b, 10_000)
	chain, diffID := chainOf("", data)
	for b.Loop() {
		must(b, s.layers.Apply(context.Background(), chain, "", diffID, bytes.NewReader(data)))
		b.StopTimer()
		must(b, s.layers.Drop(context.Background(), chain))
		b.StartTimer()
	}
}

// BenchmarkBuild10k makes ten thousand files in a container's tree, as a build step does, and commits them.
func BenchmarkBuild10k(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		b.StopTimer()
		s := newStore(b)
		base := s.base()
		b.StartTimer()
		must(b, s.snapshots.PrepareVolatile(ctx, "k", base))
		u := s.open("k", nil)
		for i := range 10_000 {
			if i%100 == 0 {
				must(b, run(u, "mkdir", []string{fmt.Sprintf("d%d", i/100)}))
			}
			must(b, write(u, fmt.Sprintf("d%d/f%d", i/100, i), "content", false))
		}
		must(b, u.Close())
		data := s.diff("k")
		chain, diffID := chainOf(base, data)
		must(b, s.snapshots.Commit(ctx, "k", chain, diffID))
	}
}

func BenchmarkOpen10k(b *testing.B) {
	s := newStore(b)
	chain := s.apply("", manyFiles(b, 10_000))
	for b.Loop() {
		if _, err := s.again().layers.stack(chain); err != nil {
			b.Fatal(err)
		}
	}
}

// TestManyFilesRoundTrip: ten thousand files come out as they went in, in this process and in the next.
func TestManyFilesRoundTrip(t *testing.T) {
	s := newStore(t)
	data := manyFiles(t, 10_000)
	chain := s.apply("", data)
	want := s.exportChain(chain)
	in, out := listing(t, data), listing(t, want)
	slices.Sort(in)
	slices.Sort(out)
	if !slices.Equal(in, out) {
		t.Error("what comes out is not what went in")
	}
	if !bytes.Equal(want, s.again().exportChain(chain)) {
		t.Error("another process gets something else")
	}
}

// TestHundredLayers: each lookup finds the topmost layer that has a name, and reading the stack is quick.
func TestHundredLayers(t *testing.T) {
	s := newStore(t)
	var chain digest.Digest
	for i := range 100 {
		chain = s.apply(chain, archive(t, file(fmt.Sprintf("f%d", i), "x"), file("same", fmt.Sprint(i))))
	}
	if got := len(listing(t, s.again().exportChain(chain))); got != 101 {
		t.Errorf("%d files, want 101", got)
	}
	s.prepare("k", chain)
	u := s.open("k", nil)
	if got := read(t, u, "same"); got != "99" || u.Lowers() != 100 {
		t.Errorf("content %q of %d layers", got, u.Lowers())
	}
}
