//go:build linux

package linux

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
)

// Settle implements driver.LayerOpener.
func (l *Layers) Settle(_ context.Context, chain digest.Digest) error { return l.settle(chain) }

// OpenLayer implements driver.LayerOpener.
func (l *Layers) OpenLayer(chain digest.Digest) (driver.LayerFiles, error) {
	rec, err := l.read(chain)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Open(l.fs(chain), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open layer %s: %w", rec.DiffID, err)
	}
	return &layerFiles{root: fd, size: rec.Size, name: rec.DiffID}, nil
}

// layerFiles are what one layer brought, through one descriptor.
type layerFiles struct {
	root int
	size int64
	name digest.Digest
}

// Open implements driver.LayerFiles. Nothing but a regular file is read: O_NONBLOCK keeps a pipe from being waited for. Folders may be links, as in an archive that has
// bin -> usr/bin and then bin/sh.
func (f *layerFiles) Open(p string) (io.ReadCloser, error) {
	fd, err := openIn(f.root, p, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, fmt.Errorf("open %s in layer %s: %w", p, f.name, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open %s in layer %s: not a regular file", p, f.name)
	}
	return os.NewFile(uintptr(fd), p), nil
}

// Size implements driver.LayerFiles.
func (f *layerFiles) Size() int64 { return f.size }

// Close implements driver.LayerFiles.
func (f *layerFiles) Close() error { return unix.Close(f.root) }
