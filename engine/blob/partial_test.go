package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Two that fetch the same blobs in opposite orders don't wait for each other's ends: who has committed a blob lets go of it.
func TestCommittedBlobIsLetGo(t *testing.T) {
	dir := t.TempDir()
	begin := func(ctx context.Context, want v1.Descriptor) (*Partial, error) {
		h, err := home.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(h.Images())
		if err != nil {
			t.Fatal(err)
		}
		op, err := h.Begin("test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = op.End() })
		return s.Begin(ctx, h, op, want)
	}
	data := []byte("a layer")
	want := v1.Descriptor{MediaType: octets, Digest: digest.FromBytes(data), Size: int64(len(data))}
	p, err := begin(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := begin(short, want); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is fetched, another one gets %v", err)
	}
	if err := p.Fill(func(int64) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	long, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := begin(long, want); !errors.Is(err, ErrExists) {
		t.Errorf("once it is in the store, another one gets %v", err)
	}
	if got, err := io.ReadAll(p.Follow()); err != nil || !bytes.Equal(got, data) {
		t.Errorf("it follows %q, %v", got, err)
	}
}
