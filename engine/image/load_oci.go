package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxNesting is how deep lists of manifests may be nested in an archive.
const maxNesting = 4

// ociImages finds the images of an OCI layout: of each list of manifests the one for this machine.
func (a *archive) ociImages() ([]*found, error) {
	if err := a.checkLayout(); err != nil {
		return nil, err
	}
	x, err := oci.ParseIndex(a.index["index.json"])
	if err != nil {
		return nil, fmt.Errorf("read index.json: %w", err)
	}
	tags := a.dockerTags()
	byManifest := map[digest.Digest]*found{}
	var images []*found
	for _, d := range x.Manifests {
		m, err := a.choose(d, maxNesting)
		if err != nil {
			return nil, err
		}
		f := byManifest[m.Digest]
		if f == nil {
			if f, err = a.ociImage(m); err != nil {
				return nil, err
			}
			byManifest[m.Digest] = f
			images = append(images, f)
		}
		f.addRefs(d, tags)
	}
	if len(images) == 0 {
		return nil, errors.New("read index.json: it lists no image")
	}
	return images, nil
}

func (a *archive) checkLayout() error {
	data, ok := a.index["oci-layout"]
	if !ok {
		return errors.New("it has index.json but no oci-layout: expected an OCI image layout")
	}
	var layout v1.ImageLayout
	if err := json.Unmarshal(data, &layout); err != nil {
		return fmt.Errorf("read oci-layout: %w", err)
	}
	if layout.Version != v1.ImageLayoutVersion {
		return fmt.Errorf("read oci-layout: version is %.40q, expected %q", layout.Version, v1.ImageLayoutVersion)
	}
	return nil
}

// dockerTags are the names in manifest.json, by the digest of the config; for layouts that name nothing themselves.
func (a *archive) dockerTags() map[digest.Digest][]oci.Ref {
	tags := map[digest.Digest][]oci.Ref{}
	entries, err := parseDockerIndex(a.index["manifest.json"])
	if err != nil {
		return tags
	}
	for _, e := range entries {
		config, err := a.file(e.Config)
		if err != nil {
			continue
		}
		if refs, err := e.refs(); err == nil {
			tags[config.digest] = append(tags[config.digest], refs...)
		}
	}
	return tags
}

// addRefs gives the image the name that its descriptor in index.json has.
func (f *found) addRefs(d v1.Descriptor, tags map[digest.Digest][]oci.Ref) {
	refs := tags[f.config.digest]
	if ref := refOf(d); len(refs) == 0 || d.Annotations[oci.AnnotationContainerName] != "" {
		refs = []oci.Ref{ref}
	}
	for _, ref := range refs {
		if !ref.IsZero() && ref.Digest() == "" && !slices.Contains(f.refs, ref) {
			f.refs = append(f.refs, ref)
		}
	}
}

// choose follows lists of manifests to the manifest for this machine, or else the first whose blobs are in the archive.
func (a *archive) choose(d v1.Descriptor, depth int) (v1.Descriptor, error) {
	if oci.IsManifest(d.MediaType) {
		return d, nil
	}
	if !oci.IsIndex(d.MediaType) {
		return d, fmt.Errorf("%s has media type %.100q: expected the manifest of an image", d.Digest, d.MediaType)
	}
	if depth == 0 {
		return d, fmt.Errorf("%s: lists of manifests are nested more than %d deep", d.Digest, maxNesting)
	}
	f, err := a.blob(d.Digest)
	if err != nil {
		return d, err
	}
	data, err := f.json()
	if err != nil {
		return d, err
	}
	list, err := oci.ParseIndex(data)
	if err != nil {
		return d, fmt.Errorf("entry %q: %w", f.name, err)
	}
	var chosen *v1.Descriptor
	for _, m := range list.Manifests {
		if _, err := a.blob(m.Digest); err != nil || isAttestation(m) || !a.wants(m.Platform) {
			continue
		}
		if chosen == nil || !fits(*chosen) && fits(m) {
			chosen = &m
		}
	}
	if chosen == nil {
		if a.platform != "" {
			return d, fmt.Errorf("entry %q lists no image for %s whose manifest is in the archive", f.name, a.platform)
		}
		return d, fmt.Errorf("entry %q lists no image whose manifest is in the archive", f.name)
	}
	return a.choose(*chosen, depth-1)
}

// wants reports whether an image for p may be the one asked for; if the list doesn't say what it is for, its config will.
func (a *archive) wants(p *v1.Platform) bool {
	return a.platform == "" || p == nil || platformText(normalPlatform(*p)) == a.platform
}

func fits(d v1.Descriptor) bool {
	return d.Platform != nil && d.Platform.OS == "linux" && d.Platform.Architecture == oci.Architecture()
}

// isAttestation tells buildx's notes about an image from images.
func isAttestation(d v1.Descriptor) bool {
	return d.Platform != nil && d.Platform.OS == "unknown" || d.Annotations["vnd.docker.reference.type"] != ""
}

func (a *archive) ociImage(d v1.Descriptor) (*found, error) {
	f := &found{manifestType: d.MediaType}
	var err error
	if f.manifest, err = a.blob(d.Digest); err != nil {
		return nil, err
	}
	data, err := f.manifest.json()
	if err != nil {
		return nil, err
	}
	m, err := oci.ParseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("entry %q: %w", f.manifest.name, err)
	}
	if !oci.IsConfig(m.Config.MediaType) {
		return nil, fmt.Errorf("entry %q: config has media type %.100q: it is not an image", f.manifest.name, m.Config.MediaType)
	}
	f.configType = m.Config.MediaType
	if f.config, err = a.described(m.Config); err != nil {
		return nil, err
	}
	if err := f.readConfig(); err != nil {
		return nil, err
	}
	for _, d := range m.Layers {
		if !oci.IsLayer(d.MediaType) {
			return nil, fmt.Errorf("entry %q: layer %s has media type %.100q, expected a tar archive", f.manifest.name, d.Digest, d.MediaType)
		}
		l, err := a.described(d)
		if err != nil {
			return nil, err
		}
		f.layers, f.types = append(f.layers, l), append(f.types, d.MediaType)
	}
	return f, f.check()
}

// described finds the blob of a descriptor and compares its size.
func (a *archive) described(d v1.Descriptor) (*staged, error) {
	f, err := a.blob(d.Digest)
	if err != nil {
		return nil, err
	}
	if n := f.writer.Size(); n != d.Size {
		return nil, fmt.Errorf("entry %q has %d bytes, its descriptor says %d", f.name, n, d.Size)
	}
	return f, nil
}
