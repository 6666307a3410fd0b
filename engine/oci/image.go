package oci

import (
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is an image's config: what it runs by default and which layers make its tree (image-spec, config.md), with the
// fields that docker adds. Its digest is the image's id.
type Image struct {
	Created      *time.Time   `json:"created,omitempty"`
	Author       string       `json:"author,omitempty"`
	Architecture string       `json:"architecture"`
	Variant      string       `json:"variant,omitempty"`
	OS           string       `json:"os"`
	OSVersion    string       `json:"os.version,omitempty"`
	OSFeatures   []string     `json:"os.features,omitempty"`
	Config       ImageConfig  `json:"config"`
	RootFS       v1.RootFS    `json:"rootfs"`
	History      []v1.History `json:"history,omitempty"`
}

// ImageConfig is what a container of the image gets unless told otherwise.
type ImageConfig struct {
	User         string              `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"` // "80/tcp"
	Env          []string            `json:",omitempty"` // KEY=value
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
	StopTimeout  *int                `json:",omitempty"` // seconds
	ArgsEscaped  bool                `json:",omitempty"` // Windows only; kept because it is part of the id
	Healthcheck  *HealthConfig       `json:",omitempty"`
	OnBuild      []string            `json:",omitempty"`
	Shell        []string            `json:",omitempty"`
}

// HealthConfig says how to find out whether a container is well. Durations are nanoseconds; zero means docker's default.
type HealthConfig struct {
	Test          []string      `json:",omitempty"` // {"NONE"}, {"CMD", args...} or {"CMD-SHELL", command}
	Interval      time.Duration `json:",omitempty"`
	Timeout       time.Duration `json:",omitempty"`
	StartPeriod   time.Duration `json:",omitempty"`
	StartInterval time.Duration `json:",omitempty"`
	Retries       int           `json:",omitempty"`
}

// maxLayers bounds what a config may list: more than any file system can stack, far less than memory holds.
const maxLayers = 4096

// ParseImage reads an image's config and checks that its layers are well-formed digests.
func ParseImage(b []byte) (Image, error) {
	var img Image
	if err := decode("image config", b, &img); err != nil {
		return Image{}, err
	}
	if t := img.RootFS.Type; t != "" && t != "layers" {
		return Image{}, fmt.Errorf("parse image config: rootfs type is %.40q, expected \"layers\"", t)
	}
	if n := len(img.RootFS.DiffIDs); n > maxLayers {
		return Image{}, fmt.Errorf("parse image config: %d layers, at most %d are supported", n, maxLayers)
	}
	for i, d := range img.RootFS.DiffIDs {
		if err := CheckDigest(d); err != nil {
			return Image{}, fmt.Errorf("parse image config: diff_ids[%d]: %w", i, err)
		}
	}
	return img, nil
}

// Encode is the config's bytes, as they are stored: the same config always gives the same bytes.
func (img Image) Encode() ([]byte, error) {
	if img.RootFS.Type == "" {
		img.RootFS.Type = "layers"
	}
	b, err := json.Marshal(img)
	if err != nil {
		return nil, fmt.Errorf("encode image config: %w", err)
	}
	return b, nil
}

// Architecture is the CPU architecture, in Go's names, of the programs that containers run on this machine: its own. Where Linux has
// no such architecture (WebAssembly) it is amd64, which nearly every image has.
func Architecture() string {
	if runtime.GOARCH == "wasm" {
		return "amd64"
	}
	return runtime.GOARCH
}
