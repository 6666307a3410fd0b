package sbom

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
)

// memTree has for each path what each layer has there.
type memTree map[string][]File

func (m memTree) Versions(p string) []File { return m[p] }

func (m memTree) Files(visit func(File)) {
	paths := []string{}
	for p := range m {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		visit(m[p][len(m[p])-1])
	}
}

func (m memTree) put(layer int, path, content string) {
	m[path] = append(m[path], File{Path: path, Layer: layer, Size: int64(len(content)), Data: strings.NewReader(content)})
}

const debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID='12'\n# no\nHOME_URL=\"x\\$y\"\n"

const statusBelow = `Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9
Description: the library
 with: a line that looks like a field
`

const statusTop = statusBelow + `
Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libx
Status: install ok installed
Architecture: all
Source: x (1:2.0)
Version: 1:2.0+b1
Maintainer: X <x@example.org>
`

func lines(inv Inventory) []string {
	list := []string{}
	for _, p := range inv.Packages {
		list = append(list, fmt.Sprintf("%s %s %d %s", p.PURL, strings.Join(p.Licenses, ";"), p.Layer, p.Path))
	}
	return list
}

// whole is an image with a package of every kind.
func whole() memTree {
	m := memTree{}
	m.put(0, "etc/os-release", debian)
	m.put(0, "var/lib/dpkg/status", statusBelow)
	m.put(2, "var/lib/dpkg/status", statusTop)
	m.put(0, "usr/share/doc/libc6/copyright", "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n text\n\nLicense: LGPL-2.1\n")
	m.put(1, "lib/apk/db/installed", "C:Q1x\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\n\nP:musl-utils\nV:1.2.4-r2\nA:x86_64\nL:MIT AND BSD-2-Clause\no:musl\n")
	m.put(1, "app/node_modules/@a/b/package.json", `{"name":"@a/b","version":"1.0.0","license":{"type":"MIT"}}`)
	m.put(1, "app/node_modules/c/package.json", `{"name":"c","version":"2.0.0-rc.1","licenses":["ISC","Odd"]}`)
	m.put(1, "app/node_modules/c/lib/package.json", `{"name":"inner","version":"1"}`)
	m.put(1, "app/package-lock.json", `{"packages":{"node_modules/c":{"version":"9.9.9"}}}`)
	m.put(1, "other/package-lock.json", `{"packages":{"":{"version":"1"},"node_modules/d":{"version":"3.0.0","license":"MIT"},"node_modules/e":{"link":true}}}`)
	m.put(1, "old/package-lock.json", `{"dependencies":{"f":{"version":"1.1.1","dependencies":{"g":{"version":"2.2.2"}}}}}`)
	m.put(1, "usr/lib/python3/site-packages/Foo_Bar-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: Foo_Bar\nVersion: 1.5\nClassifier: License :: OSI Approved :: MIT License\n\nName: not-this\n")
	m["bin/tool"] = []File{{Path: "bin/tool", Layer: 2, Program: &buildinfo.BuildInfo{GoVersion: "go1.22.1 X:no", Main: debug.Module{Path: "example.org/tool", Version: "(devel)"},
		Deps: []*debug.Module{{Path: "golang.org/x/net", Version: "v0.1.0"}, {Path: "a.org/old", Version: "v1.0.0", Replace: &debug.Module{Path: "a.org/new", Version: "v1.2.0"}}, {Path: "local", Replace: &debug.Module{Path: "./local"}}}}}}
	return m
}

func TestCollect(t *testing.T) {
	inv := Collect(whole())
	want := []string{
		"pkg:npm/%40a/b@1.0.0 MIT 1 app/node_modules/@a/b/package.json",
		"pkg:pypi/foo-bar@1.5 MIT License 1 usr/lib/python3/site-packages/Foo_Bar-1.dist-info/METADATA",
		"pkg:golang/a.org/new@v1.2.0  2 bin/tool",
		"pkg:npm/c@2.0.0-rc.1 ISC;Odd 1 app/node_modules/c/package.json",
		"pkg:npm/d@3.0.0 MIT 1 other/package-lock.json",
		"pkg:golang/example.org/tool@%28devel%29  2 bin/tool",
		"pkg:npm/f@1.1.1  1 old/package-lock.json",
		"pkg:npm/g@2.2.2  1 old/package-lock.json",
		"pkg:golang/golang.org/x/net@v0.1.0  2 bin/tool",
		"pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc GPL-2+;LGPL-2.1 0 var/lib/dpkg/status",
		"pkg:deb/debian/libx@1:2.0%2Bb1?arch=all&distro=debian-12&upstream=x%401:2.0  2 var/lib/dpkg/status",
		"pkg:apk/debian/musl@1.2.4-r2?arch=x86_64&distro=debian-12 MIT 1 lib/apk/db/installed",
		"pkg:apk/debian/musl-utils@1.2.4-r2?arch=x86_64&distro=debian-12&upstream=musl MIT AND BSD-2-Clause 1 lib/apk/db/installed",
		"pkg:golang/stdlib@1.22.1  2 bin/tool",
	}
	slices.Sort(want)
	got := lines(inv)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if inv.Distro.ID != "debian" || inv.Distro.VersionID != "12" || len(inv.Warnings) > 0 {
		t.Errorf("%+v, %v", inv.Distro, inv.Warnings)
	}
	if diff := cmp.Diff([]Database{{Apk, "lib/apk/db/installed", 1, 2}, {Deb, "var/lib/dpkg/status", 2, 2}}, inv.Databases); diff != "" {
		t.Error(diff)
	}
}

// What is wrong in one record is said, with its place, and the others are read.
func TestWarnings(t *testing.T) {
	m := memTree{}
	m.put(0, "var/lib/dpkg/status", "Package: a\nVersion: 1\n\nnonsense\nPackage: b\n\nPackage: c\x01d\nVersion: 1\n\nPackage: e\nVersion: 2\n")
	m.put(0, "x/node_modules/y/package.json", "{\n\"name\": 7}")
	m.put(0, "p/z.egg-info", "Name: z\n")
	m.put(0, "var/lib/rpm/Packages", "no database")
	m["lib/apk/db/installed"] = []File{{Path: "lib/apk/db/installed", Size: 1 << 40}}
	inv := Collect(m)
	if n := len(inv.Packages); n != 2 {
		t.Errorf("packages %v", lines(inv))
	}
	var got []string
	for _, w := range inv.Warnings {
		got = append(got, w.String())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"/var/lib/dpkg/status:4: expected FIELD", `/var/lib/dpkg/status:5: the package "b"`, "control characters", "/x/node_modules/y/package.json:2: ",
		"/p/z.egg-info:1: it has no Name or no Version", "/var/lib/rpm/Packages: expected an rpm database", "/lib/apk/db/installed: it is larger"} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning with %q in\n%s", want, all)
		}
	}
}

var subject = Subject{Name: "reg.example.org:5000/team/shop:1", ID: "sha256:" + strings.Repeat("1", 64), Digest: "sha256:" + strings.Repeat("2", 64),
	Layers: []string{"sha256:a", "sha256:b", "sha256:c"}, Created: time.Unix(1700000000, 0)}

// What is written is what the types of the standard's own library read, and nothing that they don't know.
func TestCycloneDX(t *testing.T) {
	var out, again bytes.Buffer
	inv := Collect(whole())
	if err := WriteCycloneDX(&out, subject, inv); err != nil {
		t.Fatal(err)
	}
	_ = WriteCycloneDX(&again, subject, Collect(whole()))
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("the same image gives another document")
	}
	var b cdx.BOM
	dec := json.NewDecoder(bytes.NewReader(out.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if b.SpecVersion != cdx.SpecVersion1_6 || b.Metadata.Timestamp != "2023-11-14T22:13:20Z" || len(*b.Components) != len(inv.Packages)+1 {
		t.Errorf("%+v with %d components", b.Metadata, len(*b.Components))
	}
	i := slices.IndexFunc(*b.Components, func(c cdx.Component) bool { return c.Name == "libc6" })
	c := (*b.Components)[i]
	if (*c.Properties)[0].Value != "sha256:a" || (*c.Evidence.Occurrences)[0].Location != "/var/lib/dpkg/status" || len(*c.Licenses) != 2 {
		t.Errorf("%+v", c)
	}
	if b.Metadata.Component.PackageURL != "pkg:oci/shop@sha256:"+strings.Repeat("2", 64) {
		t.Error(b.Metadata.Component.PackageURL)
	}
}

func TestSPDX(t *testing.T) {
	var out bytes.Buffer
	if err := WriteSPDX(&out, subject, Collect(whole())); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"spdxVersion": "SPDX-2.3"`, `"licenseDeclared": "MIT AND BSD-2-Clause"`, `"licenseDeclared": "ISC AND LicenseRef-`, `"extractedText": "Odd"`,
		`"created": "2023-11-14T22:13:20Z"`, `"relationshipType": "DESCRIBES"`} {
		if !strings.Contains(strings.ReplaceAll(out.String(), "(MIT AND BSD-2-Clause)", "MIT AND BSD-2-Clause"), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}

func TestLicenseExpressions(t *testing.T) {
	for s, want := range map[string]bool{"MIT": true, "MIT OR Apache-2.0": true, "(MIT AND ISC) OR GPL-2.0-only WITH Classpath-exception-2.0": true,
		"GPL": false, "MIT AND": false, "": false, "(MIT": false, "MIT MIT": false, "MIT WITH": false, "MIT WITH MIT": false, strings.Repeat("(", 1000): false} {
		if isSPDX(s) != want {
			t.Errorf("%.40q: %v", s, !want)
		}
	}
}

func TestWanted(t *testing.T) {
	for _, tc := range []struct {
		path string
		mode uint32
		size int64
		want Want
	}{
		{"var/lib/dpkg/status", 0o644, 10, Keep}, {"var/lib/dpkg/status", 0o644, maxText + 1, Skip}, {"usr/lib/sysimage/rpm/rpmdb.sqlite", 0o644, 200 << 20, Keep},
		{"bin/tool", 0o755, 1 << 20, Examine}, {"bin/tool", 0o644, 1 << 20, Skip}, {"bin/true", 0o755, 100, Skip},
		{"a/package.json", 0o644, 10, Skip}, {"node_modules/.bin/package.json", 0o644, 10, Skip}, {"node_modules/@a/b/package.json", 0o644, 10, Keep},
		{"var/lib/dpkg/status.d/base", 0o644, 10, Keep}, {"var/lib/dpkg/status.d/base.md5sums", 0o644, 10, Skip},
	} {
		if got := Wanted(tc.path, tc.mode, tc.size); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.path, got, tc.want)
		}
	}
}

// fuzzed reads data as the file path and demands that what comes out can be written and read.
func fuzzed(f *testing.F, path string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := memTree{}
		m.put(0, path, s)
		inv := Collect(m)
		for _, p := range inv.Packages {
			if plausible(p) != nil || !strings.HasPrefix(p.PURL, "pkg:") {
				t.Errorf("%+v", p)
			}
		}
		var out bytes.Buffer
		if err := WriteCycloneDX(&out, subject, inv); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzDpkg(f *testing.F) {
	fuzzed(f, "var/lib/dpkg/status", statusTop, "Package: a\nVersion: 1\n\nx")
}
func FuzzApk(f *testing.F) { fuzzed(f, "lib/apk/db/installed", "P:musl\nV:1\nA:x\nL:MIT\no:m\n\n") }
func FuzzMetadata(f *testing.F) {
	fuzzed(f, "a.dist-info/METADATA", "Name: a\nVersion: 1\nLicense: x\n\nbody", "Name: a\r\nVersion: 1\r\n\r\n")
}
func FuzzPackageJSON(f *testing.F) {
	fuzzed(f, "node_modules/a/package.json", `{"name":"@a/b","version":"1","license":[{"type":"x"}]}`)
}
func FuzzPackageLock(f *testing.F) {
	fuzzed(f, "a/package-lock.json", `{"packages":{"node_modules/c":{"version":"9"}}}`, `{"dependencies":{"a":{"version":"1","dependencies":{"b":{}}}}}`)
}
func FuzzOSRelease(f *testing.F) { fuzzed(f, "etc/os-release", debian) }
func FuzzCopyright(f *testing.F) {
	fuzzed(f, "usr/share/doc/a/copyright", "Format: copyright-format\n\nLicense: x\n")
}
