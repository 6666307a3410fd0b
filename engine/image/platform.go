package image

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// otherNames are what people and other systems call the architectures (Go's names, as the image-spec has them).
var otherNames = map[string]string{"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386", "armhf": "arm/v7", "armel": "arm/v6"}

// platformLetters may stand in a platform as a user writes it; those of other scripts have no place in one, and grow or shrink when they are made small.
const platformLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/"

// ParsePlatform reads "os/architecture[/variant]"; empty means this machine's.
func ParsePlatform(s string) (v1.Platform, error) {
	if s == "" {
		s = "linux/" + oci.Architecture()
	}
	parts := strings.Split(s, "/")
	if len(parts) == 2 {
		parts = append(parts, "")
	}
	var p v1.Platform
	if len(parts) == 3 {
		p = normalPlatform(v1.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]})
	}
	if len(parts) != 3 || p.OS == "" || p.Architecture == "" || strings.HasSuffix(s, "/") || len(platformText(p)) > 100 || strings.Trim(s, platformLetters) != "" {
		return v1.Platform{}, fmt.Errorf("platform %.100q: expected os/architecture or os/architecture/variant, such as linux/arm64", s)
	}
	return p, nil
}

// normalPlatform says the same in one way: arm64 is v8 anyway, arm alone means v7, amd64 alone v1.
func normalPlatform(p v1.Platform) v1.Platform {
	p.OS, p.Architecture, p.Variant = strings.ToLower(p.OS), strings.ToLower(p.Architecture), strings.ToLower(p.Variant)
	if other, ok := otherNames[p.Architecture]; ok {
		arch, variant, _ := strings.Cut(other, "/")
		p.Architecture = arch
		if p.Variant == "" {
			p.Variant = variant
		}
	}
	if p.Variant != "" && p.Variant[0] >= '0' && p.Variant[0] <= '9' {
		p.Variant = "v" + p.Variant
	}
	switch {
	case p.Architecture == "arm64" && p.Variant == "v8", p.Architecture == "amd64" && p.Variant == "v1":
		p.Variant = ""
	case p.Architecture == "arm" && p.Variant == "":
		p.Variant = "v7"
	}
	return v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}
}

func platformText(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// runnable are the platforms whose programs a machine of platform p runs, the best first, as docker has it.
func runnable(p v1.Platform) []v1.Platform {
	list := []v1.Platform{p}
	older := func(arch string, from int) {
		for v := from; v >= 1; v-- {
			list = append(list, normalPlatform(v1.Platform{OS: p.OS, Architecture: arch, Variant: "v" + strconv.Itoa(v)}))
		}
	}
	level, err := strconv.Atoi(strings.TrimPrefix(p.Variant, "v"))
	if err != nil || level < 1 || level > 9 {
		level = 0
	}
	switch p.Architecture {
	case "amd64":
		older("amd64", level-1)
		list = append(list, v1.Platform{OS: p.OS, Architecture: "386"})
	case "arm":
		older("arm", level-1)
	case "arm64":
		older("arm64", level-1)
		older("arm", 8)
	}
	return list
}

// ChoosePlatform finds the manifest for platform want in a list of manifests. One without a platform is taken if there is nothing else.
func ChoosePlatform(manifests []v1.Descriptor, want v1.Platform) (v1.Descriptor, error) {
	known := func(d v1.Descriptor) bool { return oci.IsManifest(d.MediaType) || oci.IsIndex(d.MediaType) }
	for _, p := range runnable(want) {
		i := slices.IndexFunc(manifests, func(d v1.Descriptor) bool {
			return known(d) && d.Platform != nil && !isAttestation(d) && platformText(normalPlatform(*d.Platform)) == platformText(p)
		})
		if i >= 0 {
			return manifests[i], nil
		}
	}
	var have []string
	for _, d := range manifests {
		switch {
		case !known(d) || isAttestation(d):
		case d.Platform == nil:
			return d, nil
		case len(have) < 20:
			have = append(have, fmt.Sprintf("%.60s", platformText(*d.Platform)))
		}
	}
	if have == nil {
		return v1.Descriptor{}, fmt.Errorf("the list of manifests names no image")
	}
	return v1.Descriptor{}, fmt.Errorf("no matching manifest for %s in the manifest list entries: it has %s; choose one of these with --platform", platformText(want), strings.Join(have, ", "))
}

// Fits reports that img is for platform, or for one whose programs run there too.
func Fits(img Image, platform string) (bool, error) {
	want, err := ParsePlatform(platform)
	if err != nil {
		return false, err
	}
	c := img.Config
	if c.Architecture == "" {
		return true, nil
	}
	have := platformText(normalPlatform(v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}))
	return slices.ContainsFunc(runnable(want), func(p v1.Platform) bool { return platformText(p) == have }), nil
}

// PlatformError reports an image that is here, but for another platform than the one asked for, in docker's words.
type PlatformError struct{ Name, Have, Want string }

func (e *PlatformError) Error() string {
	return fmt.Sprintf("image with reference %s was found but its platform (%s) does not match the specified platform (%s)", e.Name, e.Have, e.Want)
}

// FitsPlatform tells whether an image is for the platform, "os/architecture[/variant]" or "os" alone, and how that is written in full.
func FitsPlatform(config oci.Image, platform string) (fits bool, want string, err error) {
	if !strings.Contains(platform, "/") && platform != "" {
		platform += "/" + oci.Architecture()
	}
	p, err := ParsePlatform(platform)
	if err != nil {
		return false, "", err
	}
	have := normalPlatform(v1.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant})
	return platformText(have) == platformText(p), platformText(p), nil
}
