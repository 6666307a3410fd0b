package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// MediaTypeSPDX is that of WriteSPDX's documents.
const MediaTypeSPDX = "application/spdx+json"

// The parts of an SPDX 2.3 document that are written.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Extracted     []spdxExtracted    `json:"hasExtractedLicensingInfos,omitempty"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		Name      string         `json:"name"`
		ID        string         `json:"SPDXID"`
		Version   string         `json:"versionInfo,omitempty"`
		Supplier  string         `json:"supplier,omitempty"`
		Download  string         `json:"downloadLocation"`
		Analyzed  bool           `json:"filesAnalyzed"`
		Checksums []spdxChecksum `json:"checksums,omitempty"`
		Source    string         `json:"sourceInfo,omitempty"`
		Concluded string         `json:"licenseConcluded"`
		Declared  string         `json:"licenseDeclared"`
		Copyright string         `json:"copyrightText"`
		Refs      []spdxRef      `json:"externalRefs,omitempty"`
		Purpose   string         `json:"primaryPackagePurpose,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxExtracted struct {
		ID   string `json:"licenseId"`
		Text string `json:"extractedText"`
		Name string `json:"name"`
	}
	spdxRelationship struct {
		From string `json:"spdxElementId"`
		To   string `json:"relatedSpdxElement"`
		Type string `json:"relationshipType"`
	}
)

const (
	noAssertion  = "NOASSERTION"
	spdxRoot     = "SPDXRef-DOCUMENT"
	spdxImage    = "SPDXRef-image"
	spdxNameBase = "https://spdx.org/spdxdocs/"
)

// WriteSPDX writes inv as an SPDX 2.3 document in JSON. The same arguments give the same bytes.
func WriteSPDX(w io.Writer, s Subject, inv Inventory) error {
	names := map[string]string{}
	image := spdxPackage{Name: s.Name, ID: spdxImage, Version: s.Digest, Download: noAssertion, Concluded: noAssertion, Declared: noAssertion, Copyright: noAssertion,
		Purpose: "CONTAINER"}
	if hash, ok := strings.CutPrefix(s.Digest, "sha256:"); ok {
		image.Checksums = []spdxChecksum{{"SHA256", hash}}
		image.Refs = []spdxRef{{"PACKAGE-MANAGER", "purl", s.purl()}}
	}
	d := spdxDocument{Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: spdxRoot, Name: s.Name,
		Namespace: spdxNameBase + percent(lastName(s.Name)) + "-" + s.serial("spdx", inv),
		Creation:  spdxCreation{stamp(s.Created), []string{strings.TrimSuffix("Tool: learn-"+s.Tool, "-")}},
		Packages:  []spdxPackage{image}, Relationships: []spdxRelationship{{spdxRoot, spdxImage, "DESCRIBES"}}}
	for _, g := range grouped(inv.Packages) {
		p := spdxOf(g, s, names)
		d.Packages = append(d.Packages, p)
		d.Relationships = append(d.Relationships, spdxRelationship{spdxImage, p.ID, "CONTAINS"})
	}
	if o := inv.Distro; o.ID != "" {
		d.Packages = append(d.Packages, spdxPackage{Name: o.ID, ID: "SPDXRef-os", Version: o.VersionID, Download: noAssertion, Concluded: noAssertion,
			Declared: noAssertion, Copyright: noAssertion, Purpose: "OPERATING-SYSTEM"})
		d.Relationships = append(d.Relationships, spdxRelationship{spdxImage, "SPDXRef-os", "CONTAINS"})
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		d.Extracted = append(d.Extracted, spdxExtracted{id, names[id], names[id]})
	}
	return encode(w, d)
}

func spdxOf(g group, s Subject, names map[string]string) spdxPackage {
	sum := sha256.Sum256([]byte(g.PURL))
	p := spdxPackage{Name: g.FullName(), ID: "SPDXRef-" + g.Type + "-" + hex.EncodeToString(sum[:8]), Version: g.Version, Download: noAssertion,
		Concluded: noAssertion, Declared: spdxLicense(g.all, names), Copyright: noAssertion, Refs: []spdxRef{{"PACKAGE-MANAGER", "purl", g.PURL}}}
	if g.Supplier != "" {
		p.Supplier = "Organization: " + printable(g.Supplier)
	}
	var places []string
	for _, one := range g.all {
		places = append(places, fmt.Sprintf("/%s in layer %s", one.Path, s.layer(one.Layer)))
	}
	slices.Sort(places)
	p.Source = "acquired from " + strings.Join(slices.Compact(places), ", ")
	return p
}

// spdxLicense makes one expression of all; what is no identifier of SPDX's list becomes a reference, whose text is put into names.
func spdxLicense(list []Package, names map[string]string) string {
	known, others := declared(list)
	var parts []string
	for _, l := range known {
		if strings.Contains(l, " ") {
			l = "(" + l + ")"
		}
		parts = append(parts, l)
	}
	for _, l := range others {
		sum := sha256.Sum256([]byte(l))
		id := "LicenseRef-" + hex.EncodeToString(sum[:6])
		names[id] = printable(l)
		parts = append(parts, id)
	}
	switch len(parts) {
	case 0:
		return noAssertion
	case 1:
		return parts[0]
	}
	return strings.Join(parts, " AND ")
}
