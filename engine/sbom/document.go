package sbom

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Subject is the image that a list is of.
type Subject struct {
	Name    string    // as the user named it
	ID      string    // digest of its config
	Digest  string    // of its manifest
	Layers  []string  // diff ids, lowest first
	Created time.Time // that the document carries
	Tool    string    // version of this program, or empty
}

// group is a package with every place where it is.
type group struct {
	Package
	all []Package
}

// grouped puts the records of one package URL together, sorted by it.
func grouped(list []Package) []group {
	at := map[string]int{}
	var groups []group
	for _, p := range list {
		i, ok := at[p.PURL]
		if !ok {
			i = len(groups)
			at[p.PURL] = i
			groups = append(groups, group{Package: p})
		}
		groups[i].all = append(groups[i].all, p)
	}
	return groups
}

// serial is a UUID that says what the document is about (RFC 9562, version 8: made of a digest).
func (s Subject) serial(kind string, inv Inventory) string {
	h := sha256.New()
	fmt.Fprintln(h, kind, s.Digest, s.ID, len(inv.Packages))
	for _, p := range inv.Packages {
		fmt.Fprintln(h, p.PURL, p.Path, p.Layer)
	}
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

func (s Subject) layer(i int) string {
	if i < 0 || i >= len(s.Layers) {
		return ""
	}
	return s.Layers[i]
}

// purl is that of an image in a registry; empty without a digest.
func (s Subject) purl() string {
	if s.Digest == "" {
		return ""
	}
	return "pkg:oci/" + percent(lastName(s.Name)) + "@" + percent(s.Digest)
}

// lastName is the last part of an image's name, without tag and digest.
func lastName(name string) string {
	if i := slices.Index([]byte(name), '@'); i >= 0 {
		name = name[:i]
	}
	if _, last, ok := cutLast(name, "/"); ok {
		name = last
	}
	if before, _, ok := cutLast(name, ":"); ok {
		name = before
	}
	return name
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write list of packages: %w", err)
	}
	return nil
}
