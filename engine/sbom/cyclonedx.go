package sbom

import (
	"io"
	"slices"
	"strconv"
)

// MediaTypeCycloneDX is that of WriteCycloneDX's documents.
const MediaTypeCycloneDX = "application/vnd.cyclonedx+json"

// The parts of a CycloneDX 1.6 document that are written, in the order of its schema. The types of github.com/CycloneDX/cyclonedx-go are
// compared with them in the tests; they themselves would cost every start of a process what encoding/gob needs.
type (
	cdxBOM struct {
		Format       string          `json:"bomFormat"`
		Spec         string          `json:"specVersion"`
		Serial       string          `json:"serialNumber"`
		Version      int             `json:"version"`
		Metadata     cdxMetadata     `json:"metadata"`
		Components   []cdxComponent  `json:"components"`
		Dependencies []cdxDependency `json:"dependencies"`
	}
	cdxMetadata struct {
		Timestamp string       `json:"timestamp"`
		Tools     cdxTools     `json:"tools"`
		Component cdxComponent `json:"component"`
	}
	cdxTools struct {
		Components []cdxComponent `json:"components"`
	}
	cdxComponent struct {
		Ref        string        `json:"bom-ref,omitempty"`
		Type       string        `json:"type"`
		Supplier   *cdxSupplier  `json:"supplier,omitempty"`
		Group      string        `json:"group,omitempty"`
		Name       string        `json:"name"`
		Version    string        `json:"version,omitempty"`
		Licenses   []cdxLicense  `json:"licenses,omitempty"`
		CPE        string        `json:"cpe,omitempty"`
		PURL       string        `json:"purl,omitempty"`
		Evidence   *cdxEvidence  `json:"evidence,omitempty"`
		Properties []cdxProperty `json:"properties,omitempty"`
	}
	cdxSupplier struct {
		Name string `json:"name"`
	}
	cdxLicense struct {
		License    *cdxLicenseName `json:"license,omitempty"`
		Expression string          `json:"expression,omitempty"`
	}
	cdxLicenseName struct {
		ID   string `json:"id,omitempty"`
		Name string `json:"name,omitempty"`
	}
	cdxEvidence struct {
		Occurrences []cdxOccurrence `json:"occurrences"`
	}
	cdxOccurrence struct {
		Location string `json:"location"`
	}
	cdxProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	cdxDependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// WriteCycloneDX writes inv as a CycloneDX 1.6 document. The same arguments give the same bytes.
func WriteCycloneDX(w io.Writer, s Subject, inv Inventory) error {
	image := cdxComponent{Ref: "image", Type: "container", Name: s.Name, Version: s.Digest, PURL: s.purl(), Properties: []cdxProperty{{"learn:image:id", s.ID}}}
	for i, l := range s.Layers {
		image.Properties = append(image.Properties, cdxProperty{"learn:image:layer:" + strconv.Itoa(i), l})
	}
	b := cdxBOM{Format: "CycloneDX", Spec: "1.6", Serial: "urn:uuid:" + s.serial("cyclonedx", inv), Version: 1,
		Metadata:   cdxMetadata{stamp(s.Created), cdxTools{[]cdxComponent{{Type: "application", Name: "learn", Version: s.Tool}}}, image},
		Components: []cdxComponent{}}
	refs := []string{}
	for _, g := range grouped(inv.Packages) {
		b.Components = append(b.Components, cdxPackage(g, s))
		refs = append(refs, g.PURL)
	}
	if d := inv.Distro; d.ID != "" {
		system := cdxComponent{Ref: "os:" + d.ID + "@" + d.VersionID, Type: "operating-system", Name: d.ID, Version: d.VersionID, CPE: cpe(d.CPE)}
		b.Components = append(b.Components, system)
		refs = append(refs, system.Ref)
	}
	b.Dependencies = []cdxDependency{{image.Ref, refs}}
	return encode(w, b)
}

// cpe is a CPE as the schema allows it; what is none is left out.
func cpe(s string) string {
	if len(s) > 5 && (s[:5] == "cpe:/" || len(s) > 8 && s[:8] == "cpe:2.3:") {
		return s
	}
	return ""
}

func cdxPackage(g group, s Subject) cdxComponent {
	c := cdxComponent{Ref: g.PURL, Type: "library", Group: g.Namespace, Name: g.Name, Version: g.Version, PURL: g.PURL, Licenses: cdxLicenses(g.all),
		Evidence: &cdxEvidence{}}
	if g.Supplier != "" {
		c.Supplier = &cdxSupplier{printable(g.Supplier)}
	}
	if g.Type != NPM {
		c.Group = ""
	}
	seen := map[string]bool{}
	layers := map[string]bool{}
	for _, p := range g.all {
		if !seen[p.Path] {
			seen[p.Path] = true
			c.Evidence.Occurrences = append(c.Evidence.Occurrences, cdxOccurrence{"/" + p.Path})
		}
		if l := s.layer(p.Layer); l != "" && !layers[l] {
			layers[l] = true
			c.Properties = append(c.Properties, cdxProperty{"learn:layer:diffID", l}, cdxProperty{"learn:layer:index", strconv.Itoa(p.Layer)})
		}
	}
	if g.Source != "" {
		c.Properties = append(c.Properties, cdxProperty{"learn:source", g.Source})
	}
	if g.SourceVersion != "" {
		c.Properties = append(c.Properties, cdxProperty{"learn:sourceVersion", g.SourceVersion})
	}
	return c
}

// cdxLicenses: either one expression or a list of licenses; never both.
func cdxLicenses(list []Package) []cdxLicense {
	known, names := declared(list)
	if len(known) == 1 && len(names) == 0 && !isSPDXID(known[0]) {
		return []cdxLicense{{Expression: known[0]}}
	}
	var licenses []cdxLicense
	for _, l := range slices.Concat(known, names) {
		n := &cdxLicenseName{Name: printable(l)}
		if isSPDXID(l) {
			n = &cdxLicenseName{ID: l}
		}
		licenses = append(licenses, cdxLicense{License: n})
	}
	return licenses
}
