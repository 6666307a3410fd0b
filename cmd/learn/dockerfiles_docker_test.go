package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// dockerPeer is docker's command over its daemon.
type dockerPeer struct{ command, dir string }

func (d dockerPeer) load(archive string) error {
	return mustForeign(d.command, "load", "-q", "-i", archive)
}

func (d dockerPeer) remove(tags []string) {
	foreign("", nil, append([]string{d.command, "rmi", "-f"}, tags...)...)
}

func (d dockerPeer) build(b *buildContext, tag string) result {
	argv := append([]string{d.command, "build", "-q", "-t", tag}, b.flags...)
	return foreign(b.dir, append([]string{"DOCKER_BUILDKIT=1"}, b.env...), append(argv, ".")...)
}

func (d dockerPeer) image(tag string) (*builtImage, error) {
	dir := filepath.Join(d.dir, "docker")
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		return nil, err
	}
	archive := dir + ".tar"
	if err := mustForeign(d.command, "save", "-o", archive, tag); err != nil {
		return nil, err
	}
	if err := mustForeign("tar", "-xf", archive, "-C", dir); err != nil {
		return nil, err
	}
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return nil, err
	}
	img := &builtImage{open: func(i int) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, manifest[0].Layers[i])) }}
	return img, readConfig(filepath.Join(dir, manifest[0].Config), img)
}
