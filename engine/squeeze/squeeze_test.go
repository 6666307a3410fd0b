package squeeze

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

func squeezed(t testing.TB, in []byte, o Options) []byte {
	t.Helper()
	s, err := New(bytes.NewReader(in), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func restored(t testing.TB, k Kind, out []byte) []byte {
	t.Helper()
	var r io.Reader
	if k == Gzip {
		z, err := stdgzip.NewReader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false) // it is one member
		r = z
	} else {
		z, err := zstd.NewReader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	in, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// inputs are of every kind: nothing, text, noise, both, and sizes around that of a block.
func inputs() map[string][]byte {
	noise := make([]byte, 3*blockSize+17)
	random := rand.NewChaCha8([32]byte{7})
	_, _ = random.Read(noise)
	text := []byte(strings.Repeat("layers never change, names do. ", blockSize/10))
	return map[string][]byte{"empty": {}, "byte": {7}, "text": text, "noise": noise, "block": text[:blockSize], "more": text[:blockSize+1], "mixed": append(noise[:blockSize+5:blockSize+5], text...)}
}

func TestEveryReaderGetsTheInputBack(t *testing.T) {
	for name, in := range inputs() {
		for _, o := range []Options{{Kind: Gzip}, {Kind: Gzip, Level: 9}, {Kind: Zstd}, {Kind: Zstd, Level: 1}} {
			if got := restored(t, o.Kind, squeezed(t, in, o)); !bytes.Equal(got, in) {
				t.Errorf("%s, %v: got %d bytes back, want %d", name, o, len(got), len(in))
			}
		}
	}
}

func TestBytesDoNotDependOnTheMachine(t *testing.T) {
	in := inputs()["mixed"]
	for _, k := range []Kind{Gzip, Zstd} {
		want := squeezed(t, in, Options{Kind: k, Workers: 1})
		for _, workers := range []int{2, 3, 8} {
			s, err := New(iotest.OneByteReader(bytes.NewReader(in[:blockSize+100])), Options{Kind: k, Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			short, err := io.ReadAll(s)
			s.Close()
			if err != nil || !bytes.Equal(short, squeezed(t, in[:blockSize+100], Options{Kind: k, Workers: 1})) {
				t.Errorf("%s by %d: another result from another reader (%v)", k, workers, err)
			}
			if got := squeezed(t, in, Options{Kind: k, Workers: workers}); !bytes.Equal(got, want) {
				t.Errorf("%s by %d: other bytes", k, workers)
			}
		}
	}
}

func TestNoiseIsStored(t *testing.T) {
	in := inputs()["noise"]
	if out := squeezed(t, in, Options{}); len(out) > len(in)+len(in)/1000+100 {
		t.Errorf("%d bytes became %d", len(in), len(out))
	}
}

func TestErrorsOfTheInputComeOut(t *testing.T) {
	cause := errors.New("the disk is gone")
	s, err := New(io.MultiReader(bytes.NewReader(inputs()["text"]), iotest.ErrReader(cause)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := io.ReadAll(s); !errors.Is(err, cause) {
		t.Errorf("error = %v", err)
	}
}

// endless has no end and never waits.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestCloseEndsTheWork(t *testing.T) {
	for _, read := range []int{0, 10, 3 * blockSize / 1000} {
		s, err := New(endless{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, s, int64(read)); err != nil {
			t.Error(err)
		}
		s.Close()
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("a closed stream can be read")
		}
	}
}

func TestUnknownKindsAndLevels(t *testing.T) {
	for _, o := range []Options{{Kind: "lzma"}, {Kind: Gzip, Level: 10}, {Kind: Gzip, Level: -1}, {Kind: Zstd, Level: 23}} {
		if _, err := New(endless{}, o); err == nil {
			t.Errorf("%v: no error", o)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("a"), true)
	f.Fuzz(func(t *testing.T, in []byte, gzip bool) {
		o := Options{Kind: Zstd, Workers: 2}
		if gzip {
			o.Kind = Gzip
		}
		if !bytes.Equal(restored(t, o.Kind, squeezed(t, in, o)), in) {
			t.Error("not what went in")
		}
	})
}

func BenchmarkGzip(b *testing.B) {
	in := inputs()["mixed"]
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		squeezed(b, in, Options{})
	}
}
