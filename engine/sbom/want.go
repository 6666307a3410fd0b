package sbom

import (
	"path"
	"strings"
)

// record is what a file of its own tells about a package.
type record int

const (
	none record = iota
	npmPackage
	npmLock
	pythonMetadata
	debCopyright
	debPart // a file of status.d, as images without a package manager have it
	listing // a database or os-release, wherever links lead to it
)

// Want says what is to be done with the content of a file.
type Want int

// What is done: nothing, keep the content, or look whether it is a Go program.
const (
	Skip Want = iota
	Keep
	Examine
)

// The sizes up to which files are read, in bytes.
const (
	maxRPM     = 1 << 30
	maxProgram = 1 << 30
	minProgram = 64 << 10 // no Go program is smaller
)

// Wanted says what Collect needs of a regular file with that path, permission bits and size.
func Wanted(p string, mode uint32, size int64) Want {
	limit := int64(0)
	switch recordOf(p) {
	case npmPackage, pythonMetadata, debCopyright, debPart:
		limit = maxSmall
	case npmLock:
		limit = maxText
	case listing:
		limit = maxText
		if strings.HasPrefix(path.Base(p), "rpmdb.sqlite") || strings.HasPrefix(path.Base(p), "Packages") {
			limit = maxRPM
		}
	}
	switch {
	case limit > 0 && size <= limit:
		return Keep
	case limit == 0 && mode&0o111 != 0 && size >= minProgram && size <= maxProgram:
		return Examine
	}
	return Skip
}

// recordOf tells by the path what a file is. The databases go by their last name alone, because folders may be links.
func recordOf(p string) record {
	dir, base := path.Split(p)
	dir = strings.TrimSuffix(dir, "/")
	switch base {
	case "status", "installed", "os-release", "rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages":
		return listing
	case "package.json":
		if isNodeModule(dir) {
			return npmPackage
		}
	case "package-lock.json", "npm-shrinkwrap.json":
		if !strings.Contains("/"+dir+"/", "/node_modules/") {
			return npmLock
		}
	case "METADATA":
		if strings.HasSuffix(dir, ".dist-info") {
			return pythonMetadata
		}
	case "PKG-INFO":
		if strings.HasSuffix(dir, ".egg-info") || strings.HasSuffix(dir, "EGG-INFO") {
			return pythonMetadata
		}
	case "copyright":
		if strings.HasPrefix(dir, "usr/share/doc/") {
			return debCopyright
		}
	}
	switch {
	case strings.HasSuffix(base, ".egg-info"):
		return pythonMetadata
	case dir == "var/lib/dpkg/status.d" && !strings.HasSuffix(base, ".md5sums"):
		return debPart
	}
	return none
}

// isNodeModule: the folder is one package in a node_modules folder.
func isNodeModule(dir string) bool {
	up, name := path.Split(dir)
	up = strings.TrimSuffix(up, "/")
	if strings.HasPrefix(path.Base(up), "@") {
		up = path.Dir(up)
	}
	return path.Base(up) == "node_modules" && name != "" && !strings.HasPrefix(name, ".")
}
