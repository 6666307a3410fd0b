package depot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	maxDepth       = 8       // of indexes within indexes
	maxDescriptors = 100_000 // in one manifest
)

// Needs is what a manifest says of other content.
type Needs struct {
	Blobs        []v1.Descriptor // config and layers, but none that may not be distributed
	Manifests    []v1.Descriptor
	Subject      digest.Digest // empty if it has none
	ArtifactType string        // empty if it names none
	Annotations  map[string]string
}

// document has the fields of both kinds of manifest, to tell bytes that are both.
type document struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *v1.Descriptor    `json:"config"`
	Layers        *[]v1.Descriptor  `json:"layers"`
	Manifests     *[]v1.Descriptor  `json:"manifests"`
	FSLayers      json.RawMessage   `json:"fsLayers"`
	Subject       *v1.Descriptor    `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

// Parse reads a manifest or an index of the media type that its sender says, and refuses what readers could understand in two ways.
func Parse(mediaType string, data []byte) (Needs, error) {
	isIndex := oci.IsIndex(mediaType)
	if !isIndex && !oci.IsManifest(mediaType) {
		return Needs{}, fmt.Errorf("media type is %.100q: expected that of an image's manifest or of an index, OCI's or docker's (schema 2)", mediaType)
	}
	var doc document
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); err != nil {
		return Needs{}, fmt.Errorf("it is no manifest: %w", err)
	}
	if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return Needs{}, fmt.Errorf("%d bytes follow the end of the manifest", len(rest))
	}
	if err := doc.check(mediaType, isIndex); err != nil {
		return Needs{}, err
	}
	return doc.needs(isIndex), nil
}

func (doc *document) check(mediaType string, isIndex bool) error {
	switch {
	case doc.SchemaVersion != 2:
		return fmt.Errorf("schemaVersion is %d, expected 2", doc.SchemaVersion)
	case doc.MediaType != "" && doc.MediaType != mediaType:
		return fmt.Errorf("mediaType in it is %.100q, but Content-Type says %.100q", doc.MediaType, mediaType)
	case doc.Manifests != nil && (doc.Layers != nil || doc.Config != nil):
		return fmt.Errorf("it has layers or config as an image has, and manifests as an index: it can't be both")
	case doc.FSLayers != nil:
		return fmt.Errorf("it has fsLayers: docker's schema 1 is not taken")
	case isIndex && (doc.Layers != nil || doc.Config != nil), isIndex && doc.Manifests == nil:
		return fmt.Errorf("an index has manifests, and this has none")
	case !isIndex && (doc.Manifests != nil || doc.Config == nil):
		return fmt.Errorf("a manifest has a config, and this has none")
	}
	return doc.checkDescriptors()
}

func (doc *document) checkDescriptors() error {
	all := map[string][]v1.Descriptor{}
	if doc.Config != nil {
		all["config"] = []v1.Descriptor{*doc.Config}
	}
	if doc.Subject != nil {
		all["subject"] = []v1.Descriptor{*doc.Subject}
	}
	if doc.Layers != nil {
		all["layers"] = *doc.Layers
	}
	if doc.Manifests != nil {
		all["manifests"] = *doc.Manifests
	}
	for name, list := range all {
		if len(list) > maxDescriptors {
			return fmt.Errorf("%s has %d entries, at most %d are taken", name, len(list), maxDescriptors)
		}
		for i, d := range list {
			if err := CheckDigest(d.Digest); err != nil {
				return fmt.Errorf("%s[%d]: %w", name, i, err)
			}
			if d.Size < 0 {
				return fmt.Errorf("%s[%d]: size is %d, expected 0 or more", name, i, d.Size)
			}
		}
	}
	return nil
}

func (doc *document) needs(isIndex bool) Needs {
	n := Needs{ArtifactType: doc.ArtifactType, Annotations: doc.Annotations}
	if doc.Subject != nil {
		n.Subject = doc.Subject.Digest
	}
	if isIndex {
		n.Manifests = *doc.Manifests
		return n
	}
	n.Blobs = append(n.Blobs, *doc.Config)
	if n.ArtifactType == "" { // distribution-spec, "Listing Referrers"
		n.ArtifactType = doc.Config.MediaType
	}
	if doc.Layers == nil {
		return n
	}
	for _, l := range *doc.Layers {
		if !elsewhere(l) {
			n.Blobs = append(n.Blobs, l)
		}
	}
	return n
}

// elsewhere reports a layer that may not be distributed, so that a registry need not have it (image-spec, "Non-Distributable Layers").
func elsewhere(d v1.Descriptor) bool {
	return d.MediaType == oci.DockerForeignLayer || strings.HasPrefix(d.MediaType, "application/vnd.oci.image.layer.nondistributable.")
}
