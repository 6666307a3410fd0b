package layer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"
)

func TestVerifiedGivesTheSourceAndItsDigest(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		size := rapid.SampledFrom([]int{0, 1, 511, chunkBytes - 1, chunkBytes, chunkBytes + 1, chunkBytes*chunkCount + 7, 2 * chunkBytes * chunkCount}).Draw(r, "size")
		data := bytes.Repeat([]byte{rapid.Byte().Draw(r, "byte")}, size)
		var src io.Reader = bytes.NewReader(data)
		if rapid.Bool().Draw(r, "in halves") {
			src = iotest.HalfReader(src)
		}
		v := NewVerified(context.Background(), src)
		defer v.Close()
		got, err := io.ReadAll(v)
		if err != nil || !bytes.Equal(got, data) {
			r.Fatalf("%d bytes, %v; want %d", len(got), err, len(data))
		}
		if err := v.Check(digest.FromBytes(data)); err != nil {
			r.Error(err)
		}
		other := digest.FromString("other")
		if err := v.Check(other); err == nil || !strings.Contains(err.Error(), other.String()) || !strings.Contains(err.Error(), digest.FromBytes(data).String()) {
			r.Errorf("error %v does not name both", err)
		}
	})
}

func TestVerifiedEndsWithItsSourceOrContext(t *testing.T) {
	broken := errors.New("cable cut")
	v := NewVerified(t.Context(), io.MultiReader(strings.NewReader("begin"), iotest.ErrReader(broken)))
	if got, err := io.ReadAll(v); string(got) != "begin" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
	v.Close()

	ctx, cancel := context.WithCancel(t.Context())
	v = NewVerified(ctx, zeros{})
	defer v.Close()
	if _, err := io.ReadFull(v, make([]byte, 100)); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, v); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// zeros is a source without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestVerifiedMayBeClosedEarly(t *testing.T) {
	v := NewVerified(t.Context(), zeros{})
	if _, err := io.ReadFull(v, make([]byte, 3*chunkBytes)); err != nil {
		t.Error(err)
	}
	v.Close()
}
