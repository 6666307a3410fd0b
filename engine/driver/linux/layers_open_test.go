//go:build linux

package linux

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/opencontainers/go-digest"
)

// TestConflictingLayersAtOnce unpacks, side by side and again and again, a layer that makes a link and one that writes through a folder of the same name.
func TestConflictingLayersAtOnce(t *testing.T) {
	outside := t.TempDir()
	before := fingerprint(t, outside, filepath.Join(outside, "canary"))
	s := newStore(t)
	link := archive(t, link(tar.TypeSymlink, "d", outside))
	files := archive(t, folder("d"), file("d/canary", "evil"), file("d/new", "evil"))
	var all sync.WaitGroup
	for range 20 {
		for _, data := range [][]byte{link, files} {
			all.Go(func() {
				if _, err := s.tryApply("", data); err != nil && !errors.Is(err, driver.ErrExists) {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for _, below := range [][]byte{link, files} {
		for _, data := range [][]byte{link, files} {
			if _, err := s.tryApply(digest.FromBytes(below), data); err != nil && !errors.Is(err, driver.ErrExists) {
				t.Error(err)
			}
		}
	}
	if after := fingerprint(t, outside, filepath.Join(outside, "canary")); after != before {
		t.Errorf("outside changed: %s, was %s", after, before)
	}
	s.noScratch()
}

// TestOpenLayer gives a layer's files back, follows no link out of it, and opens nothing but files.
func TestOpenLayer(t *testing.T) {
	s := newStore(t)
	outside := filepath.Join(t.TempDir(), "x")
	pipe := header{Header: tar.Header{Typeflag: tar.TypeFifo, Name: "pipe", Mode: 0o644, ModTime: when}}
	data := archive(t, folder("d"), file("d/f", "text"), link(tar.TypeSymlink, "l", "d"), link(tar.TypeSymlink, "out", outside), pipe)
	chain, err := s.tryApply("", data)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.layers.Settle(context.Background(), chain); err != nil {
		t.Fatal(err)
	}
	if rec, err := s.layers.read(chain); err != nil || rec.Until != "" {
		t.Errorf("not settled: %+v, %v", rec, err)
	}
	files, err := s.layers.OpenLayer(chain)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	f, err := files.Open("d/f")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(f); string(text) != "text" || err != nil || files.Size() != 4 {
		t.Errorf("%q, %v, %d bytes", text, err, files.Size())
	}
	f.Close()
	if f, err := files.Open("l/f"); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	for _, p := range []string{"out/f", "out", "pipe", "d", "../x", "none"} {
		if f, err := files.Open(p); err == nil {
			t.Errorf("%s opens", p)
			f.Close()
		}
	}
	if _, err := s.layers.OpenLayer(digest.FromString("none")); !errors.Is(err, driver.ErrNotFound) {
		t.Error(err)
	}
}
