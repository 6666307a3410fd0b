//go:build linux

package linux

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// BenchmarkApplySmallFiles unpacks 10,000 files of 2 KiB in 500 folders.
func BenchmarkApplySmallFiles(b *testing.B) {
	var entries []header
	text := strings.Repeat("x", 2<<10)
	for i := range 500 {
		dir := fmt.Sprintf("usr/share/d%d", i)
		entries = append(entries, folder(dir))
		for j := range 20 {
			entries = append(entries, file(fmt.Sprintf("%s/f%d", dir, j), text))
		}
	}
	benchmarkApply(b, archive(b, entries...))
}

// BenchmarkApplyBigFile unpacks one file of 256 MiB.
func BenchmarkApplyBigFile(b *testing.B) {
	benchmarkApply(b, archive(b, file("big", strings.Repeat("0123456789abcdef", 16<<20))))
}

func benchmarkApply(b *testing.B, data []byte) {
	s := newStore(b)
	diffID := digest.FromBytes(data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := s.layers.Apply(context.Background(), diffID, "", diffID, bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.layers.Drop(context.Background(), diffID); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
