package sbom

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// dpkg reads dpkg's list of packages (deb822). Packages of which only the configuration is left are none.
func (c *collector) dpkg(f File) []Package {
	data, ok := c.text(f, maxText)
	if !ok {
		return nil
	}
	var list []Package
	stanzas(data, set("Package", "Status", "Version", "Architecture", "Source", "Maintainer"), func(s stanza) {
		if p, ok := c.debPackage(f, s); ok {
			list = append(list, p)
		}
	}, func(line int, text string) { c.warn(f.Path, line, "%s", text) })
	return list
}

func (c *collector) debPackage(f File, s stanza) (Package, bool) {
	if status, has := s.fields["Status"]; has && !isInstalled(status) {
		return Package{}, false
	}
	p := Package{Type: Deb, Namespace: c.found.Distro.ID, Name: s.fields["Package"], Version: s.fields["Version"], Arch: s.fields["Architecture"],
		Supplier: s.fields["Maintainer"], Path: f.Path, Layer: f.Layer}
	if p.Name == "" || p.Version == "" {
		c.warn(f.Path, s.line, "the package %.40q has no Package or no Version", p.Name)
		return Package{}, false
	}
	p.Source, p.SourceVersion = debSource(s.fields["Source"], p)
	p.Licenses = c.licenses[p.Name]
	return p, true
}

// isInstalled: the last word of Status is the state; in all but two of them the package's files are there (dpkg(1)).
func isInstalled(status string) bool {
	words := strings.Fields(status)
	return len(words) > 0 && words[len(words)-1] != "not-installed" && words[len(words)-1] != "config-files"
}

// debSource reads "NAME" or "NAME (VERSION)"; what is as the binary package has it is empty.
func debSource(field string, p Package) (name, version string) {
	name, rest, _ := strings.Cut(field, " (")
	name, version = strings.TrimSpace(name), strings.TrimSuffix(rest, ")")
	if name == p.Name {
		name = ""
	}
	if version == p.Version {
		version = ""
	}
	return name, version
}

// debFile reads a file of status.d, which has one package.
func (c *collector) debFile(f File) {
	for _, p := range c.dpkg(f) {
		c.add(p, 0)
	}
}

// copyright reads the licenses of a package where its file is machine-readable (DEP-5).
func (c *collector) copyright(f File) {
	data, ok := c.text(f, maxSmall)
	if !ok {
		return
	}
	first, _, _ := bytes.Cut(data, []byte("\n"))
	if !bytes.HasPrefix(first, []byte("Format")) || !bytes.Contains(first, []byte("copyright-format")) && !bytes.Contains(first, []byte("dep5")) {
		return
	}
	var list []string
	stanzas(data, set("License"), func(s stanza) {
		for name := range strings.SplitSeq(s.fields["License"], "\n") {
			if name = strings.TrimSpace(name); name != "" && len(name) <= maxField && len(list) < 100 && !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}, func(int, string) {})
	slices.Sort(list)
	c.licenses[path.Base(path.Dir(f.Path))] = list
}
