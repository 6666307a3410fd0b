package dockerfile

import (
	"fmt"
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/oci"
)

// Platform is what an image is for, in the words that containerd normalises to: arm64 rather than aarch64. The zero value is none.
type Platform struct {
	OS, OSVersion, Architecture, Variant string
}

// ParsePlatform reads OS, ARCH, OS/ARCH or OS/ARCH/VARIANT, where OS may carry its version in parentheses. What is left out is that of
// this machine's containers.
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) > 3 {
		return Platform{}, fmt.Errorf("%q: cannot parse platform specifier: expected OS/ARCH or OS/ARCH/VARIANT, as in linux/arm64", s)
	}
	name, version, ok := cutVersion(parts[0])
	if !ok || !isPlatformWord(name) || !isPlatformWord(version) && version != "" {
		return Platform{}, fmt.Errorf("%q is an invalid OS component of %q: letters, digits, - and _ only, as in linux/arm64", parts[0], s)
	}
	for _, part := range parts[1:] {
		if !isPlatformWord(part) {
			return Platform{}, fmt.Errorf("%q is an invalid component of %q: letters, digits, ., - and _ only, as in linux/arm64", part, s)
		}
	}
	p := Platform{OS: normalOS(name), OSVersion: version}
	switch {
	case len(parts) == 3:
		p.Architecture, p.Variant = normalArch(parts[1], parts[2])
		if p.Architecture == "arm64" && p.Variant == "" {
			p.Variant = "v8" // kept where it was said: it is what the arguments hold
		}
		return p, nil
	case len(parts) == 2:
		p.Architecture, p.Variant = normalArch(parts[1], "")
	case strings.Contains(knownSystems, " "+p.OS+" "):
		p.Architecture = oci.Architecture()
		return p, nil
	default:
		p = Platform{OS: "linux"}
		if p.Architecture, p.Variant = normalArch(s, ""); !strings.Contains(knownArchitectures, " "+p.Architecture+" ") {
			return Platform{}, fmt.Errorf("%q: unknown operating system or architecture: expected OS/ARCH, as in linux/arm64", s)
		}
	}
	if p.Architecture == "arm" && p.Variant == "v7" {
		p.Variant = ""
	}
	return p, nil
}

const (
	knownSystems       = " aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos "
	knownArchitectures = " 386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm "
)

// cutVersion splits windows(10.0.17763).
func cutVersion(s string) (name, version string, ok bool) {
	name, rest, has := strings.Cut(s, "(")
	if !has {
		return s, "", true
	}
	version, ok = strings.CutSuffix(rest, ")")
	return name, version, ok
}

func isPlatformWord(s string) bool {
	for _, c := range s {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return s != ""
}

func normalOS(s string) string {
	s = strings.ToLower(s)
	if s == "macos" {
		return "darwin"
	}
	return s
}

func normalArch(arch, variant string) (string, string) {
	arch, variant = strings.ToLower(arch), strings.ToLower(variant)
	switch arch {
	case "i386":
		return "386", ""
	case "x86_64", "x86-64", "amd64":
		return "amd64", without(variant, "v1")
	case "aarch64", "arm64":
		return "arm64", without(variant, "8", "v8")
	case "armhf":
		return "arm", "v7"
	case "armel":
		return "arm", "v6"
	case "arm":
		switch variant {
		case "", "7":
			return arch, "v7"
		case "5", "6", "8":
			return arch, "v" + variant
		}
	}
	return arch, variant
}

func without(s string, defaults ...string) string {
	for _, d := range defaults {
		if s == d {
			return ""
		}
	}
	return s
}

// String is OS/ARCH[/VARIANT], the OS with its version if it has one.
func (p Platform) String() string {
	if p.OS == "" {
		return "unknown"
	}
	os := p.OS
	if p.OSVersion != "" {
		os += "(" + p.OSVersion + ")"
	}
	return path.Join(os, p.Architecture, p.Variant)
}

// Normal is p with the variant that everybody means left out of arm64 and amd64, and said of arm: two platforms are the same if OS,
// Architecture and Variant of their normal forms are.
func (p Platform) Normal() Platform {
	p.OS = normalOS(p.OS)
	p.Architecture, p.Variant = normalArch(p.Architecture, p.Variant)
	return p
}

// Same tells whether images for p are images for other. Versions of the operating system do not count.
func (p Platform) Same(other Platform) bool {
	p, other = p.Normal(), other.Normal()
	return p.OS == other.OS && p.Architecture == other.Architecture && p.Variant == other.Variant
}
