//go:build linux

package linux

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

func TestBehindKeepsOrderAndErrors(t *testing.T) {
	var want, got bytes.Buffer
	b := newBehind(&got)
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		p := make([]byte, r.IntN(20_000))
		for i := range p {
			p[i] = byte(r.Uint32())
		}
		want.Write(p)
		if _, err := b.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil || !bytes.Equal(want.Bytes(), got.Bytes()) {
		t.Errorf("%v; %d of %d bytes", err, got.Len(), want.Len())
	}
	cause := errors.New("full")
	b = newBehind(failingWriter{cause})
	var err error
	for range 100 {
		if _, err = b.Write(make([]byte, copyBytes)); err != nil {
			break
		}
	}
	if !errors.Is(err, cause) || !errors.Is(b.Close(), cause) {
		t.Errorf("error %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
