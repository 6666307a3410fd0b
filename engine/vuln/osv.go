package vuln

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxRecord bounds one record, in bytes.
const maxRecord = 8 << 20

// Record is what is read of an OSV record.
type Record struct {
	ID        string     `json:"id"`
	Modified  time.Time  `json:"modified"`
	Withdrawn *time.Time `json:"withdrawn"`
	Aliases   []string   `json:"aliases"`
	Upstream  []string   `json:"upstream"`
	Summary   string     `json:"summary"`
	Details   string     `json:"details"`
	Severity  []Score    `json:"severity"`
	Affected  []Affected `json:"affected"`
	Specific  Specific   `json:"database_specific"`
}

// Score is a severity as its type writes it: CVSS_V2, CVSS_V3, CVSS_V4 have vectors.
type Score struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

// Affected says which versions of one package are concerned.
type Affected struct {
	Package struct {
		Ecosystem string `json:"ecosystem"`
		Name      string `json:"name"`
	} `json:"package"`
	Severity  []Score  `json:"severity"`
	Ranges    []Range  `json:"ranges"`
	Versions  []string `json:"versions"`
	Specific  Specific `json:"database_specific"`
	Ecosystem Specific `json:"ecosystem_specific"`
}

// Range is a list of events in the life of a package.
type Range struct {
	Type   string  `json:"type"`
	Events []Event `json:"events"`
}

// Event has one of its fields.
type Event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
	Limit        string `json:"limit"`
}

// Specific is the part of what databases add that says how bad it is. What has another form is left out.
type Specific struct{ Severity string }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Specific) UnmarshalJSON(data []byte) error {
	var m map[string]json.RawMessage
	if json.Unmarshal(data, &m) != nil {
		return nil
	}
	for _, key := range []string{"severity", "urgency"} {
		if json.Unmarshal(m[key], &s.Severity) == nil && s.Severity != "" {
			return nil
		}
	}
	return nil
}

// ParseRecord reads a record.
func ParseRecord(data []byte) (Record, error) {
	if len(data) > maxRecord {
		return Record{}, fmt.Errorf("read record: %d bytes, at most %d are read", len(data), maxRecord)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	if r.ID == "" || len(r.ID) > 200 {
		return Record{}, fmt.Errorf("read record: its id is %.40q", r.ID)
	}
	return r, nil
}

// splitEcosystem parts "Debian:12" into name and release.
func splitEcosystem(s string) (name, release string) {
	name, release, _ = strings.Cut(s, ":")
	return name, release
}

// concerns reports whether version is one of those that a says are affected, and the versions in which it is mended, lowest first.
func (a Affected) concerns(version string, order Scheme) (bool, []string) {
	hit := slices.ContainsFunc(a.Versions, func(v string) bool { return v == version })
	var fixed []string
	for _, r := range a.Ranges {
		if r.Type == "GIT" {
			continue
		}
		in, out := r.concerns(version, order)
		hit = hit || in
		fixed = append(fixed, out...)
	}
	slices.SortFunc(fixed, order)
	return hit, slices.Compact(fixed)
}

// concerns evaluates the events as the schema's "Evaluation" says; fixed are the versions above that mend it.
func (r Range) concerns(version string, order Scheme) (hit bool, fixed []string) {
	limited, within := false, false
	events := slices.Clone(r.Events)
	slices.SortStableFunc(events, func(a, b Event) int { return compareEvents(a, b, order) })
	for _, e := range events {
		switch {
		case e.Introduced == "0" || e.Introduced != "" && order(version, e.Introduced) >= 0:
			hit = true
		case e.Fixed != "":
			if order(version, e.Fixed) >= 0 {
				hit = false
			} else {
				fixed = append(fixed, e.Fixed)
			}
		case e.LastAffected != "" && order(version, e.LastAffected) > 0:
			hit = false
		case e.Limit != "":
			limited = true
			within = within || e.Limit == "*" || order(version, e.Limit) < 0
		}
	}
	return hit && (!limited || within), fixed
}

// compareEvents: 0 comes before every version.
func compareEvents(a, b Event, order Scheme) int {
	va, vb := a.version(), b.version()
	switch {
	case va == "0" && vb == "0":
		return 0
	case va == "0" || vb == "0":
		return choose(va == "0", -1, 1)
	}
	return order(va, vb)
}

func (e Event) version() string {
	for _, v := range []string{e.Introduced, e.Fixed, e.LastAffected, e.Limit} {
		if v != "" {
			return v
		}
	}
	return "0"
}
