package sbom

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
)

// npmManifest is what is read of a package.json. What has another form than expected is left out.
type npmManifest struct {
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	License  json.RawMessage `json:"license"`
	Licenses json.RawMessage `json:"licenses"`
}

// npm reads the package.json of an installed package.
func (c *collector) npm(f File) {
	data, ok := c.text(f, maxSmall)
	if !ok {
		return
	}
	var m npmManifest
	if err := json.Unmarshal(data, &m); err != nil {
		c.warn(f.Path, lineOf(data, err), "%v", err)
		return
	}
	if m.Name == "" || m.Version == "" {
		return // a folder with a package.json of its own inside a package
	}
	p := npmNamed(m.Name, m.Version)
	p.Path, p.Layer, p.Licenses = f.Path, f.Layer, m.licenses()
	c.add(p, 0)
}

func npmNamed(name, version string) Package {
	p := Package{Type: NPM, Name: name, Version: version}
	if scope, rest, ok := strings.Cut(name, "/"); ok && strings.HasPrefix(scope, "@") {
		p.Namespace, p.Name = scope, rest
	}
	return p
}

// licenses are "MIT", {"type": "MIT"} or a list of such.
func (m npmManifest) licenses() []string {
	var list []string
	for _, raw := range []json.RawMessage{m.License, m.Licenses} {
		var many []json.RawMessage
		if json.Unmarshal(raw, &many) != nil {
			many = []json.RawMessage{raw}
		}
		for _, one := range many {
			var name string
			var typed struct{ Type string }
			if json.Unmarshal(one, &name) != nil && json.Unmarshal(one, &typed) == nil {
				name = typed.Type
			}
			if name = printable(name); name != "" && len(name) <= maxField && len(list) < 20 {
				list = append(list, name)
			}
		}
	}
	return list
}

// lineOf is the line at which JSON is wrong, or 0.
func lineOf(data []byte, err error) int {
	offset := int64(0)
	switch e := err.(type) {
	case *json.SyntaxError:
		offset = e.Offset
	case *json.UnmarshalTypeError:
		offset = e.Offset
	}
	if offset <= 0 || offset > int64(len(data)) {
		return 0
	}
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}

// lockfile is a package-lock.json, whose packages count where npm did not install them.
type lockfile struct {
	file     File
	packages []Package
}

const maxNested = 100 // lists of dependencies in one another, as old lock files have them

// npmLockFile has packages by their places in versions 2 and 3, and nested lists by name in version 1.
type npmLockFile struct {
	Packages     map[string]npmLocked `json:"packages"`
	Dependencies map[string]npmLocked `json:"dependencies"`
}

type npmLocked struct {
	Name         string          `json:"name"`
	Version      string          `json:"version"`
	License      json.RawMessage `json:"license"`
	Link         bool            `json:"link"`
	Dependencies json.RawMessage `json:"dependencies"` // of version 1: lists; else ranges by name
}

func (c *collector) readLock(f File) {
	data, ok := c.text(f, maxText)
	if !ok {
		return
	}
	var l npmLockFile
	if err := json.Unmarshal(data, &l); err != nil {
		c.warn(f.Path, lineOf(data, err), "%v", err)
		return
	}
	lock := lockfile{file: f}
	add := func(name string, e npmLocked) {
		if name != "" && e.Version != "" && !e.Link && len(lock.packages) < maxPackages {
			p := npmNamed(name, e.Version)
			p.Licenses = npmManifest{License: e.License}.licenses()
			lock.packages = append(lock.packages, p)
		}
	}
	for place, e := range l.Packages {
		if _, name, ok := cutLast(place, "node_modules/"); ok && e.Name == "" {
			add(name, e)
		} else if ok {
			add(e.Name, e)
		}
	}
	if len(l.Packages) == 0 {
		lockedBefore(l.Dependencies, add, maxNested)
	}
	c.locks = append(c.locks, lock)
}

// lockedBefore reads the lists of version 1.
func lockedBefore(list map[string]npmLocked, add func(string, npmLocked), depth int) {
	for name, e := range list {
		add(name, e)
		var below map[string]npmLocked
		if depth > 0 && len(e.Dependencies) > 0 && json.Unmarshal(e.Dependencies, &below) == nil {
			lockedBefore(below, add, depth-1)
		}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// lockfiles adds the packages that stand in a lock file and are not installed beside it.
func (c *collector) lockfiles() {
	for _, l := range c.locks {
		root := path.Join(path.Dir(l.file.Path), "node_modules") + "/"
		installed := slices.ContainsFunc(c.found.Packages, func(p Package) bool { return p.Type == NPM && strings.HasPrefix(p.Path, root) })
		for _, p := range l.packages {
			if installed {
				break // what is there counts more than what was to be there
			}
			p.Path, p.Layer = l.file.Path, l.file.Layer
			c.add(p, 0)
		}
	}
	c.locks = nil
}
