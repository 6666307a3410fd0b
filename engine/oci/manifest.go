package oci

import (
	"encoding/json"
	"fmt"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxJSON is how many bytes a manifest, an index or a config may have.
const MaxJSON = 4 << 20

// Media types: those of the image-spec, and docker's names for the same things.
const (
	MediaTypeManifest    = v1.MediaTypeImageManifest
	MediaTypeIndex       = v1.MediaTypeImageIndex
	MediaTypeConfig      = v1.MediaTypeImageConfig
	MediaTypeLayer       = v1.MediaTypeImageLayer
	MediaTypeLayerGzip   = v1.MediaTypeImageLayerGzip
	MediaTypeLayerZstd   = v1.MediaTypeImageLayerZstd
	DockerManifest       = "application/vnd.docker.distribution.manifest.v2+json"
	DockerManifestList   = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig         = "application/vnd.docker.container.image.v1+json"
	DockerLayer          = "application/vnd.docker.image.rootfs.diff.tar"
	DockerLayerGzip      = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	DockerLayerZstd      = "application/vnd.docker.image.rootfs.diff.tar.zstd"
	DockerForeignLayer   = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
	nonDistributableStem = "application/vnd.oci.image.layer.nondistributable.v1.tar"
)

// Annotations of descriptors in an image layout's index.json.
const (
	AnnotationRefName       = v1.AnnotationRefName       // "debian:12"
	AnnotationContainerName = "io.containerd.image.name" // "docker.io/library/debian:12"
)

// IsManifest reports that the media type is that of one image's manifest.
func IsManifest(mediaType string) bool {
	return mediaType == MediaTypeManifest || mediaType == DockerManifest
}

// IsIndex reports that the media type is that of a list of manifests.
func IsIndex(mediaType string) bool {
	return mediaType == MediaTypeIndex || mediaType == DockerManifestList
}

// IsConfig reports that the media type is that of an image's config.
func IsConfig(mediaType string) bool {
	return mediaType == MediaTypeConfig || mediaType == DockerConfig
}

// IsLayer reports that the media type is that of a layer, in whatever compression.
func IsLayer(mediaType string) bool {
	stem, _, _ := strings.Cut(mediaType, "+")
	switch stem {
	case MediaTypeLayer, nonDistributableStem, DockerLayer, DockerLayerGzip, DockerLayerZstd, DockerForeignLayer:
		return true
	}
	return false
}

// IsPlainLayer reports that the media type is that of a layer without compression: its digest is its diff id.
func IsPlainLayer(mediaType string) bool {
	return mediaType == MediaTypeLayer || mediaType == DockerLayer || mediaType == nonDistributableStem
}

// CheckDescriptor accepts a descriptor whose digest is well formed and whose size is not negative.
func CheckDescriptor(d v1.Descriptor) error {
	if err := CheckDigest(d.Digest); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("check descriptor %s: size is %d, expected 0 or more", d.Digest, d.Size)
	}
	return nil
}

// ParseManifest reads the manifest of one image.
func ParseManifest(b []byte) (v1.Manifest, error) {
	var m struct {
		v1.Manifest
		Manifests json.RawMessage `json:"manifests"`
	}
	if err := decode("manifest", b, &m); err != nil {
		return v1.Manifest{}, err
	}
	// Bytes that are both a manifest and an index mean different things to different readers.
	if m.Manifests != nil || m.MediaType != "" && !IsManifest(m.MediaType) {
		return v1.Manifest{}, fmt.Errorf("parse manifest: it is a list or of type %.100q, expected the manifest of one image", m.MediaType)
	}
	if err := CheckDescriptor(m.Config); err != nil {
		return v1.Manifest{}, fmt.Errorf("parse manifest: config: %w", err)
	}
	if n := len(m.Layers); n > maxLayers {
		return v1.Manifest{}, fmt.Errorf("parse manifest: %d layers, at most %d are supported", n, maxLayers)
	}
	for i, l := range m.Layers {
		if err := CheckDescriptor(l); err != nil {
			return v1.Manifest{}, fmt.Errorf("parse manifest: layers[%d]: %w", i, err)
		}
	}
	return m.Manifest, nil
}

// ParseIndex reads a list of manifests: an index.json or an image index.
func ParseIndex(b []byte) (v1.Index, error) {
	var x struct {
		v1.Index
		Config json.RawMessage `json:"config"`
		Layers json.RawMessage `json:"layers"`
	}
	if err := decode("index", b, &x); err != nil {
		return v1.Index{}, err
	}
	if x.Config != nil || x.Layers != nil || x.MediaType != "" && !IsIndex(x.MediaType) {
		return v1.Index{}, fmt.Errorf("parse index: it is a manifest or of type %.100q, expected a list of manifests", x.MediaType)
	}
	for i, d := range x.Manifests {
		if err := CheckDescriptor(d); err != nil {
			return v1.Index{}, fmt.Errorf("parse index: manifests[%d]: %w", i, err)
		}
	}
	return x.Index, nil
}

func decode(what string, b []byte, into any) error {
	if len(b) > MaxJSON {
		return fmt.Errorf("parse %s: %d bytes, at most %d are read", what, len(b), MaxJSON)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("parse %s: %w", what, err)
	}
	return nil
}
