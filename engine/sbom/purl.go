package sbom

import (
	"net/url"
	"slices"
	"strings"
)

// purl is a package's URL (purl-spec): pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS.
func purl(p Package, d Distro) string {
	var b strings.Builder
	b.WriteString("pkg:" + p.Type)
	namespace, name, version := p.Namespace, p.Name, p.Version
	qualifiers := map[string]string{}
	switch p.Type {
	case Deb, Apk, RPM:
		qualifiers["arch"] = p.Arch
		if d.ID != "" && d.VersionID != "" {
			qualifiers["distro"] = d.ID + "-" + d.VersionID
		}
		qualifiers["upstream"] = upstream(p)
		if epoch, rest, ok := strings.Cut(version, ":"); ok && p.Type == RPM {
			qualifiers["epoch"], version = epoch, rest
		}
		if p.Type != RPM {
			name = strings.ToLower(name)
		}
	case Golang:
		namespace, name, _ = cutLast(name, "/")
		if name == "" {
			namespace, name = "", namespace
		}
	case PyPI:
		name = NormalPyPI(name)
	}
	for part := range strings.SplitSeq(namespace, "/") {
		if part != "" {
			b.WriteString("/" + percent(part))
		}
	}
	b.WriteString("/" + percent(name))
	if version != "" {
		b.WriteString("@" + percent(version))
	}
	writeQualifiers(&b, qualifiers)
	return b.String()
}

// upstream is the source package, as syft and the tools that read its lists have it.
func upstream(p Package) string {
	if p.Source == "" || p.Source == p.Name || p.SourceVersion == "" {
		return p.Source
	}
	return p.Source + "@" + p.SourceVersion
}

func writeQualifiers(b *strings.Builder, q map[string]string) {
	keys := make([]string, 0, len(q))
	for k, v := range q {
		if v != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for i, k := range keys {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(k + "=" + percent(q[k]))
	}
}

// percent encodes what may not stand as it is in a part of a package URL; the colon may.
func percent(s string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	return strings.NewReplacer("%3A", ":", "%7E", "~").Replace(s)
}
