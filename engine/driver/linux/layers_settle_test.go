//go:build linux

package linux

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
)

// restarted is the same store as another run of the machine sees it.
func (s *store) restarted() *store {
	l := NewLayers(s.home, s.mode)
	l.run = func() string { return "another run" }
	return &store{s.t, s.home, s.mode, l, NewSnapshots(s.home, s.mode, l)}
}

func (s *store) text(chain digest.Digest) string {
	tree, err := s.snapshots.OpenChain(context.Background(), chain)
	if err != nil {
		s.t.Fatal(err)
	}
	defer tree.Close()
	f, err := tree.Open("/etc/f")
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	var b [64]byte
	n, _ := f.Read(b[:])
	return string(b[:n])
}

// TestUnsyncedLayersEndWithTheRun: what was not synced is not there after the machine stopped, whatever the disk has of it, and is
// unpacked anew.
func TestUnsyncedLayersEndWithTheRun(t *testing.T) {
	low := tarOf(t, "etc/", "etc/f=good")
	for name, damage := range map[string]func(dir string) error{
		"nothing":        func(string) error { return nil },
		"empty file":     func(dir string) error { return os.Truncate(filepath.Join(dir, "fs/etc/f"), 0) },
		"no record":      func(dir string) error { return os.Remove(filepath.Join(dir, "layer.json")) },
		"empty record":   func(dir string) error { return os.Truncate(filepath.Join(dir, "layer.json"), 0) },
		"nothing inside": func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			chain := s.apply("", low)
			top := s.apply(chain, tarOf(t, "etc/", "etc/g=top"))
			if err := damage(s.layers.dir(chain)); err != nil {
				t.Fatal(err)
			}
			next := s.restarted()
			if next.layers.Has(chain) || next.layers.Has(top) {
				t.Fatal("a layer that was not synced is believed")
			}
			if err := next.snapshots.PrepareVolatile(context.Background(), "k", chain); !errors.Is(err, driver.ErrNotFound) {
				t.Fatalf("a container on it: %v", err)
			}
			next.apply("", low)
			next.apply(chain, tarOf(t, "etc/", "etc/g=top"))
			if !next.layers.Has(top) || next.text(top) != "good" {
				t.Errorf("unpacked anew it has %q", next.text(top))
			}
		})
	}
}

// TestContainersStandOnSyncedLayers: a writable layer that stays makes what it stands on stay; one that doesn't doesn't.
func TestContainersStandOnSyncedLayers(t *testing.T) {
	s := newStore(t)
	low := s.apply("", tarOf(t, "etc/", "etc/f=good"))
	top := s.apply(low, tarOf(t, "etc/", "etc/g=top"))
	if err := s.snapshots.PrepareVolatile(context.Background(), "v", top); err != nil {
		t.Fatal(err)
	}
	if s.restarted().layers.Has(top) {
		t.Error("a container that goes made a layer stay")
	}
	s.prepare("k", top)
	next := s.restarted()
	if !next.layers.Has(low) || !next.layers.Has(top) {
		t.Fatal("a container's layers are gone after the machine stopped")
	}
	if _, _, _, _, err := next.snapshots.RootMount("k"); err != nil {
		t.Errorf("mount its root: %v", err)
	}
}

// tarOf makes an archive of folders and, with =, files.
func tarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var entries []header
	for _, n := range names {
		name, text, isFile := strings.Cut(n, "=")
		if isFile {
			entries = append(entries, file(name, text))
		} else {
			entries = append(entries, folder(strings.TrimSuffix(name, "/")))
		}
	}
	return archive(t, entries...)
}
