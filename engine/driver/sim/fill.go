package sim

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/sim/folder"
	"github.com/learn-containers/learn/engine/driver/sim/vfs"
)

var (
	_ driver.FolderFiller = (*Folders)(nil)
	_ driver.FolderPlacer = (*Folders)(nil)
)

// FolderPath implements driver.FolderPlacer. What lies there is in the form that package folder describes.
func (f *Folders) FolderPath(name string) (string, error) { return folderPath(f.home, name) }

// FillFolder implements driver.FolderFiller.
func (f *Folders) FillFolder(ctx context.Context, name string, chain digest.Digest, p string, _ bool) (driver.Filling, error) {
	done, err := f.fill(ctx, name, chain, p)
	if errors.Is(err, syscall.ENOTEMPTY) {
		return driver.Filling{}, nil
	}
	if err != nil {
		return driver.Filling{}, fmt.Errorf("fill folder %s: %w", name, err)
	}
	return done, nil
}

func (f *Folders) fill(ctx context.Context, name string, chain digest.Digest, p string) (driver.Filling, error) {
	dir, err := folderPath(f.home, name)
	if err != nil {
		return driver.Filling{}, err
	}
	to, err := folder.Open(f.home, dir, f.now)
	if err != nil {
		return driver.Filling{}, err
	}
	if empty, err := to.Empty(); err != nil || !empty {
		return driver.Filling{}, err
	}
	u, err := f.trees.OpenLayers(chain)
	if err != nil {
		return driver.Filling{}, err
	}
	view := vfs.New(u).View(vfs.Cred{Privileged: true}, nobody{f.now})
	source := path.Join("/", p)
	fi, err := view.Stat(source)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || err == nil && !fi.IsDir() {
		return driver.Filling{}, nil
	}
	real := ""
	if err == nil {
		real, err = view.Real(source)
	}
	if err != nil {
		return driver.Filling{}, err
	}
	done, err := to.Fill(ctx, u, or(strings.TrimPrefix(real, "/"), "."))
	return driver.Filling{Filled: err == nil, Files: done.Files, Bytes: done.Bytes}, err
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// FinishFills implements driver.FolderFiller: a filling is one step, so that there is nothing to finish.
func (f *Folders) FinishFills(context.Context) error { return nil }
