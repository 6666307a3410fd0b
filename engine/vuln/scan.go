package vuln

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/sbom"
)

// Finding is a flaw that concerns a package that is there.
type Finding struct {
	ID       string       `json:"id"`
	Aliases  []string     `json:"aliases,omitempty"`
	Package  sbom.Package `json:"package"`
	Fixed    string       `json:"fixed,omitempty"` // the lowest version above that mends it
	Severity Level        `json:"-"`
	Word     string       `json:"severity"`
	Score    float64      `json:"score,omitempty"`
	Vector   string       `json:"vector,omitempty"`
	Summary  string       `json:"summary,omitempty"`
	Modified time.Time    `json:"modified"`
}

// Result is what a scan found.
type Result struct {
	Packages int       `json:"packages"` // looked up
	Skipped  int       `json:"skipped"`  // of distributions or with versions of which no database speaks
	Records  int       `json:"records"`  // that name one of them
	Findings []Finding `json:"findings"` // the worst first
}

// Scan looks up every package of an inventory.
func Scan(ctx context.Context, db *DB, inv sbom.Inventory) (Result, error) {
	res := Result{Findings: []Finding{}}
	seen := map[string]bool{}
	for _, p := range inv.Packages {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		q, ok := queryOf(p, inv.Distro)
		if !ok {
			res.Skipped++
			continue
		}
		res.Packages++
		for _, name := range q.names {
			err := db.Lookup(q.ecosystem, name, func(r Record) error {
				res.Records++
				if f, hit := q.match(r, name); hit && !seen[f.ID+" "+p.PURL+" "+p.Path] {
					seen[f.ID+" "+p.PURL+" "+p.Path] = true
					f.Package = p
					res.Findings = append(res.Findings, f)
				}
				return nil
			})
			if err != nil {
				return res, err
			}
		}
	}
	slices.SortFunc(res.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Score, a.Score), strings.Compare(a.Package.FullName(), b.Package.FullName()),
			strings.Compare(a.ID, b.ID), strings.Compare(a.Package.Path, b.Package.Path))
	})
	return res, nil
}

// query is a package as a database of one ecosystem knows it.
type query struct {
	ecosystem string
	release   string // of the distribution; empty where there is none
	names     []string
	version   string
	order     Scheme
}

// queryOf says under which ecosystem, names and version a package is looked up. Debian and Alpine speak of source packages, rpm's
// distributions of either.
func queryOf(p sbom.Package, d sbom.Distro) (query, bool) {
	q := query{names: []string{p.FullName()}, version: p.Version}
	switch p.Type {
	case sbom.Deb, sbom.Apk, sbom.RPM:
		if q.ecosystem, q.release = distroEcosystem(d); q.ecosystem == "" {
			return q, false
		}
		if p.Source != "" && p.Type == sbom.RPM {
			q.names = append(q.names, p.Source)
		} else if p.Source != "" {
			q.names = []string{p.Source}
		}
		if p.SourceVersion != "" && p.Type == sbom.Deb {
			q.version = p.SourceVersion
		}
	case sbom.Golang:
		q.ecosystem = "Go"
		if p.Name == "stdlib" {
			q.version = GoVersion(p.Version)
		}
		q.version = strings.TrimPrefix(q.version, "v")
	case sbom.NPM:
		q.ecosystem = "npm"
	case sbom.PyPI:
		q.ecosystem = "PyPI"
	}
	q.order = schemeOf(q.ecosystem)
	return q, q.ecosystem != "" && q.version != "" && q.version != "(devel)"
}

// distroEcosystem is OSV's name for a distribution, and for its release.
func distroEcosystem(d sbom.Distro) (name, release string) {
	major, rest, _ := strings.Cut(d.VersionID, ".")
	switch d.ID {
	case "debian":
		return "Debian", major
	case "ubuntu":
		return "Ubuntu", d.VersionID
	case "alpine":
		minor, _, _ := strings.Cut(rest, ".")
		return "Alpine", "v" + major + "." + minor
	case "rhel", "centos":
		return "Red Hat", major
	case "rocky":
		return "Rocky Linux", major
	case "almalinux":
		return "AlmaLinux", major
	}
	return "", ""
}

// isFor reports that what a record says of an ecosystem's release is meant for this one: "Debian:12", "Ubuntu:22.04:LTS", "Ubuntu:Pro:22.04:LTS",
// "Red Hat:enterprise_linux:9::appstream". A record without a release speaks of all.
func (q query) isFor(release string) bool {
	return release == "" || q.release == "" || slices.ContainsFunc(strings.Split(release, ":"), func(s string) bool { return s == q.release })
}

func (q query) match(r Record, name string) (Finding, bool) {
	if r.Withdrawn != nil {
		return Finding{}, false
	}
	for _, a := range r.Affected {
		ecosystem, release := splitEcosystem(a.Package.Ecosystem)
		if ecosystem != q.ecosystem || normalName(ecosystem, a.Package.Name) != normalName(ecosystem, name) || !q.isFor(release) {
			continue
		}
		hit, fixed := a.concerns(q.version, q.order)
		if !hit {
			continue
		}
		f := Finding{ID: r.ID, Aliases: aliases(r), Summary: summary(r), Modified: r.Modified}
		f.Severity, f.Score, f.Vector = rate(r, a)
		f.Word = f.Severity.String()
		if len(fixed) > 0 {
			f.Fixed = fixed[0]
		}
		return f, true
	}
	return Finding{}, false
}

func aliases(r Record) []string {
	list := slices.Concat(r.Aliases, r.Upstream)
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), 20)]
}

const maxSummary = 300

func summary(r Record) string {
	s := r.Summary
	if s == "" {
		s, _, _ = strings.Cut(strings.TrimSpace(r.Details), "\n")
	}
	if runes := []rune(s); len(runes) > maxSummary {
		s = string(runes[:maxSummary-1]) + "…"
	}
	return s
}

// normalName is a name as its ecosystem compares names.
func normalName(ecosystem, name string) string {
	if ecosystem == "PyPI" {
		return sbom.NormalPyPI(name)
	}
	return name
}
