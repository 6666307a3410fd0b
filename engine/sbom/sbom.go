// Package sbom finds out which packages are in an image by reading the records that package managers and compilers leave: the databases
// of dpkg, apk and rpm, the build information of Go programs, the metadata of npm and Python packages. It writes what it finds as
// CycloneDX or SPDX.
//
// It is pure: it reads files through a Tree, executes nothing, and asks neither network nor clock. Every file is hostile: sizes, counts
// and depths are bounded, and a record that makes no sense is a Warning with file and line, behind which the rest goes on.
//
// Paths are relative and clean, as in a layer: "var/lib/dpkg/status". Layers are numbers from 0, the lowest.
package sbom

import (
	"cmp"
	"debug/buildinfo"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The types of packages, which are those of package URLs.
const (
	Deb    = "deb"
	Apk    = "apk"
	RPM    = "rpm"
	Golang = "golang"
	NPM    = "npm"
	PyPI   = "pypi"
)

// Package is one package, as one record tells of it.
type Package struct {
	Type          string   `json:"type"`
	Namespace     string   `json:"namespace,omitempty"` // the distribution's id; "@scope" for npm
	Name          string   `json:"name"`
	Version       string   `json:"version"` // with epoch and release where the type has them
	Arch          string   `json:"arch,omitempty"`
	Source        string   `json:"source,omitempty"`         // the source package that it was built from, if it has another name
	SourceVersion string   `json:"source_version,omitempty"` // if it is another one
	Licenses      []string `json:"licenses,omitempty"`       // as the record says them
	Supplier      string   `json:"supplier,omitempty"`
	Path          string   `json:"path"`  // of the file that tells of it
	Layer         int      `json:"layer"` // that brought it
	PURL          string   `json:"purl"`
}

// FullName is the name with what distinguishes it in its own world: "@scope/name" for npm.
func (p Package) FullName() string {
	if p.Type == NPM && p.Namespace != "" {
		return p.Namespace + "/" + p.Name
	}
	return p.Name
}

// Distro is the distribution that the image says it is, from os-release. The zero Distro: it doesn't say.
type Distro struct {
	ID        string `json:"id"`         // "debian"
	VersionID string `json:"version_id"` // "12"
	Name      string `json:"name"`       // "Debian GNU/Linux 12 (bookworm)"
	Like      string `json:"like,omitempty"`
	CPE       string `json:"cpe,omitempty"`
}

// Database is a record of several packages that was read.
type Database struct {
	Type     string `json:"type"`
	Path     string `json:"path"`
	Layer    int    `json:"layer"` // that wrote it last
	Packages int    `json:"packages"`
}

// Warning is what could not be read.
type Warning struct {
	Path string `json:"path"`
	Line int    `json:"line,omitempty"` // from 1; 0 where a file has no lines
	Text string `json:"text"`
}

func (w Warning) String() string {
	if w.Line > 0 {
		return fmt.Sprintf("/%s:%d: %s", w.Path, w.Line, w.Text)
	}
	return fmt.Sprintf("/%s: %s", w.Path, w.Text)
}

// Inventory is what was found. Its lists are sorted, so that the same image gives the same.
type Inventory struct {
	Distro    Distro     `json:"distro"`
	Databases []Database `json:"databases"`
	Packages  []Package  `json:"packages"`
	Warnings  []Warning  `json:"warnings,omitempty"`
}

// File is a regular file of the image, as one layer has it.
type File struct {
	Path    string
	Layer   int
	Size    int64                // of what Data has
	Data    io.ReaderAt          // nil if the file is larger than is read
	Program *buildinfo.BuildInfo // of a Go program; then there is no Data
}

// Tree is an image's files, as far as Wanted asks for them.
type Tree interface {
	// Files calls visit for every file that a container sees, sorted by path, each once.
	Files(visit func(File))
	// Versions are what the image has at path after each layer that changed it, lowest first, links followed inside the image; none if
	// a container sees no file there.
	Versions(path string) []File
}

// The bounds.
const (
	maxPackages = 500_000
	maxWarnings = 200
	maxText     = 64 << 20 // bytes of a text that is read whole
	maxSmall    = 4 << 20  // bytes of the metadata of one package
	maxLine     = 1 << 20
	maxField    = 1024 // bytes of a name or a version
)

// Collect reads everything that t has.
func Collect(t Tree) Inventory {
	c := &collector{tree: t, licenses: map[string][]string{}}
	c.distro()
	c.files()
	c.databases()
	return c.finish()
}

// collector gathers an Inventory.
type collector struct {
	tree     Tree
	found    Inventory
	licenses map[string][]string // of dpkg's packages, by the folder of their copyright file
	locks    []lockfile
	dropped  int // packages above the bound
}

func (c *collector) warn(path string, line int, format string, args ...any) {
	if len(c.found.Warnings) < maxWarnings {
		c.found.Warnings = append(c.found.Warnings, Warning{path, line, fmt.Sprintf(format, args...)})
	}
}

// add takes a package over if its name and version can be such.
func (c *collector) add(p Package, line int) bool {
	if err := plausible(p); err != nil {
		c.warn(p.Path, line, "%v", err)
		return false
	}
	if len(c.found.Packages) >= maxPackages {
		c.dropped++
		return false
	}
	p.PURL = purl(p, c.found.Distro)
	c.found.Packages = append(c.found.Packages, p)
	return true
}

func plausible(p Package) error {
	switch {
	case p.Name == "":
		return fmt.Errorf("a %s package has no name", p.Type)
	case len(p.Name) > maxField || len(p.Version) > maxField:
		return fmt.Errorf("name or version of the %s package %.40q is longer than %d bytes", p.Type, p.Name, maxField)
	case strings.ContainsFunc(p.Name+p.Version+p.Arch, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		return fmt.Errorf("name or version of the %s package %.40q has control characters", p.Type, p.Name)
	}
	return nil
}

// files reads the metadata that each package has of its own.
func (c *collector) files() {
	c.tree.Files(func(f File) {
		switch kind := recordOf(f.Path); {
		case f.Program != nil:
			c.program(f)
		case kind == none:
		case f.Data == nil:
			c.warn(f.Path, 0, "it is larger than what is read of such a file")
		default:
			c.record(kind, f)
		}
	})
	c.lockfiles()
}

func (c *collector) record(kind record, f File) {
	switch kind {
	case npmPackage:
		c.npm(f)
	case npmLock:
		c.readLock(f)
	case pythonMetadata:
		c.python(f)
	case debCopyright:
		c.copyright(f)
	case debPart:
		c.debFile(f)
	}
}

// database is a kind of file that lists packages, and the places where it is looked for.
type database struct {
	kind  string
	paths []string
	read  func(c *collector, f File) []Package
}

func (c *collector) databases() {
	for _, d := range []database{
		{Deb, []string{"var/lib/dpkg/status"}, (*collector).dpkg},
		{Apk, []string{"lib/apk/db/installed", "usr/lib/apk/db/installed"}, (*collector).apk},
		{RPM, rpmPlaces(), (*collector).rpm},
	} {
		seen := map[[2]int64]bool{} // a database has several paths where a folder is a link
		for _, path := range d.paths {
			versions := c.tree.Versions(path)
			if len(versions) == 0 {
				continue
			}
			top := versions[len(versions)-1]
			if id := [2]int64{int64(top.Layer), top.Size}; !seen[id] {
				seen[id] = true
				c.database(d, versions)
			}
		}
	}
}

// database takes over the packages of the last version. A package was brought by the layer from which on the database has had it.
func (c *collector) database(d database, versions []File) {
	top := versions[len(versions)-1]
	if top.Data == nil {
		c.warn(top.Path, 0, "it is larger than what is read of such a file")
		return
	}
	list := d.read(c, top)
	since := brought(list, versions, func(f File) []Package {
		quiet := &collector{licenses: map[string][]string{}} // what is wrong with what nobody sees is no news
		return d.read(quiet, f)
	})
	n := 0
	for _, p := range list {
		p.Layer = since[identity(p)]
		if c.add(p, 0) {
			n++
		}
	}
	c.found.Databases = append(c.found.Databases, Database{d.kind, top.Path, top.Layer, n})
}

func identity(p Package) [3]string { return [3]string{p.Name, p.Arch, p.Version} }

// brought gives for each package the layer from which on every version of the database has it.
func brought(list []Package, versions []File, read func(File) []Package) map[[3]string]int {
	since := make(map[[3]string]int, len(list))
	for _, p := range list {
		since[identity(p)] = versions[len(versions)-1].Layer
	}
	open := make(map[[3]string]bool, len(list))
	for id := range since {
		open[id] = true
	}
	for _, f := range slices.Backward(versions[:len(versions)-1]) {
		if f.Data == nil || len(open) == 0 {
			break
		}
		still := make(map[[3]string]bool, len(open))
		for _, p := range read(f) {
			if id := identity(p); open[id] {
				since[id], still[id] = f.Layer, true
			}
		}
		open = still
	}
	return since
}

func (c *collector) finish() Inventory {
	x := &c.found
	if c.dropped > 0 {
		x.Warnings = append(x.Warnings, Warning{Text: fmt.Sprintf("%d packages are left out: at most %d are listed", c.dropped, maxPackages)})
	}
	slices.SortFunc(x.Packages, func(a, b Package) int {
		return cmp.Or(cmp.Compare(a.FullName(), b.FullName()), cmp.Compare(a.PURL, b.PURL), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Layer, b.Layer))
	})
	x.Packages = slices.CompactFunc(x.Packages, func(a, b Package) bool { return a.PURL == b.PURL && a.Path == b.Path })
	slices.SortFunc(x.Databases, func(a, b Database) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Path, b.Path)) })
	if x.Packages == nil {
		x.Packages = []Package{}
	}
	if x.Databases == nil {
		x.Databases = []Database{}
	}
	return *x
}

// text reads a file that is text, whole.
func (c *collector) text(f File, limit int64) ([]byte, bool) {
	if f.Size > limit {
		c.warn(f.Path, 0, "it has %d bytes, at most %d are read", f.Size, limit)
		return nil, false
	}
	data := make([]byte, f.Size)
	if _, err := f.Data.ReadAt(data, 0); err != nil && err != io.EOF {
		c.warn(f.Path, 0, "%v", err)
		return nil, false
	}
	return data, true
}

// Databases are the paths of which Collect asks for the versions.
func Databases() []string {
	list := []string{"etc/os-release", "usr/lib/os-release", "var/lib/dpkg/status", "lib/apk/db/installed", "usr/lib/apk/db/installed"}
	for _, p := range rpmPlaces() {
		list = append(list, p)
		if strings.HasSuffix(p, ".sqlite") {
			list = append(list, p+"-wal")
		}
	}
	return list
}
