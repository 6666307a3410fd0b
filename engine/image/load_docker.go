package image

import (
	"encoding/json"
	"fmt"

	"github.com/learn-containers/learn/engine/oci"
)

// dockerEntry is one image in the manifest.json of a docker-archive.
type dockerEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func parseDockerIndex(data []byte) ([]dockerEntry, error) {
	var entries []dockerEntry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("read manifest.json: %w", err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("read manifest.json: it lists no image")
	}
	for i, e := range entries {
		if e.Config == "" {
			return nil, fmt.Errorf("read manifest.json: image %d of %d has no Config", i+1, len(entries))
		}
	}
	return entries, nil
}

func (e dockerEntry) refs() ([]oci.Ref, error) {
	var refs []oci.Ref
	for _, tag := range e.RepoTags {
		ref, err := oci.ParseRef(tag)
		if err != nil {
			return nil, fmt.Errorf("read manifest.json: name %.200q: %w", tag, err)
		}
		if ref.Digest() == "" {
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

func (a *archive) dockerImages() ([]*found, error) {
	entries, err := parseDockerIndex(a.index["manifest.json"])
	if err != nil {
		return nil, err
	}
	images := make([]*found, 0, len(entries))
	for _, e := range entries {
		f, err := a.dockerImage(e)
		if err != nil {
			return nil, err
		}
		images = append(images, f)
	}
	return images, nil
}

func (a *archive) dockerImage(e dockerEntry) (*found, error) {
	f := &found{configType: oci.MediaTypeConfig}
	var err error
	if f.refs, err = e.refs(); err != nil {
		return nil, err
	}
	if f.config, err = a.file(e.Config); err != nil {
		return nil, err
	}
	if err := f.readConfig(); err != nil {
		return nil, err
	}
	for _, name := range e.Layers {
		l, err := a.file(name)
		if err != nil {
			return nil, err
		}
		f.layers = append(f.layers, l)
		f.types = append(f.types, l.plain.mediaType())
	}
	return f, f.check()
}

func (f *found) readConfig() error {
	data, err := f.config.json()
	if err != nil {
		return err
	}
	if f.image, err = oci.ParseImage(data); err != nil {
		return fmt.Errorf("entry %q: %w", f.config.name, err)
	}
	return nil
}
