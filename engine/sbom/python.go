package sbom

import (
	"bytes"
	"strings"
)

// python reads the metadata of an installed distribution (core metadata, PEP 566 and later): the headers before the first empty line.
func (c *collector) python(f File) {
	data, ok := c.text(f, maxSmall)
	if !ok {
		return
	}
	if head, _, cut := bytes.Cut(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), []byte("\n\n")); cut {
		data = head
	}
	p := Package{Type: PyPI, Path: f.Path, Layer: f.Layer}
	line := 0
	stanzas(data, set("Name", "Version", "License", "License-Expression", "Classifier", "Author"), func(s stanza) {
		if p.Name != "" {
			return
		}
		p.Name, p.Version, line = firstLine(s.fields["Name"]), firstLine(s.fields["Version"]), s.line
		p.Licenses = pythonLicenses(s)
		p.Supplier = firstLine(s.fields["Author"])
	}, func(int, string) {})
	if p.Name == "" || p.Version == "" {
		c.warn(f.Path, line, "it has no Name or no Version")
		return
	}
	c.add(p, line)
}

func pythonLicenses(s stanza) []string {
	if l := s.fields["License-Expression"]; l != "" {
		return []string{firstLine(l)}
	}
	if l := firstLine(s.fields["License"]); l != "" && l != "UNKNOWN" && len(l) <= 100 {
		return []string{l}
	}
	var list []string
	for c := range strings.SplitSeq(s.fields["Classifier"], "\n") {
		if rest, ok := strings.CutPrefix(c, "License :: "); ok && len(list) < 20 {
			list = append(list, strings.TrimPrefix(rest, "OSI Approved :: "))
		}
	}
	return list
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSpace(s)
}

// NormalPyPI is the name of a Python package as indexes compare it (PEP 503): lower-case, and one hyphen for what separates.
func NormalPyPI(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(name) {
		if r == '-' || r == '_' || r == '.' {
			gap = true
			continue
		}
		if gap {
			b.WriteByte('-')
		}
		gap = false
		b.WriteRune(r)
	}
	if gap {
		b.WriteByte('-')
	}
	return b.String()
}
