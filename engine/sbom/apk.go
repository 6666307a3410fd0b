package sbom

// apk reads Alpine's list of installed packages: paragraphs of one-letter fields.
func (c *collector) apk(f File) []Package {
	data, ok := c.text(f, maxText)
	if !ok {
		return nil
	}
	var list []Package
	stanzas(data, set("P", "V", "A", "L", "o", "m"), func(s stanza) {
		p := Package{Type: Apk, Namespace: c.found.Distro.ID, Name: s.fields["P"], Version: s.fields["V"], Arch: s.fields["A"],
			Supplier: s.fields["m"], Path: f.Path, Layer: f.Layer}
		if p.Name == "" || p.Version == "" {
			c.warn(f.Path, s.line, "the package %.40q has no name (P:) or no version (V:)", p.Name)
			return
		}
		if o := s.fields["o"]; o != p.Name {
			p.Source = o
		}
		if l := s.fields["L"]; l != "" && len(l) <= maxField {
			p.Licenses = []string{l}
		}
		list = append(list, p)
	}, func(line int, text string) { c.warn(f.Path, line, "%s", text) })
	return list
}
