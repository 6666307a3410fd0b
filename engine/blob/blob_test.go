package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	"pgregory.net/rapid"
)

const octets = "application/octet-stream"

func open(t testing.TB) (*Store, *home.Operation) {
	t.Helper()
	h, err := home.Open(t.TempDir())
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
	return s, op
}

func TestWrittenIsRead(t *testing.T) {
	s, op := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int{0, 1, 100, chunk - 1, chunk, chunk + 1, 5*chunk + 7}).Draw(rt, "size")
		piece := rapid.IntRange(1, 2*chunk).Draw(rt, "piece")
		data := make([]byte, size)
		_, _ = rand.Read(data)
		w, err := s.NewWriter(op)
		if err != nil {
			rt.Fatal(err)
		}
		defer w.Close()
		for rest := data; len(rest) > 0; {
			n := min(piece, len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				rt.Fatal(err)
			}
			rest = rest[n:]
		}
		d, err := w.Commit(context.Background(), digest.FromBytes(data), octets)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := s.ReadAll(d.Digest, int64(size))
		if err != nil || !bytes.Equal(got, data) || d.Size != int64(size) {
			rt.Fatalf("read %d bytes of %d, error %v", len(got), size, err)
		}
		var out bytes.Buffer
		if err := s.Copy(context.Background(), &out, d.Digest, d.Size); err != nil || !bytes.Equal(out.Bytes(), data) {
			rt.Fatalf("copied %d bytes of %d, error %v", out.Len(), size, err)
		}
	})
}

func TestReadFrom(t *testing.T) {
	s, op := open(t)
	data := bytes.Repeat([]byte("layer"), chunk)
	w, _ := s.NewWriter(op)
	defer w.Close()
	if n, err := w.ReadFrom(bytes.NewReader(data)); n != int64(len(data)) || err != nil {
		t.Fatal(n, err)
	}
	if _, err := w.Commit(context.Background(), digest.FromBytes(data), octets); err != nil {
		t.Fatal(err)
	}
}

func TestWrongDigestStoresNothing(t *testing.T) {
	s, op := open(t)
	w, _ := s.NewWriter(op)
	_, _ = w.Write([]byte("changed"))
	want := digest.FromString("original")
	_, err := w.Commit(context.Background(), want, octets)
	var bad *DigestError
	if !errors.As(err, &bad) || bad.Want != want || bad.Got != digest.FromString("changed") {
		t.Errorf("error = %v", err)
	}
	w.Close()
	if err := s.Walk(func(d digest.Digest, _ int64) error { return errors.New("a blob: " + d.String()) }); err != nil {
		t.Error(err)
	}
}

func TestDamageIsFound(t *testing.T) {
	s, op := open(t)
	d, err := s.Put(context.Background(), op, []byte("original"), octets)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Path(d.Digest), []byte("0riginal"), 0o644); err != nil {
		t.Fatal(err)
	}
	var bad *DigestError
	if _, err := s.ReadAll(d.Digest, 100); !errors.As(err, &bad) {
		t.Errorf("ReadAll: %v", err)
	}
	r, _ := s.Open(d.Digest)
	if _, err := io.ReadAll(r); !errors.As(err, &bad) {
		t.Errorf("Open: %v", err)
	}
	r.Close()
	if err := s.Copy(context.Background(), io.Discard, d.Digest, d.Size); !errors.As(err, &bad) {
		t.Errorf("Copy: %v", err)
	}
}

func TestTruncatedBlobIsWrittenAgain(t *testing.T) {
	s, op := open(t)
	d, _ := s.Put(context.Background(), op, []byte("original"), octets)
	if err := os.Truncate(s.Path(d.Digest), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(context.Background(), op, []byte("original"), octets); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ReadAll(d.Digest, 100); string(got) != "original" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestHostileDigestsTouchNoPath(t *testing.T) {
	s, _ := open(t)
	for _, d := range []digest.Digest{"sha256:../../../../etc/passwd", "sha256:", "sha512:abc", "../x", ""} {
		if s.Path(d) != "" {
			t.Errorf("Path(%q) = %q", d, s.Path(d))
		}
		if _, err := s.Open(d); err == nil {
			t.Errorf("Open(%q) succeeds", d)
		}
		if _, err := s.Stat(d); err == nil {
			t.Errorf("Stat(%q) succeeds", d)
		}
		if err := s.Remove(context.Background(), d); err == nil {
			t.Errorf("Remove(%q) succeeds", d)
		}
	}
}

func TestManyWritersOfOneBlob(t *testing.T) {
	s, op := open(t)
	data := bytes.Repeat([]byte("x"), 3*chunk)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w, err := s.NewWriter(op)
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Close()
			_, _ = w.Write(data)
			if _, err := w.Commit(context.Background(), "", octets); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	n := 0
	_ = s.Walk(func(digest.Digest, int64) error { n++; return nil })
	if left, _ := filepath.Glob(filepath.Join(op.Dir(), "blob-*")); n != 1 || len(left) != 0 {
		t.Errorf("%d blobs, left over %v", n, left)
	}
}

func TestMissingIndexOverBlobsIsNotEmptied(t *testing.T) {
	s, op := open(t)
	if _, err := s.Put(context.Background(), op, []byte("x"), octets); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.IndexPath()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Dir(s.IndexPath())); err == nil {
		t.Error("a store that lost its index opens as an empty one: the next collection would delete every blob")
	}
}

func TestNotFound(t *testing.T) {
	s, _ := open(t)
	for _, err := range []error{
		func() error { _, err := s.Stat(oci.Sum(nil)); return err }(),
		func() error { _, err := s.Open(oci.Sum(nil)); return err }(),
		func() error { _, err := s.ReadAll(oci.Sum(nil), 1); return err }(),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("error = %v", err)
		}
	}
	if err := s.Remove(context.Background(), oci.Sum(nil)); err != nil {
		t.Error(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	s, op := open(b)
	data := make([]byte, 64<<20)
	_, _ = rand.Read(data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		w, _ := s.NewWriter(op)
		if _, err := w.ReadFrom(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Seal(); err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}

func BenchmarkCopy(b *testing.B) {
	s, op := open(b)
	data := make([]byte, 64<<20)
	_, _ = rand.Read(data)
	d, err := s.Put(context.Background(), op, data, octets)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(d.Size)
	for b.Loop() {
		if err := s.Copy(context.Background(), io.Discard, d.Digest, d.Size); err != nil {
			b.Fatal(err)
		}
	}
}
