package sbom

import (
	"debug/buildinfo"
	"runtime/debug"
	"strings"
)

const maxModules = 20_000 // of one program

// program lists what a Go program was linked of: its own module, those that it needs, and the standard library.
func (c *collector) program(f File) {
	add := func(name, version string) {
		c.add(Package{Type: Golang, Name: name, Version: version, Path: f.Path, Layer: f.Layer}, 0)
	}
	if v, _, _ := strings.Cut(f.Program.GoVersion, " "); strings.HasPrefix(v, "go") {
		add("stdlib", strings.TrimPrefix(v, "go"))
	}
	if m := f.Program.Main; m.Path != "" {
		add(m.Path, m.Version)
	}
	for i, m := range f.Program.Deps {
		if i == maxModules {
			c.warn(f.Path, 0, "it has more than %d modules", maxModules)
			break
		}
		for m != nil && m.Replace != nil {
			m = m.Replace
		}
		if m != nil && !strings.HasPrefix(m.Path, ".") && !strings.HasPrefix(m.Path, "/") {
			add(m.Path, m.Version)
		}
	}
}

// IsProgram tells by the first bytes of a file whether it can be a program that the Go tool made.
func IsProgram(head []byte) bool {
	for _, magic := range []string{"\x7fELF", "MZ", "\xfe\xed\xfa", "\xcf\xfa\xed\xfe", "\xce\xfa\xed\xfe", "\xca\xfe\xba\xbe", "\x01\xdf", "\x01\xf7", "\x00asm"} {
		if strings.HasPrefix(string(head), magic) {
			return true
		}
	}
	return false
}

// BuildInfo is what the Go tool wrote into a program; nil if r is none of its.
func BuildInfo(r interface {
	ReadAt(p []byte, off int64) (int, error)
}) *debug.BuildInfo {
	info, err := buildinfo.Read(r)
	if err != nil {
		return nil
	}
	return info
}
